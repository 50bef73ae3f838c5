"""Pull requests: their diff, files, reviews, and what moves them."""

from __future__ import annotations

import gidgethub
import pytest

from claude_pool_gh.rehearsal.github import (
    Content,
    Executable,
    Files,
    Pull,
    Repository,
    SimulatedGitHub,
    Symlink,
)
from tests.rehearsal.world import Bot, Hooks

R = "/repos/octo/widgets"


@pytest.fixture
def pull(widgets: Repository, github: SimulatedGitHub) -> Pull:
    changed = "".join(f"line {number}\n" for number in range(1, 41)).replace(
        "line 20\n", "line twenty\nand more\n"
    )
    files: Files = {
        "a.py": changed,
        "old.txt": None,
        "new.txt": "x\n" * 9,
        "run.sh": Executable("#!/bin/sh\n"),
    }
    more: dict[str, Content] = {
        "link": Symlink("a.py"),
        "bin": b"\x00\x01\xff",
        "dir with ü/ß.md": "hällo",
    }
    widgets.commit("feat/x", {**files, **more}, author=github.create_user("mona"))
    return widgets.open_pull(
        "feat/x", title="A change", body="Why", author=github.create_user("mona")
    )


async def test_a_pull_request_shows_what_git_sees(
    pull: Pull, widgets: Repository, bot: Bot
) -> None:
    shown = await bot.api.getitem(f"{R}/pulls/{pull.number}")
    assert (shown["head"]["sha"], shown["base"]["sha"]) == (widgets.head("feat/x"), widgets.head())
    assert (shown["changed_files"], shown["commits"], shown["mergeable"]) == (6, 1, True)
    files = {
        one["filename"]: one
        async for one in bot.api.getiter(f"{R}/pulls/{pull.number}/files?per_page=2")
    }
    assert files["new.txt"]["status"] == "renamed"
    assert files["new.txt"]["previous_filename"] == "old.txt"
    assert files["a.py"]["patch"].startswith("@@ -17,7 +17,8 @@")
    assert "patch" not in files["bin"]
    assert "dir with ü/ß.md" in files
    status, headers, text = await bot.raw(
        "GET", f"{R}/pulls/{pull.number}", headers={"Accept": "application/vnd.github.diff"}
    )
    assert (status, headers["Content-Type"]) == (200, "application/vnd.github.diff; charset=utf-8")
    assert b"+line twenty" in text
    assert [one["number"] async for one in bot.api.getiter(f"{R}/pulls?head=octo:feat/x")] == [
        pull.number
    ]
    assert len([one async for one in bot.api.getiter(f"{R}/pulls/{pull.number}/commits")]) == 1


async def test_a_diff_that_is_too_large_is_not_acceptable(
    pull: Pull, github: SimulatedGitHub, bot: Bot
) -> None:
    github.limits.diff_bytes = 100
    accept = {"Accept": "application/vnd.github.v3.diff"}
    status, _, _ = await bot.raw("GET", f"{R}/pulls/{pull.number}", headers=accept)
    assert status == 406


