"""One line for each run and chain that has ended: once, when it is durable, with what it cost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.store import chains, tasks
from claude_pool_gh.service.log.log_names import NAMES
from claude_pool_gh.service.monitoring.metrics import ChainEnd, RunEnd
from claude_pool_gh.service.monitoring.traces import Span
from claude_pool_gh.service.server.journal import Journal
from claude_pool_gh.storage import Transaction
from tests.pool.make import NOW
from tests.service.seeded import DOLLAR, Seeded, database_in

CLEAN = Outcome(verdict=Verdict.clean, reason="nothing was found")
COMMON = {"chain": "c0ffee0000", "where": "octo/shop#7", "verb": "review", "user": "mona"}


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    database = database_in(tmp_path)
    with database.engine.begin() as opened:
        yield opened
    database.close()


@pytest.fixture
def chain(tx: Transaction) -> Seeded:
    return Seeded(tx)


class Heard:
    """A journal, and all that it told."""

    def __init__(self, caplog: pytest.LogCaptureFixture, since_ms: int = 0) -> None:
        self.ends: list[RunEnd | ChainEnd] = []
        self.spans: list[Span] = []
        self.journal = Journal(self.ends.append, self.spans.append, since_ms)
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    def told(self, chain: Seeded, *, commit: bool = True) -> list[dict[str, Any]]:
        """The lines of a change that is committed, as their level, text and fields."""
        self._caplog.clear()
        self.journal.changed(chain.tx, chain.id)
        if commit:
            self.journal.committed()
        names = ("action", "outcome", "reason", "usd", "ms", "do", "run", "step", "model", *COMMON)
        return [
            {"level": each.levelname, "text": each.getMessage()}
            | {name: vars(each)[name] for name in names if name in vars(each)}
            for each in self._caplog.records
        ]


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Heard:
    return Heard(caplog)


def test_a_chain_that_runs_is_no_line_and_its_names_are_known_from_then_on(
    chain: Seeded, heard: Heard
) -> None:
    assert heard.told(chain.briefed()) == []
    assert (heard.ends, heard.spans) == ([], [])
    assert NAMES.of(chain.id) == {key: value for key, value in COMMON.items() if key != "chain"}


def test_a_run_that_ended_is_told_with_its_money_and_its_time(chain: Seeded, heard: Heard) -> None:
    run = chain.briefed().running()
    chain.paid(run, 250_000)
    chain.over(run)
    (line,) = heard.told(chain)
    assert line == COMMON | {
        "level": "INFO",
        "text": "run ended",
        "action": "run_ended",
        "step": "find",
        "run": run.run_id,
        "model": "claude-m",
        "outcome": "completed",
        "reason": "",
        "usd": "0.250000",
        "ms": 1_500,
        "do": "",
    }
    assert heard.ends == [RunEnd("octo/shop", "claude-m", "completed", 0.25)]
    assert [each.key for each in heard.spans] == [f"run:{run.run_id}"]


def test_what_is_told_is_never_told_again(chain: Seeded, heard: Heard) -> None:
    run = chain.briefed().running()
    chain.over(run)
    assert len(heard.told(chain)) == 1
    assert heard.told(chain) == []
    chain.done(CLEAN)
    assert [each["action"] for each in heard.told(chain)] == ["chain_ended"]
    assert heard.told(chain) == []
    assert len(heard.ends) == 2


def test_what_is_not_durable_is_not_told(chain: Seeded, heard: Heard) -> None:
    run = chain.briefed().running()
    chain.over(run)
    assert heard.told(chain, commit=False) == []
    assert heard.ends == []
    heard.journal.committed()
    heard.journal.committed()
    assert len(heard.ends) == 1


def test_money_that_may_have_been_spent_is_told_as_a_bound(chain: Seeded, heard: Heard) -> None:
    run = chain.briefed().running()
    chain.paid(run, 250_000, settled=False)
    chain.over(run)
    (line,) = heard.told(chain)
    assert line["usd"] == "<=0.250000"


def test_attempts_that_broke_are_counted_with_the_one_that_ended_and_once(
    chain: Seeded, heard: Heard
) -> None:
    first = chain.briefed().running()
    chain.paid(first, 100_000)
    tasks.give_back(chain.tx, first, NOW)
    assert heard.told(chain) == [], "it is tried again"
    second = chain.again(tasks.get(chain.tx, first.id))
    chain.paid(second, 30_000)
    chain.over(second)
    (line,) = heard.told(chain)
    assert line["usd"] == "0.030000", "the line is one of the last attempt"
    assert heard.ends == [RunEnd("octo/shop", "claude-m", "completed", 0.13)]


@pytest.mark.parametrize(
    ("ending", "operator", "level"),
    [
        (Ending.completed, False, "INFO"),
        (Ending.cancelled, False, "INFO"),
        (Ending.failed, False, "WARNING"),
        (Ending.timed_out, False, "WARNING"),
        (Ending.out_of_budget, False, "WARNING"),
        (Ending.failed, True, "ERROR"),
    ],
)
def test_an_error_is_what_only_the_operator_can_mend(
    chain: Seeded, heard: Heard, ending: Ending, operator: bool, level: str
) -> None:
    run = chain.briefed().running()
    chain.over(run, ending, reason="why", operator=operator)
    (line,) = heard.told(chain)
    assert (line["level"], line["outcome"], line["reason"]) == (level, str(ending), "why")
    assert ("doctor" in line["do"]) is operator


def test_a_chain_that_ended_is_told_with_its_whole_cost_and_time(
    chain: Seeded, heard: Heard
) -> None:
    run = chain.briefed().running()
    chain.paid(run, 2 * DOLLAR)
    chain.over(run)
    heard.told(chain)
    chain.done(CLEAN)
    (line,) = heard.told(chain)
    assert line == COMMON | {
        "level": "INFO",
        "text": "chain ended",
        "action": "chain_ended",
        "outcome": "clean",
        "reason": "nothing was found",
        "usd": "2.000000",
        "ms": 60_000,
        "do": "",
    }
    assert heard.ends[-1] == ChainEnd("review", "clean", 60.0)
    assert {"chain:c0ffee0000", "step:brief"} <= {each.key for each in heard.spans}


@pytest.mark.parametrize("verdict", Verdict)
def test_only_a_failure_and_a_quota_are_warnings(
    chain: Seeded, heard: Heard, verdict: Verdict
) -> None:
    chain.begun().done(Outcome(verdict=verdict))
    (line,) = heard.told(chain)
    bad = verdict in (Verdict.failed, Verdict.quota)
    assert (line["level"], line["outcome"]) == ("WARNING" if bad else "INFO", str(verdict))


def test_a_chain_that_fails_for_the_operator_says_what_to_do(chain: Seeded, heard: Heard) -> None:
    chain.begun().done(Outcome(verdict=Verdict.failed, reason="no credit", operator=True))
    (line,) = heard.told(chain)
    assert line["level"] == "ERROR"
    assert "`claude-pool-gh doctor`" in line["do"]


def test_a_chain_that_waits_is_told_for_each_reason_and_has_no_time(
    chain: Seeded, heard: Heard
) -> None:
    chain.begun()
    for number, reason in enumerate(("approval", "restart", "approval")):
        chains.park(chain.tx, chain.row, reason)
        found = heard.told(chain)
        if number < 2:
            (line,) = found
            assert (line["text"], line["action"]) == ("chain waits", "chain_parked")
            assert (line["outcome"], line["ms"]) == (f"waits for {reason}", None)
        else:
            assert found == [], "known already"
        chains.unpark(chain.tx, chain.row, NOW)
        chains.begin(chain.tx, chain.row, NOW)
    assert heard.ends == [ChainEnd("review", "waits", None)] * 2
    assert heard.spans == [], "it is not over"


def test_a_chain_that_was_ended_before_it_began_has_no_time(chain: Seeded, heard: Heard) -> None:
    chain.queued().done(Outcome(verdict=Verdict.cancelled))
    (line,) = heard.told(chain)
    assert line["ms"] is None
    assert heard.ends == [ChainEnd("review", "cancelled", None)]


@pytest.mark.parametrize(("since", "lines"), [(NOW + 5_000, 2), (NOW + 5_001, 1), (NOW + 10**9, 0)])
def test_what_ended_before_this_process_began_was_told_by_an_earlier_one(
    chain: Seeded, caplog: pytest.LogCaptureFixture, since: int, lines: int
) -> None:
    run = chain.briefed().running()
    chain.over(run)
    chain.done(CLEAN)
    assert len(Heard(caplog, since).told(chain)) == lines
