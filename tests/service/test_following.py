"""How a command that followed a chain ends: what goes to standard output, what beside it, and the exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.outcomes import FAILURES, Verdict
from claude_pool_gh.pool.model.records import ChainProgress, ChainResult, ChainStatus, StepResult
from claude_pool_gh.service.shell.following import WAITS, print_result, ways_on


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
    assert print_result(result(success=False, verdict="failed"), as_json=True) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads(result(success=False, verdict="failed").model_dump_json())
    assert err.startswith("failed, $1.50\n")


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
