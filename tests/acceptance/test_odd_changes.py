"""What a review says where the change is unlike others: another base, pushes of nothing, links, submodules, modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.rehearsal.github import Executable, Symlink
from claude_pool_gh.rehearsal.github.state.people import email
from claude_pool_gh.rehearsal.reviewer import Planted
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World, world

CALC = "".join(f"def f{i}(x):\n    return x + {i}\n\n" for i in range(1, 31))
OWN = "def get(user, id):\n    check_owner(user)\n    return id\n"
UNCHECKED = OWN.replace("    check_owner(user)\n", "")
SCRIPT = "#!/bin/sh\necho hi\n"
BASE = {
    "app/calc.py": CALC,
    "app/own.py": OWN,
    "run.sh": SCRIPT,
    ".github/claude-pool.yml": "review: {fail_on: high}\n",
}
HEAD = {"app/calc.py": CALC.replace("return x + 15\n", "return x / 0\n")}  # line 44
OLD, NEW = "a" * 40, "b" * 40


def claim(path: str, line: int, evidence: str, title: str, **more: object) -> Planted:
    stated = {
        "path": path,
        "start_line": line,
        "end_line": line,
        "severity": "high",
        "category": "correctness",
        "title": title,
        "body": "Because.",
        "scenario": "f(1) -> wrong",
        "evidence": evidence,
        "confidence": 0.95,
    }
    return Planted(stated | more, shown=evidence if "/" not in path or "libs" in path else "")


ZERO = claim("app/calc.py", 44, "    return x / 0", "f15 divides by zero")
CHECK = claim("app/own.py", 2, "    check_owner(user)", "The owner check is gone", side="LEFT")


async def review(
    here: World, script: Colleague, *planted: Planted, line: str = "/pool review"
) -> tuple[str | None, str]:
    """Review the head as it is now; the check's conclusion and title."""
    script.planted = planted
    if here.pull.head_sha not in here.seen_heads:
        here.seen_heads.append(here.pull.head_sha)
    known = here.rows("SELECT count(*) FROM chains")[0][0]
    await here.say(line)
    await here.until(lambda: here.rows("SELECT state FROM chains").count(("done",)) == known + 1)
    return await told(here)


async def told(here: World) -> tuple[str | None, str]:
    """What the check at the newest head says, once everything is written."""
    await here.github.settle()
    await here.quiet()
    check = here.check
    assert check is not None
    return check.conclusion, check.title or ""


async def push(here: World, files: Mapping[str, Any]) -> None:
    here.repository.commit("feature", files, message="More", author=here.maintainer)
    await here.github.settle()


@pytest.mark.parametrize(
    ("planted", "first", "elsewhere"),
    [
        ((ZERO,), "failure", "failure"),
        ((), "success", "neutral"),
    ],
)
async def test_another_base_makes_no_check_better_and_the_one_that_was_read_brings_it_back(
    tmp_path: Path, planted: tuple[Planted, ...], first: str, elsewhere: str
) -> None:
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        here.model.script = script = Colleague()
        here.repository.commit("develop", {"other.py": "x = 1\n"}, author=here.maintainer)
        began = await review(here, script, *planted)
        assert began[0] == first

        here.repository.retarget(here.pull, "develop", here.maintainer)
        conclusion, title = await told(here)
        assert conclusion == elsewhere
        assert "it goes into develop now, and was read against main" in title
        assert "It goes into `develop` now, and was read against `main`" in here.tracking

        # A later push shows the ended review again: it is about the other base still.
        await push(here, {})
        assert await told(here) == (conclusion, title)

        here.repository.retarget(here.pull, "main", here.maintainer)
        assert await told(here) == began
        assert "It goes into" not in here.tracking


