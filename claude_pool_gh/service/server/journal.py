"""Logs how agent runs and chains end, so that whoever runs the server learns it without reading any thread.

The pool tells of a change inside the transaction that makes it. A line is written after that transaction has been
committed, once for each run and chain in the life of a process.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import ChainState, TaskState
from claude_pool_gh.pool.store import chains, costs, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.service.log.log_names import NAMES
from claude_pool_gh.service.monitoring import spans
from claude_pool_gh.service.monitoring.metrics import WAITS, ChainEnd, RunEnd
from claude_pool_gh.service.monitoring.traces import Span
from claude_pool_gh.storage import Transaction

logger = logging.getLogger(__name__)

_OVER: Final = frozenset(
    {TaskState.completed, TaskState.failed, TaskState.cancelled, TaskState.pending_review}
)
_REMEMBERED: Final = 10_000
_MICRODOLLARS: Final = 1_000_000
_DO: Final = "fix what the reason names, on this server; `claude-pool-gh doctor` says how"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line, before it is written, and what is counted of it."""

    level: int
    text: str
    facts: dict[str, Any]
    end: RunEnd | ChainEnd
    spans: tuple[Span, ...] = ()


@dataclass(slots=True)
class Journal:
    """Collects what has ended; logs and counts it when that is durable."""

    ended: Callable[[RunEnd | ChainEnd], None] = lambda _end: None
    traced: Callable[[Span], None] = lambda _span: None
    since_ms: int = 0
    """What ended before was told by an earlier process."""
    _waiting: dict[str, Entry] = field(default_factory=dict)
    _told: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """A chain, one of its steps or runs has changed: note what is over."""
        chain = chains.get(tx, chain_id)
        common = {"chain": chain.id, **_names(chain)}
        NAMES.remember(chain_id, _names(chain))
        for task in tasks.of_chain(tx, chain_id):
            if task.state in _OVER and self._is_news(task.run_id, task.ended_ms):
                self._waiting[task.run_id] = self._of_task(tx, task, common)
        parked = f"{chain_id} {chain.parked_for}" if chain.state is ChainState.parked else chain_id
        at_rest = chain.state in (ChainState.done, ChainState.parked)
        if at_rest and self._is_news(parked, chain.ended_ms):
            self._waiting[parked] = _of_chain(tx, chain, common)

    def _is_news(self, name: str, ended_ms: int | None) -> bool:
        return name not in self._told and (ended_ms is None or ended_ms >= self.since_ms)

    def _of_task(self, tx: Transaction, task: tasks.TaskRow, common: dict[str, Any]) -> Entry:
        """The line of a run, with what its attempts have cost that no line was written for: those that broke."""
        runs = [f"{task.id}.{number}" for number in range(1, task.attempt + 1)]
        untold = [run for run in runs if run not in self._told]
        return _of_task(task, common, costs.cost_of_runs(tx, untold))

    def committed(self) -> None:
        """Log what was noted: it is durable."""
        waiting, self._waiting = self._waiting, {}
        for name, entry in waiting.items():
            self._told[name] = None
            logger.log(entry.level, entry.text, extra=entry.facts)
            self.ended(entry.end)
            for span in entry.spans:
                self.traced(span)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)


def _names(chain: ChainRow) -> dict[str, str]:
    facts = facts_of(chain.plan.context, ThreadFacts)
    return {
        "where": f"{facts.thread.repository.full_name}#{facts.thread.number}",
        "verb": chain.plan.verb,
        "user": facts.requester.login,
    }


def _of_task(
    task: tasks.TaskRow, common: dict[str, Any], paid: Mapping[str, tuple[int, bool]]
) -> Entry:
    outcome: dict[str, Any] = task.outcome or {}
    ending, reason = str(outcome.get("ending", task.state)), str(outcome.get("reason", ""))
    operator = bool(outcome.get("operator"))
    spent, upper_bound = paid.get(task.run_id, (0, False))
    facts = common | {
        "action": "run_ended",
        "step": task.step,
        "run": task.run_id,
        "model": task.model,
        "outcome": ending,
        "reason": reason,
        "usd": _dollars(spent, upper_bound),
        "ms": outcome.get("elapsed_ms"),
        "do": _DO if operator else "",
    }
    failed = ending not in (Ending.completed, Ending.cancelled)
    end = RunEnd(
        repository=str(common["where"]).partition("#")[0],
        model=task.model,
        outcome=ending,
        usd=sum(cost for cost, _ in paid.values()) / _MICRODOLLARS,
    )
    level = _level(failed=failed, operator=operator)
    return Entry(level, "run ended", facts, end, (spans.of_run(task, spent),))


def _of_chain(tx: Transaction, chain: ChainRow, common: dict[str, Any]) -> Entry:
    reason = chain.outcome.reason if chain.outcome else ""
    operator = chain.outcome is not None and chain.outcome.operator
    spent, upper_bound = costs.cost_of(tx, chain.id)
    ms = (chain.ended_ms - chain.started_ms) if chain.ended_ms and chain.started_ms else None
    facts = common | {
        "action": "chain_ended" if chain.outcome else "chain_parked",
        "outcome": str(chain.outcome.verdict) if chain.outcome else f"waits for {chain.parked_for}",
        "reason": reason,
        "usd": _dollars(spent, upper_bound),
        "ms": ms,
        "do": _DO if operator else "",
    }
    failed = chain.outcome is not None and chain.outcome.verdict in (Verdict.failed, Verdict.quota)
    level = _level(failed=failed, operator=operator)
    end = ChainEnd(
        verb=chain.plan.verb,
        outcome=str(chain.outcome.verdict) if chain.outcome else WAITS,
        seconds=None if ms is None else ms / 1000,
    )
    if not chain.outcome:
        return Entry(level, "chain waits", facts, end)
    return Entry(level, "chain ended", facts, end, tuple(spans.of_chain(chain, spent)))


def _dollars(spent: int, upper_bound: bool) -> str:
    return f"{'<=' if upper_bound else ''}{spent / _MICRODOLLARS:.6f}"


def _level(*, failed: bool, operator: bool) -> int:
    """An error is what only whoever runs the server can do something about: key, credit, model, network."""
    if not failed:
        return logging.INFO
    return logging.ERROR if operator else logging.WARNING
