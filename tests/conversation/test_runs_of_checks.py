"""Which runs a repository's checks take on a change: on the commit below only where that tells something."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from claude_pool_gh.config.model import Check
from claude_pool_gh.conversation.changes import checks
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.sandbox.process import RunEnd, RunResult
from claude_pool_gh.worktrees.errors import WorktreeError
from tests.conversation.rows import HEAD, facts

CHANGED = "c" * 40
UNIT = Check(name="unit", run="make test", minutes=2)
LINT = Check(name="lint", run="make lint")
GOOD = RunResult(end=RunEnd.exited, status=0)
BAD = RunResult(end=RunEnd.exited, status=1, output="it broke")


@dataclass
class Sandbox:
    """How each command ends at each commit; notes what was run."""

    ends: Mapping[tuple[str, str], RunResult] = field(default_factory=dict)
    lacks: str = ""
    has_files: bool = True
    ran: list[tuple[str, str, float]] = field(default_factory=list)

    async def fault(self) -> str:
        return self.lacks

    async def run(self, command: str, files: Path, *, seconds: float) -> RunResult:
        self.ran.append((command, files.name, seconds))
        return self.ends.get((command, files.name), GOOD)

    @asynccontextmanager
    async def archive(self, _repository: int, commit: str) -> AsyncIterator[Path]:
        if not self.has_files:
            raise WorktreeError("git archive failed", "an operator's detail")
        yield Path(commit)


async def run(sandbox: Sandbox | None, *what: Check, **more: Any) -> dict[str, Any]:
    values = facts().model_dump() | {"branch": "topic", "into": "", "checks": what} | more
    worktrees = SimpleNamespace(archive=None if sandbox is None else sandbox.archive)
    services = cast(Services, SimpleNamespace(sandbox=sandbox, worktrees=worktrees))
    return await checks.run(services, ChangeFacts(**values), CHANGED)


async def test_without_a_working_sandbox_nothing_is_run_and_the_thread_is_not_told_the_operators_reason() -> (
    None
):
    sandbox = Sandbox(lacks="/opt/bwrap is missing")
    told = (await run(sandbox, UNIT))["checks"]
    assert told.startswith("**not checked**: this server has no working sandbox")
    assert "bwrap" not in told
    assert sandbox.ran == []


async def test_each_check_is_run_on_the_change_in_its_order_and_time() -> None:
    sandbox = Sandbox()
    result = await run(sandbox, UNIT, LINT, draft=True)
    assert sandbox.ran == [("make test", CHANGED, 120), ("make lint", CHANGED, LINT.minutes * 60)]
    assert [(each["name"], each["end"]) for each in result["checked"]] == [
        ("unit", "passed"),
        ("lint", "passed"),
    ]
    assert result["checks"] == (
        "An approval opens a draft pull request, which the repository's own CI checks too."
    )
    assert (await run(Sandbox(), UNIT))["checks"] == ""


@pytest.mark.parametrize(
    ("with_it", "without", "end", "twice"),
    [
        (BAD, GOOD, "failed", True),
        (BAD, BAD, "failed_before", True),
        (GOOD, BAD, "passed", False),
        (RunResult(end=RunEnd.timed_out), GOOD, "timed_out", False),
        (RunResult(end=RunEnd.flooded), GOOD, "flooded", False),
        (RunResult(end=RunEnd.out_of_memory), GOOD, "out_of_memory", False),
        (RunResult(end=RunEnd.not_started), GOOD, "not_run", False),
    ],
)
async def test_the_commit_below_is_checked_only_where_the_change_fails(
    with_it: RunResult, without: RunResult, end: str, *, twice: bool
) -> None:
    ends = {("make test", CHANGED): with_it, ("make test", HEAD): without}
    sandbox = Sandbox(ends)
    (checked,) = (await run(sandbox, UNIT))["checked"]
    assert checked["end"] == end
    below = [("make test", HEAD, 120)] if twice else []
    assert sandbox.ran == [("make test", CHANGED, 120), *below]


async def test_files_that_cannot_be_had_end_the_step_without_an_operators_detail() -> None:
    broken = Sandbox(has_files=False)
    with pytest.raises(StepFailed) as failed:
        await run(broken, UNIT)
    assert str(failed.value) == (
        "the files of the change cannot be checked out: git archive failed"
    )
    assert failed.value.ours
