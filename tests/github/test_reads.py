"""What is asked of GitHub before something is decided."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest

from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import body_digest
from claude_pool_gh.github.errors import NotFound
from claude_pool_gh.rehearsal.github import Fault, Issue, Pull, Respond
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, ReviewRef, Thread
from claude_pool_gh.terms.roles import Role
from tests.github.test_answers import Services, services

__all__ = ["services"]


@dataclass
class Comparison:
    """GitHub's answer to a comparison of two commits."""

    status: str

    async def read(self, _repository: Repository, path: str, **options: Any) -> dict[str, Any]:
        assert (path, options) == ("/compare/aaa...bbb", {"per_page": 1})
        return {"status": self.status}


@pytest.mark.parametrize(
    ("status", "goes_on"),
    [("ahead", True), ("identical", True), ("behind", False), ("diverged", False)],
)
async def test_whether_a_commit_goes_on_from_another_is_asked_and_not_read_from_a_first_page(
    status: str, goes_on: bool
) -> None:
    repository = Repository(id=1, owner="octo", name="shop")
    assert (
        await reads.is_ancestor(cast(Forge, Comparison(status)), repository, "aaa", "bbb")
        == goes_on
    )


# ---- of a thread


def pull_of(services: Services, **more: Any) -> Pull:
    services.shop.commit("topic/a#b", {"a.py": "x = 1\n"}, author=services.mona)
    return services.shop.open_pull("topic/a#b", title="T", author=services.mona, **more)


def thread(services: Services, of: Issue) -> Thread:
    return Thread(repository=services.named, number=of.number)


async def test_a_pull_request_is_told_as_it_is(services: Services) -> None:
    shop, found = services.shop, pull_of(services, body="B", draft=True)
    told = await reads.pull(services.forge, thread(services, found))
    assert told == reads.Pull(
        number=found.number,
        title="T",
        body="B",
        author=services.actor,
        open=True,
        draft=True,
        head=found.head_sha,
        head_ref="topic/a#b",
        head_repository_id=shop.id,
        base_ref="main",
        base=shop.head(),
    )
    shop.close(found)
    told = await reads.pull(services.forge, thread(services, found))
    assert (told.open, told.head) == (False, found.head_sha)


async def test_a_pull_request_of_a_fork_that_is_gone_is_told_without_it(
    services: Services,
) -> None:
    fork = services.shop.fork("stranger")
    fork.commit("topic", {"a.py": "x = 1\n"})
    stranger = services.github.create_user("stranger")
    found = services.shop.open_pull("topic", author=stranger, head_repository=fork)
    assert (await reads.pull(services.forge, thread(services, found))).head_repository_id == fork.id
    fork.delete()
    assert (await reads.pull(services.forge, thread(services, found))).head_repository_id is None


async def test_an_issue_is_told_as_it_is_and_a_pull_request_as_one(services: Services) -> None:
    issue = services.shop.open_issue("T", author=services.mona)
    for name in ("bug", "pool:review"):
        services.shop.add_label(issue, name)
    told = await reads.issue(services.forge, thread(services, issue))
    assert told == reads.Issue(
        number=issue.number,
        title="T",
        body="",
        author=services.actor,
        open=True,
        locked=False,
        is_pull=False,
        labels=("bug", "pool:review"),
    )
    services.shop.close(issue)
    services.shop.lock(issue)
    told = await reads.issue(services.forge, thread(services, issue))
    assert (told.open, told.locked) == (False, True)
    assert (await reads.issue(services.forge, thread(services, pull_of(services)))).is_pull


async def test_the_text_of_an_issue_that_may_not_be_seen_is_none(services: Services) -> None:
    assert await reads.issue_text(services.forge, services.named, 1) == ("x", "y")
    assert await reads.issue_text(services.forge, services.named, 999) is None
    services.github.faults.add(Fault(Respond(403, "no")))
    assert await reads.issue_text(services.forge, services.named, 1) is None


async def test_the_messages_of_a_pull_requests_commits_come_oldest_first(
    services: Services,
) -> None:
    one = services.shop.commit("topic", {"a": "1"}, message="one\n\nmore", author=services.mona)
    two = services.shop.commit("topic", {"a": "2"}, message="two", author=services.mona)
    found = services.shop.open_pull("topic", author=services.mona)
    told = await reads.commit_messages(services.forge, thread(services, found))
    assert [(sha, message.strip()) for sha, message in told] == [(one, "one\n\nmore"), (two, "two")]


def test_whoever_is_gone_is_the_ghost_and_no_person() -> None:
    assert reads.actor_of(None) == reads.GHOST
    assert not reads.GHOST.is_human
    for kind, human in (("User", True), ("Bot", False), ("Organization", False), (None, False)):
        told = reads.actor_of({"id": 5, "login": "x", "type": kind})
        assert told == Actor(id=5, login="x", is_human=human)


# ---- of a comment


async def test_a_comment_that_still_says_what_it_said_is_known_by_its_node(
    services: Services,
) -> None:
    github, shop, mona = services.github, services.shop, services.mona
    found = pull_of(services)
    where = {"path": "a.py", "line": 1, "side": "RIGHT", "body": "inline"}
    review = shop.review(found, mona, body="whole", comments=[where])
    comment = await github.comment(mona, shop, found.number, "plain")
    (inline,) = found.review_comments
    for source, text, kind in (
        (CommentRef(id=comment.id), "plain", "IssueComment"),
        (CommentRef(id=inline.id, kind="review_comment"), "inline", "PullRequestReviewComment"),
        (ReviewRef(id=review.id), "whole", "PullRequestReview"),
    ):
        at = thread(services, found)
        same = await reads.unchanged(services.forge, at, source, body_digest(text))
        assert same == node_id(kind, source.id)
        assert await reads.unchanged(services.forge, at, source, body_digest("other")) is None
    await github.edit_comment(mona, comment, "edited")
    at = thread(services, found)
    digest = body_digest("plain")
    assert await reads.unchanged(services.forge, at, CommentRef(id=comment.id), digest) is None
    await github.delete_comment(mona, comment)
    with pytest.raises(NotFound):
        await reads.unchanged(services.forge, at, CommentRef(id=comment.id), digest)