async def test_what_was_read_whole_stays_read_after_a_push_of_nothing_and_one_that_is_taken_back(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        here.model.script = script = Colleague()
        assert await review(here, script) == ("success", "Nothing found in 1 file")
        since = here.pull.head_sha[:9]
        assert await review(here, script, line="/pool review app/calc.py") == (
            "success",
            "Nothing found in 1 file",
        ), "a second look at a part takes nothing of the first away"
        asked = len(script.seen)

        await push(here, {})
        said = ("success", f"Nothing found; nothing to read has changed since {since}")
        assert await review(here, script) == said
        since = here.pull.head_sha[:9]
        await push(here, {"app/calc.py": CALC})
        await push(here, HEAD)
        said = ("success", f"Nothing found; nothing to read has changed since {since}")
        assert await review(here, script) == said
        assert len(script.seen) == asked, "nothing is read or paid for again"


async def test_deleted_code_that_came_back_and_is_deleted_again_is_asked_about_again(
    tmp_path: Path,
) -> None:
    head = {"app/own.py": UNCHECKED, "app/other.py": "z = 1\n"}
    async with world(tmp_path, base=BASE, head=head) as here:
        here.model.script = script = Colleague()
        assert (await review(here, script, CHECK))[0] == "failure"
        await push(here, {"app/own.py": OWN})
        conclusion, title = await review(here, script, replace(CHECK, verdict="fixed"))
        assert (conclusion, title.partition(";")[0]) == ("success", "1 fixed")

        await push(here, {"app/own.py": UNCHECKED})
        # Nobody states it again: the host itself knows it, and asks the second reader.
        silent = replace(CHECK, shown="stated by nobody")
        conclusion, title = await review(here, script, silent)
        assert conclusion == "failure"
        assert title.startswith("1 finding (worst: high)")
        first, second = (each.comments[0] for each in here.reviews)
        assert [each.resolved_by for each in (first, second)] == [here.app.bot, None]

        # It is settled where it stands now, not where it was settled before.
        await push(here, {"app/own.py": OWN})
        assert (await review(here, script, replace(CHECK, verdict="fixed")))[0] == "success"
        assert second.resolved_by is here.app.bot
        assert "Fixed at" in await here.replied_under(second)


async def test_what_is_changed_without_a_changed_line_is_told_as_what_it_is(
    tmp_path: Path,
) -> None:
    head = {
        "run.sh": Executable(SCRIPT),
        "app/__init__.py": "",
        "app/calc.py": None,
        "app/sums.py": CALC,
    }
    async with world(tmp_path, base=BASE, head=head) as here:
        here.model.script = script = Colleague()
        conclusion, title = await review(here, script)
        assert conclusion == "neutral"
        assert title.startswith("NOT REVIEWED: no line is changed: ")
        assert "run.sh (executable now)" in title
        assert "generated" not in title

        await push(here, {"app/own.py": UNCHECKED})
        assert (await review(here, script))[0] == "success"
        assert "Changed without a changed line: " in here.tracking
        assert "`app/sums.py (renamed from app/calc.py)`" in here.tracking
        assert "Skipped" not in here.tracking
        [finder, *_] = script.asked("find-defects")
        assert '"run.sh (executable now)"' in finder.text


async def test_a_link_is_read_as_what_it_names_and_can_be_spoken_of(tmp_path: Path) -> None:
    out = claim("latest", 1, "../../etc/passwd", "The link leads out", suggestion="elsewhere")
    async with world(tmp_path, base=BASE, head={"latest": Symlink("../../etc/passwd")}) as here:
        here.model.script = script = Colleague()
        assert (await review(here, script, out))[0] == "failure"
        [comment] = here.reviews[0].comments
        assert (comment.path, comment.line) == ("latest", 1)
        assert "suggestion" not in comment.body, "there is no file in which it could be applied"

        await push(here, {"latest": Symlink("run.sh")})
        conclusion, title = await review(here, script, replace(out, verdict="fixed"))
        assert (conclusion, title) == ("success", "1 fixed in 1 file read")


async def test_a_submodule_is_read_as_the_commit_that_it_names_and_can_be_spoken_of(
    tmp_path: Path,
) -> None:
    back = claim("libs/dep", 1, f"Subproject commit {NEW}", "The submodule goes back")
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        old = submodule(here, OLD, here.repository.head("main"))
        here.repository.commit("main", {}, onto=old, message="Use it")
        here.repository.commit("feature", {}, onto=submodule(here, NEW, old), message="Bump it")
        await here.github.settle()
        here.model.script = script = Colleague()
        assert await review(here, script) == ("success", "Nothing found in 1 file")
        assert (await review(here, script, back))[0] == "failure"
        [comment] = here.reviews[0].comments
        assert (comment.path, comment.line) == ("libs/dep", 1)


def submodule(here: World, names: str, parent: str) -> str:
    """A commit in which a submodule names another commit, on a branch of its own."""
    who = f"mona <{email(here.maintainer)}> 1700000000 +0000"
    stream = (
        f"commit refs/heads/submodule\nmark :1\nauthor {who}\ncommitter {who}\ndata 1\nx\n"
        f"from {parent}\nM 160000 {names} libs/dep\n\nget-mark :1\n"
    )
    made = here.repository.git.run("fast-import", "--quiet", "--force", data=stream.encode())
    return made.decode().strip()


async def test_a_second_request_after_the_base_was_changed_is_a_review_of_its_own(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        here.model.script = script = Colleague(pace=2.0)
        here.repository.commit("develop", {"other.py": "x = 1\n"}, author=here.maintainer)
        await here.say("/pool review")
        await here.until(lambda: script.seen)
        here.repository.retarget(here.pull, "develop", here.maintainer)
        await here.github.settle()
        await here.say("/pool review")
        await here.until(
            lambda: here.rows("SELECT state FROM chains") == [("done",), ("done",)],
        )
        assert [answer for _, answer in here.answers()] == ["started", "started"]
        assert await told(here) == ("success", "Nothing found in 1 file")


async def test_a_branch_that_was_begun_anew_is_told_as_that_and_fails(tmp_path: Path) -> None:
    async with world(tmp_path, base=BASE, head=HEAD) as here:
        here.model.script = script = Colleague()
        who = f"mona <{email(here.maintainer)}> 1700000000 +0000"
        stream = (
            f"commit refs/heads/anew\nmark :1\nauthor {who}\ncommitter {who}\ndata 1\nx\n"
            "M 100644 inline a.txt\ndata 1\na\n\nget-mark :1\n"
        )
        made = here.repository.git.run("fast-import", "--quiet", "--force", data=stream.encode())
        root = made.decode().strip()
        here.repository.commit("feature", {"z.py": "z = 1\n"}, onto=root, author=here.maintainer)
        await here.github.settle()
        assert await review(here, script) == (
            "failure",
            "NOT REVIEWED: this branch and main have no commit in common",
        )
