"""Check runs, statuses, contents and commits."""

from __future__ import annotations

import base64

import gidgethub
import pytest

from claude_pool_gh.rehearsal.github import Content, Repository, SimulatedGitHub, Symlink
from tests.rehearsal.world import Bot

R = "/repos/octo/widgets"


def notes(count: int) -> list[dict[str, object]]:
    one = {
        "path": "a.py",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "warning",
        "message": "m",
    }
    return [dict(one) for _ in range(count)]


async def test_a_check_run_grows(widgets: Repository, bot: Bot) -> None:
    sha = widgets.head()
    data = {
        "name": "claude-pool/review",
        "head_sha": sha,
        "status": "in_progress",
        "external_id": "chain-1",
    }
    made = await bot.api.post(f"{R}/check-runs", data=data)
    assert made["conclusion"] is None
    for count in (50, 20):
        output = {"title": "t", "summary": "s", "annotations": notes(count)}
        await bot.api.patch(f"{R}/check-runs/{made['id']}", data={"output": output})
    done = await bot.api.patch(f"{R}/check-runs/{made['id']}", data={"conclusion": "neutral"})
    assert (done["status"], done["output"]["annotations_count"]) == ("completed", 70)
    listed = [one async for one in bot.api.getiter(f"{R}/check-runs/{made['id']}/annotations")]
    assert len(listed) == 70
    await bot.api.post(f"{R}/check-runs", data={"name": "other", "head_sha": sha})
    found = await bot.api.getitem(f"{R}/commits/{sha}/check-runs?check_name=claude-pool%2Freview")
    assert [one["external_id"] for one in found["check_runs"]] == ["chain-1"]
    assert [one.name for one in widgets.check_runs(sha)] == ["claude-pool/review", "other"]


@pytest.mark.parametrize(
    "output",
    [
        {"title": "t", "summary": "s", "annotations": notes(51)},
        {"title": "t", "summary": "s" * 65_536},
        {"title": "t", "summary": "s", "text": "t" * 65_536},
    ],
)
async def test_a_check_run_has_caps(
    widgets: Repository, bot: Bot, output: dict[str, object]
) -> None:
    with pytest.raises(gidgethub.BadRequest) as refused:
        await bot.api.post(
            f"{R}/check-runs", data={"name": "n", "head_sha": widgets.head(), "output": output}
        )
    assert refused.value.status_code == 422
    assert widgets.check_runs(widgets.head()) == []


async def test_the_newest_status_of_a_context_counts(widgets: Repository, bot: Bot) -> None:
    sha = widgets.head()
    for state in ("pending", "success"):
        await bot.api.post(f"{R}/statuses/{sha}", data={"state": state, "context": "claude-pool"})
    combined = await bot.api.getitem(f"{R}/commits/main/status")
    assert (combined["state"], combined["total_count"]) == ("success", 1)
    assert [one["state"] async for one in bot.api.getiter(f"{R}/commits/{sha}/statuses")] == [
        "success",
        "pending",
    ]
    with pytest.raises(gidgethub.ValidationError):
        await bot.api.post(
            f"{R}/statuses/{sha}", data={"state": "success", "description": "d" * 141}
        )


async def test_contents_are_those_of_the_ref(widgets: Repository, bot: Bot) -> None:
    files: dict[str, Content] = {
        ".github/claude-pool.yml": "model: x\n",
        "big": "x" * 1_000_001,
        "link": Symlink("a.py"),
    }
    widgets.commit("feat/y", files)
    path = f"{R}/contents/.github/claude-pool.yml"
    found = await bot.api.getitem(f"{path}?ref=feat/y")
    assert base64.b64decode(found["content"]) == b"model: x\n"
    with pytest.raises(gidgethub.BadRequest):
        await bot.api.getitem(path)
    _, _, raw = await bot.raw(
        "GET", f"{path}?ref=feat/y", headers={"Accept": "application/vnd.github.raw+json"}
    )
    assert raw == b"model: x\n"
    top = {one["name"]: one["type"] for one in await bot.api.getitem(f"{R}/contents/?ref=feat/y")}
    assert top[".github"] == "dir"
    assert top["link"] == "symlink"
    big = await bot.api.getitem(f"{R}/contents/big?ref=feat/y")
    assert (big["encoding"], big["content"]) == ("none", "")
    assert (await bot.api.getitem(f"{R}/contents/link?ref=feat/y"))["target"] == "a.py"
    assert [one["name"] for one in await bot.api.getitem(f"{R}/contents/.github?ref=feat/y")] == [
        "claude-pool.yml"
    ]


async def test_commits_refs_and_comparisons(
    widgets: Repository, bot: Bot, github: SimulatedGitHub
) -> None:
    mona = github.create_user("mona")
    sha = widgets.commit("feat/z", {"b.py": "b\n"}, message="Add b\n\nBecause.", author=mona)
    widgets.commit("main", {"c.py": "c\n"})
    commit = await bot.api.getitem(f"{R}/commits/feat/z")
    assert (commit["sha"], commit["author"]["login"], commit["stats"]["total"]) == (sha, "mona", 1)
    assert (await bot.api.getitem(f"{R}/git/ref/heads/feat/z"))["object"]["sha"] == sha
    assert (await bot.api.getitem(f"{R}/branches/feat%2Fz"))["commit"]["sha"] == sha
    assert len(await bot.api.getitem(f"{R}/branches")) == 2
    compared = await bot.api.getitem(f"{R}/compare/main...feat/z")
    assert (compared["status"], compared["ahead_by"], compared["behind_by"]) == ("diverged", 1, 1)
    assert [one["filename"] for one in compared["files"]] == ["b.py"]
    assert [one["sha"] for one in await bot.api.getitem(f"{R}/commits?sha=feat/z&per_page=1")] == [
        sha
    ]
    _, _, text = await bot.raw(
        "GET", f"{R}/compare/main...feat/z", headers={"Accept": "application/vnd.github.diff"}
    )
    assert text.startswith(b"diff --git a/b.py b/b.py")
    with pytest.raises(gidgethub.BadRequest):
        await bot.api.getitem(f"{R}/git/ref/heads/none")
    assert (await bot.api.getitem(R))["default_branch"] == "main"