async def test_a_review_stands_on_lines_of_the_diff(
    pull: Pull, widgets: Repository, bot: Bot, github: SimulatedGitHub, hooks: Hooks
) -> None:
    comments = [
        {"path": "a.py", "line": 20, "side": "RIGHT", "body": "why twenty?"},
        {
            "path": "a.py",
            "start_line": 19,
            "start_side": "RIGHT",
            "line": 21,
            "side": "RIGHT",
            "body": "both",
        },
        {"path": "a.py", "line": 20, "side": "LEFT", "body": "was fine"},
    ]
    data = {
        "event": "COMMENT",
        "body": "Findings",
        "commit_id": pull.head_sha,
        "comments": comments,
    }
    made = await bot.api.post(f"{R}/pulls/{pull.number}/reviews", data=data)
    assert made["state"] == "COMMENTED"
    (review,) = widgets.reviews(pull.number)
    assert [one.line for one in review.comments] == [20, 21, 20]
    assert review.comments[0].diff_hunk.endswith("+line twenty")
    listed = [
        one
        async for one in bot.api.getiter(f"{R}/pulls/{pull.number}/reviews/{made['id']}/comments")
    ]
    assert listed[1]["start_line"] == 19
    answer = await github.reply(github.create_user("mona"), review.comments[0], "/pool dismiss no")
    assert hooks.events[-1].data["comment"]["in_reply_to_id"] == review.comments[0].id
    await bot.api.post(
        f"{R}/pulls/{pull.number}/comments/{review.comments[0].id}/replies", data={"body": "ok"}
    )
    assert answer.in_reply_to is review.comments[0]
    assert len([one async for one in bot.api.getiter(f"{R}/pulls/{pull.number}/comments")]) == 5
    await github.settle()
    assert hooks.names().count("pull_request_review_comment.created") == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "a.py", "line": 2, "side": "RIGHT"},
        {"path": "nowhere.py", "line": 2},
        {"path": "a.py", "line": 20, "start_line": 21},
        {"path": "bin", "line": 1},
    ],
)
async def test_one_wrong_line_refuses_the_whole_review(
    pull: Pull, widgets: Repository, bot: Bot, wrong: dict[str, object]
) -> None:
    good = {"path": "a.py", "line": 20, "body": "fine"}
    data = {"event": "COMMENT", "body": "b", "comments": [good, {**wrong, "body": "off"}]}
    with pytest.raises(gidgethub.ValidationError) as refused:
        await bot.api.post(f"{R}/pulls/{pull.number}/reviews", data=data)
    assert "could not be resolved" in str(refused.value) or "must precede" in str(refused.value)
    assert widgets.reviews(pull.number) == []


async def test_a_commit_on_the_head_branch_moves_the_pull_request_and_its_comments(
    pull: Pull, widgets: Repository, bot: Bot, github: SimulatedGitHub, hooks: Hooks
) -> None:
    comments = [{"path": "a.py", "line": line, "body": "c"} for line in (20, 22)]
    await bot.api.post(
        f"{R}/pulls/{pull.number}/reviews", data={"event": "COMMENT", "comments": comments}
    )
    before = pull.head_sha
    text = widgets.read("feat/x", "a.py").decode().replace("and more\n", "and more\nstill more\n")
    after = widgets.commit("feat/x", {"a.py": text.replace("line twenty", "20")})
    await github.settle()
    assert (pull.head_sha, widgets.git.refs("refs/pull/1/head")) == (
        after,
        {"refs/pull/1/head": after},
    )
    push, sync = (
        (one for one in hooks.events[-2:])
        if hooks.events[-1].event == "pull_request"
        else hooks.events[:-3:-1]
    )
    assert push.data["after"] == sync.data["after"] == after
    assert sync.data["before"] == before
    assert [(one.line, one.original_line) for one in pull.review_comments] == [(None, 20), (23, 22)]


async def test_a_fork_opens_a_pull_request_and_is_merged(
    widgets: Repository, bot: Bot, github: SimulatedGitHub, hooks: Hooks
) -> None:
    fork = widgets.fork("stranger")
    fork.commit("patch", {"c.py": "c\n"})
    pull = widgets.open_pull("stranger:patch", author=fork.owner, draft=True)
    fork.commit("patch", {"c.py": "d\n"})
    shown = await bot.api.getitem(f"{R}/pulls/{pull.number}")
    assert shown["head"]["repo"]["full_name"] == "stranger/widgets"
    assert widgets.read(pull.head_sha, "c.py") == b"d\n"
    widgets.ready(pull)
    sha = widgets.merge(pull, github.create_user("mona"))
    await github.settle()
    assert widgets.head() == sha == pull.merge_commit_sha
    assert hooks.events[-1].event in ("pull_request", "push")
    assert {"pull_request.closed", "pull_request.synchronize", "push"} <= set(hooks.names())
    compared = await bot.api.getitem(f"{R}/compare/main...stranger:patch")
    assert compared["status"] == "behind"


async def test_the_bot_opens_a_pull_request_once(widgets: Repository, bot: Bot) -> None:
    widgets.commit("mine", {"x": "y"})
    data = {"title": "Mine", "head": "mine", "base": "main", "body": "b"}
    made = await bot.api.post(f"{R}/pulls", data=data)
    with pytest.raises(gidgethub.ValidationError, match="already exists"):
        await bot.api.post(f"{R}/pulls", data=data)
    closed = await bot.api.patch(f"{R}/pulls/{made['number']}", data={"state": "closed"})
    assert closed["state"] == "closed"