async def test_what_may_have_come_by_mail_has(services: Services) -> None:
    mailed, typed = [
        await services.github.comment(services.mona, services.shop, 1, "x", by_mail=by_mail)
        for by_mail in (True, False)
    ]

    async def by_mail(number: int) -> bool:
        node = node_id("IssueComment", number)
        return await reads.came_by_mail(services.forge, services.named, node)

    assert await by_mail(mailed.id)
    assert not await by_mail(typed.id)
    assert await by_mail(12345), "one that GitHub does not know"
    for body in (b'{"data": {"node": null}}', b'{"data": {"node": {"id": "x"}}}'):
        services.github.faults.add(Fault(Respond(200, body=body)))
        assert await by_mail(typed.id), body


# ---- of a repository


@pytest.mark.parametrize(
    ("answer", "role"),
    [
        ({"permission": "write", "role_name": "maintain"}, Role.maintain),
        ({"permission": "read", "role_name": "triage"}, Role.triage),
        ({"permission": "write", "role_name": "our-own-role"}, Role.write),
        ({"permission": "admin", "role_name": "admin"}, Role.admin),
        ({"permission": "none", "role_name": ""}, Role.none),
    ],
)
async def test_a_role_is_the_higher_of_the_two_names_that_github_has_for_it(
    services: Services, answer: dict[str, str], role: Role
) -> None:
    body = json.dumps({"user": {"id": services.mona.id}, **answer}).encode()
    services.github.faults.add(Fault(Respond(200, body=body)))
    assert await reads.role_of(services.forge, services.named, services.actor) is role


async def test_a_role_that_github_refuses_to_tell_is_none(services: Services) -> None:
    for status in (403, 404):
        services.github.faults.add(Fault(Respond(status, "no")))
        assert await reads.role_of(services.forge, services.named, services.actor) is Role.none


async def test_labels_come_with_what_they_mean(services: Services) -> None:
    services.shop.label("bug").description = "It breaks"
    services.shop.label("other")
    labels = await reads.labels(services.forge, services.named)
    assert ("bug", "It breaks") in labels
    assert ("other", "") in labels


async def test_branches_are_asked_for_by_their_whole_name(services: Services) -> None:
    head = services.shop.commit("feature/a#b", {"a": "1"})
    forge, named = services.forge, services.named
    assert await reads.branch_head(forge, named, "feature/a#b") == head
    assert await reads.default_branch(forge, named) == "main"
    main = services.shop.head()
    services.shop.commit("main", {"b": "1"})
    assert await reads.merge_base(forge, named, "main", "feature/a#b") == main
    with pytest.raises(NotFound):
        await reads.branch_head(forge, named, "feature/a")


async def test_content_is_known_by_its_id_and_what_is_not_there_has_none(
    services: Services,
) -> None:
    shop = services.shop
    at = shop.commit("main", {"top.py": "1", "src/a b/c.py": "2", "src/a b/d.py": "3"})

    async def of(path: str) -> str:
        return await reads.object_id(services.forge, services.named, at, path)

    for path in ("top.py", "src/a b/c.py", "src/a b", "src"):
        assert await of(path) == shop.git.text("rev-parse", f"{at}:{path}"), path
    assert await of("") == shop.git.text("rev-parse", f"{at}^{{tree}}")
    for path in ("no.py", "src/a b/c", "src/no/c.py", "top.py/below"):
        assert await of(path) == "", path


async def test_what_github_does_not_list_any_more_is_other_content_at_each_commit(
    services: Services,
) -> None:
    """It lists a thousand entries of a folder: whether the last ones have changed is not known."""
    listed = [{"path": f"src/f{number}.py", "sha": f"{number:040}"} for number in range(1_000)]
    route = "/repos/{owner}/{repo}/contents/{path}"
    whole = Fault(Respond(200, body=json.dumps(listed).encode()), route=route, times=99)
    services.github.faults.add(whole)
    forge, named = services.forge, services.named
    ids = [await reads.object_id(forge, named, commit * 40, "src/z.py") for commit in "ab"]
    assert len({*ids, ""}) == 3
    assert await reads.object_id(forge, named, "a" * 40, "src/f7.py") == f"{7:040}"
    services.github.faults.clear()
    short = Respond(200, body=json.dumps(listed[1:]).encode())
    services.github.faults.add(Fault(short, route=route))
    assert await reads.object_id(forge, named, "a" * 40, "src/z.py") == ""


async def test_whether_a_workflow_is_switched_on_is_githubs_word_for_it(
    services: Services,
) -> None:
    services.shop.commit("main", {".github/workflows/audit.yml": "on: push\n"})
    services.shop.state.workflow_states["audit.yml"] = "disabled_inactivity"
    forge, named = services.forge, services.named
    assert await reads.workflow_state(forge, named, "audit.yml") == "disabled_inactivity"
    assert await reads.workflow_state(forge, named, "no.yml") == ""
