"""The operator's client sees the same GitHub."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from github import Auth, Github, GithubException, GithubIntegration
from github.PaginatedList import PaginatedList
from github.Repository import Repository as RemoteRepository

from claude_pool_gh.rehearsal.github import App, Repository, SimulatedGitHub


@pytest.mark.usefixtures("installation")
async def test_pygithub_lists_reads_and_writes(
    github: SimulatedGitHub, app: App, widgets: Repository
) -> None:
    widgets.commit("feature", {"b.py": "b\n"})
    pull = widgets.open_pull("feature")
    mona = github.create_user("mona")
    widgets.grant(mona, "maintain")

    def work() -> dict[str, object]:
        auth = Auth.AppAuth(app.id, app.private_key)
        calm: dict[str, Any] = {
            "seconds_between_requests": None,
            "seconds_between_writes": None,
            "retry": None,
        }
        integration = GithubIntegration(auth=auth, base_url=github.api_url, **calm)
        (found,) = integration.get_installations()
        names = [one.full_name for one in found.get_repos()]
        client: Github = found.get_github_for_installation()
        repository = client.get_repo("octo/widgets")
        shown = repository.get_pull(pull.number)
        comment = shown.create_issue_comment("hello")
        comment.create_reaction("eyes")
        draft = shown.create_review(body="a draft")
        states = [one.state for one in shown.get_reviews()]
        draft.delete()
        submitted = shown.create_review(
            body="ok", event="COMMENT", comments=[{"path": "b.py", "position": 1, "body": "c"}]
        )
        with pytest.raises(GithubException, match="non-pending"):
            submitted.delete()
        shown.add_to_labels("from the operator")
        run = repository.create_check_run(
            "n", shown.head.sha, status="completed", conclusion="success"
        )
        read = repository.get_contents("README.md")
        assert not isinstance(read, list)
        return {
            "app": integration.get_app().slug,
            "names": names,
            "files": [one.filename for one in shown.get_files()],
            "role": repository.get_collaborator_role_name("mona"),
            "run": run.conclusion,
            "content": read.decoded_content,
            "head": repository.get_branch("main").commit.sha,
            "label": [one.name for one in repository.get_labels()],
            "reviews": [states, [one.state for one in shown.get_reviews()]],
        }

    seen = await asyncio.to_thread(work)
    assert seen == {
        "app": "claude-pool",
        "names": ["octo/widgets"],
        "files": ["b.py"],
        "role": "maintain",
        "run": "success",
        "content": b"hi\n",
        "head": widgets.head(),
        "label": ["from the operator"],
        "reviews": [["PENDING"], ["COMMENTED"]],
    }
    assert widgets.comments(pull.number)[0].reactions[0].content == "eyes"


async def test_an_organization_s_repositories_are_listed_as_far_as_the_token_reads_them(
    github: SimulatedGitHub, widgets: Repository
) -> None:
    mona = github.create_user("mona")
    widgets.grant(mona, "read")
    widgets.describe(topics=("payments",), language="Python", kilobytes=12)
    hidden = github.create_repository("octo/hidden", private=True)
    for number in range(3):
        github.create_repository(f"octo/r{number}").grant(mona, "read")
    gone = github.create_repository("octo/gone")
    gone.grant(mona, "read")
    gone.delete()
    token = github.create_token(mona)

    def work() -> list[tuple[str, list[str], str | None, int, bool]]:
        client = Github(auth=Auth.Token(token), base_url=github.api_url, retry=None)
        listed = PaginatedList(
            RemoteRepository, client.requester, "/orgs/octo/repos", {"per_page": 2}
        )
        return [(one.full_name, one.topics, one.language, one.size, one.archived) for one in listed]

    seen = await asyncio.to_thread(work)
    assert seen[0] == ("octo/widgets", ["payments"], "Python", 12, False)
    assert [each[0] for each in seen[1:]] == ["octo/r0", "octo/r1", "octo/r2"], hidden.full_name
