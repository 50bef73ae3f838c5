"""What `claude-pool-gh pool list` and `status` print: whole ids, what each chain waits for, and money with its cap."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.records import ChainProgress, ChainStatus, PoolStatus, SlotRecord
from claude_pool_gh.pool.model.states import SlotState
from claude_pool_gh.service.shell.pool_views import (
    ListedChain,
    PoolOverview,
    print_chains,
    print_overview,
)

LONG = "chain-" + "0123456789abcdef" * 4


def listed(**more: Any) -> ListedChain:
    given: dict[str, Any] = {
        "chain_id": "chain-1",
        "workflow": "look",
        "state": "running",
        "waits_for": None,
        "step": "read",
        "finished_steps": 1,
        "total_steps": 3,
        "cost_microdollars": 1_230_000,
        "created_ms": int(time.time() * 1000) - 5 * 60_000 - 1_000,
        "verdict": None,
        "reason": "",
        "next_command": None,
        "state_dir": None,
    }
    return ListedChain(**given | more)


def rows(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({}, "running (read)"),
        ({"step": None, "state": "queued"}, "queued"),
        ({"waits_for": "approval", "state": "parked"}, "waits for approval (read)"),
        ({"verdict": "answered", "step": None, "state": "completed"}, "answered"),
        ({"verdict": "failed", "reason": "no luck", "state": "failed"}, "failed: no luck"),
        ({"state": "interrupted"}, "interrupted (read)"),
    ],
)
def test_a_chain_is_a_row_with_its_state_in_words(
    given: dict[str, Any], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_chains([listed(**given)])
    head, row = rows(capsys.readouterr().out)
    assert head == "chain workflow state steps cost age"
    assert row == f"chain-1 look {state} 1 of 3 $1.23 5 min"


def test_an_id_is_never_cut_and_a_clock_that_was_set_back_makes_nobody_younger_than_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_chains([listed(chain_id=LONG, created_ms=int(time.time() * 1000) + 10**9)])
    out = capsys.readouterr().out
    assert LONG in out
    assert "under 1 min" in out


def test_without_chains_only_the_head_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    print_chains([])
    assert rows(capsys.readouterr().out) == ["chain workflow state steps cost age"]


def overview(
    slots: tuple[SlotRecord, ...] = (), unfinished: tuple[ChainProgress, ...] = (), **more: Any
) -> PoolOverview:
    counted: dict[str, Any] = {
        "total_slots": 1,
        "idle_slots": 2,
        "busy_slots": 3,
        "errored_slots": 4,
        "running_tasks": 5,
        "pending_tasks": 6,
        "pending_review_tasks": 7,
        "completed_tasks": 8,
        "failed_tasks": 9,
        "cancelled_tasks": 10,
        "total_spend_microdollars": 11_000_000,
        "reserved_microdollars": 12_000_000,
        "budget_microdollars": 13_000_000,
        "shutdown": False,
    }
    return PoolOverview(status=PoolStatus(**counted | more), slots=slots, unfinished=unfinished)


def test_money_and_tasks_are_told_each_under_its_own_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_overview(overview())
    assert rows(capsys.readouterr().out) == [
        "$11.00 spent, $12.00 reserved, cap $13.00 a month",
        "tasks: 5 running, 6 waiting, 7 awaiting approval, 8 completed, 9 failed, 10 cancelled",
    ]


def test_without_a_cap_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_overview(overview(budget_microdollars=None))
    assert rows(capsys.readouterr().out)[0] == "$11.00 spent, $12.00 reserved"


def slot(**more: Any) -> SlotRecord:
    given: dict[str, Any] = {
        "id": "slot-1",
        "state": SlotState.busy,
        "config": SlotConfig(role="reader"),
        "current_task": "task-9",
        "tasks_completed": 4,
        "cost_microdollars": 500_000,
        "restart_count": 0,
        "worker": "here/1/2",
    }
    return SlotRecord(**given | more)


def test_each_slot_is_a_row_with_what_it_does_now(capsys: pytest.CaptureFixture[str]) -> None:
    idle = slot(id="slot-2", state=SlotState.idle, current_task=None, config=SlotConfig())
    print_overview(overview(slots=(slot(), idle)))
    out = rows(capsys.readouterr().out.replace("│", " ").replace("┃", " "))
    assert "2 slots" in out
    assert "slot state task done cost role" in out
    assert "slot-1 busy task-9 4 $0.50 reader" in out
    assert "slot-2 idle 4 $0.50" in out


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ({}, "running read 1 of 3 $0.25"),
        (
            {"waits_for": "restart", "status": ChainStatus.parked},
            "waits for restart read 1 of 3 $0.25",
        ),
        ({"current_step_name": None, "status": ChainStatus.queued}, "queued 1 of 3 $0.25"),
    ],
)
def test_each_chain_that_has_not_ended_is_a_row_with_its_whole_id(
    given: dict[str, Any], row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usual: dict[str, Any] = {
        "chain_id": ChainId(LONG),
        "status": ChainStatus.running,
        "total_steps": 3,
        "completed_steps": 1,
        "current_step_name": "read",
        "cost_microdollars": 250_000,
    }
    print_overview(overview(unfinished=(ChainProgress(**usual | given),)))
    out = rows(capsys.readouterr().out.replace("│", " ").replace("┃", " "))
    assert "unfinished chains" in out
    assert f"{LONG} {row}" in out
