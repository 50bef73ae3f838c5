"""How a command that followed a chain ends: what goes to standard output, what beside it, and the exit code."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh import ChainStep, Pool
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.outcomes import FAILURES, Verdict
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from claude_pool_gh.pool.model.records import ChainProgress, ChainResult, ChainStatus, StepResult
from claude_pool_gh.service.shell.following import (
    WAITS,
    Followed,
    follow,
    print_result,
    ways_on,
)
from tests.pool.puppet import Puppet, said


def step(**more: Any) -> StepResult:
    given: dict[str, Any] = {
        "name": "read",
        "output": "said",
        "success": True,
        "cost_microdollars": 250_000,
        "retries_used": 0,
    }
    return StepResult(**given | more)


def result(*steps: StepResult, **more: Any) -> ChainResult:
    given: dict[str, Any] = {
        "steps": steps or (step(),),
        "final_output": "the answer",
        "total_cost_microdollars": 1_500_000,
        "success": True,
        "verdict": "answered",
    }
    return ChainResult(**given | more)


def progress(waits_for: str | None = "approval") -> ChainProgress:
    return ChainProgress(
        chain_id=ChainId("chain-1"),
        status=ChainStatus.parked,
        total_steps=2,
        completed_steps=1,
        waits_for=waits_for,
    )


def test_the_answer_goes_where_it_can_be_piped_and_the_bill_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert print_result(result(), as_json=False) == 0
    out, err = capsys.readouterr()
    assert out == "the answer\n"
    assert err == "answered, $1.50\n  read: done, $0.25\n"


def test_each_step_says_what_became_of_it_and_whether_its_cost_is_a_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = (
        step(),
        step(name="look", success=False, upper_bound=True),
        step(name="tell", success=True, skipped=True, cost_microdollars=0),
        step(name="late", success=False, skipped=True, cost_microdollars=0),
    )
    shown = result(*steps, upper_bound=True, reason="look failed", commit="a" * 40, success=False)
    assert print_result(shown, as_json=False) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"answered: look failed, ≤ $1.50, kept as commit {'a' * 40}",
        "  read: done, $0.25",
        "  look: failed, ≤ $0.25",
        "  tell: skipped, $0.00",
        "  late: skipped, $0.00",
    ]


@pytest.mark.parametrize("verdict", Verdict)
def test_why_a_chain_ended_early_is_no_answer(
    verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    early = verdict in FAILURES
    shown = result(verdict=verdict.value, final_output="words", success=not early)
    assert print_result(shown, as_json=False) == int(early)
    assert capsys.readouterr().out == ("" if early else "words\n")


def test_nothing_is_printed_where_nothing_was_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_result(result(final_output=""), as_json=False) == 0
    assert capsys.readouterr().out == ""


def test_machines_get_the_whole_result_alone_and_people_the_bill_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert print_result(result(), as_json=True) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads(result().model_dump_json())
    assert err.startswith("answered, $1.50\n")


def test_a_reason_that_names_a_setting_of_python_names_the_flag_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reason = "more than ChainOptions.budget_usd was needed"
    print_result(result(success=False, verdict="out_of_budget", reason=reason), as_json=False)
    assert "out_of_budget: more than --budget was needed" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_chain_that_waits_has_an_exit_code_of_its_own_and_says_how_to_go_on(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_result(progress(), as_json=as_json) == WAITS == 2
    out, err = capsys.readouterr()
    assert err == (
        "chain-1 waits for approval; no decision was made. "
        "Decide with: claude-pool-gh pool approve|reject|cancel chain-1\n"
    )
    assert (json.loads(out)["chain_id"] == "chain-1") if as_json else (out == "")


@pytest.mark.parametrize("waits_for", ["restart", None])
def test_what_waits_for_no_approval_is_continued(waits_for: str | None) -> None:
    assert ways_on(progress(waits_for)) == "continue with: claude-pool-gh pool continue chain-1"


GATED = [ChainStep(name="write", prompt="Write", gate=True), ChainStep(name="tell", prompt="Tell")]


async def followed(tmp_path: Path, *, approve: bool) -> ChainResult | ChainProgress:
    """A chain with a gate, followed where nobody can be asked."""
    async with Pool.open(Puppet(), folder=tmp_path, name="script:x", state=None) as pool:
        chain_id = await pool.submit_chain(GATED)
        return await follow(
            pool, Followed(chain_id, "look", ("write", "tell"), as_json=False), approve=approve
        )


async def test_at_a_gate_what_waits_is_shown_and_nobody_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await followed(tmp_path, approve=False)
    assert isinstance(found, ChainProgress)
    assert (found.waits_for, found.current_step_name) == ("approval", "write")
    out, err = capsys.readouterr()
    assert out == ""
    assert "write waits for approval" in err
    assert "<Write>" in err
    assert "no file was changed" in err


async def test_where_every_gate_is_approved_the_chain_goes_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await followed(tmp_path, approve=True)
    assert isinstance(found, ChainResult)
    assert (found.success, found.final_output) == (True, "<Tell>")
    assert capsys.readouterr().err.count("waits for approval") == 1, "it is shown all the same"


async def test_whoever_stops_following_is_told_what_it_cost_and_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = asyncio.Event()

    async def act(_task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await late.wait()
        return said()

    puppet = Puppet(act)
    async with Pool.open(puppet, folder=tmp_path, name="script:x", state=None) as pool:
        chain_id = await pool.submit_chain(GATED)
        own = Followed(chain_id, "look", ("write", "tell"), as_json=False)
        following = asyncio.ensure_future(follow(pool, own, approve=True))
        await puppet.arrived.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert following.cancelled()
        late.set()
    assert capsys.readouterr().err == (
        f"stopped after $0.00; continue with: claude-pool-gh pool continue {chain_id}\n"
    )
