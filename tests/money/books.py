"""The pool's ledger, read from outside and held against the model's own book, request by request."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.rehearsal.model import Bill, Usage
from claude_pool_gh.storage.deflated import inflated
from tests.money.jobs import ASKED_AGAIN, UNTOLD, Asked, mark_of

_PARTLY: Final = (
    "the model's API broke off; what it had read is known, what it wrote counts at its most"
)
NOTES: Final = {
    _PARTLY,
    "the model's API broke off before it reported the tokens used",
    "the run ended before the model's answer did",
}

_LATE_MS: Final = 5_000
"""A busy machine may let a request reach the model this much after nobody waited for it any more."""


@dataclass(frozen=True, slots=True)
class Row:
    """One reservation."""

    id: str
    level: str
    parent_id: str | None
    chain_id: str
    model: str | None
    reserved: int
    settled: int | None
    upper_bound: bool
    note: str | None
    usage: dict[str, Any] | None
    created_ms: int
    settled_ms: int | None

    @property
    def cost(self) -> int:
        assert self.settled is not None, f"{self.level} {self.id} was never settled"
        return self.settled

    @property
    def task_id(self) -> str:
        """Of a request: the task whose attempt made it."""
        return str(self.parent_id).rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Books:
    """A store's money, and what tells whose it is."""

    rows: tuple[Row, ...]
    caps: dict[str, dict[str, Any]]
    """Of each chain."""
    tasks: dict[str, str]
    """The task of each mark."""
    limits: dict[str, int]
    """The most that each task may cost in all its attempts."""
    passed: tuple[tuple[Any, ...], ...]
    """Caps that were passed at some moment; see `watch`."""

    @classmethod
    def read(cls, store: Path) -> Books:
        connection = _connect(store)
        try:
            rows = [_row(row) for row in connection.execute("SELECT * FROM reservations")]
            chains = connection.execute(
                "SELECT id, kind, plan, caps, steps FROM chains"
                " LEFT JOIN planned_steps ON digest = steps_digest"
            ).fetchall()
            passed = tuple(tuple(row) for row in connection.execute("SELECT * FROM passed"))
        finally:
            connection.close()
        caps, tasks, limits = {}, {}, {}
        for chain_id, kind, plan, cap, apart in chains:
            caps[chain_id], asked = json.loads(inflated(cap)), json.loads(inflated(plan))
            for step in asked["steps"] if apart is None else json.loads(inflated(apart)):
                alone = kind == "task"
                task_id = chain_id if alone else f"{chain_id}.{step['name']}.0"
                tasks[mark_of(asked["context"]["prompt"] if alone else step["prompt"])] = task_id
                own = step["overrides"]["max_budget_usd"]
                limits[task_id] = asked["limits"]["task"] if own is None else round(own * 1e6)
        return cls(tuple(rows), caps, tasks, limits, passed)

    def of(self, level: str) -> list[Row]:
        return [row for row in self.rows if row.level == level]

    @property
    def total(self) -> int:
        return sum(row.cost for row in self.of("request"))


@dataclass(frozen=True, slots=True)
class Tally:
    """How the ledger's requests were matched."""

    reported: int
    bounds: int
    """Those whose cost nobody was told."""
    free: int


def check_tree(books: Books) -> None:
    """All is settled, within what was set aside, and every sum is that of its parts."""
    parts: dict[str | None, list[Row]] = defaultdict(list)
    for row in books.rows:
        assert row.cost <= row.reserved, f"{row.level} {row.id} cost more than was set aside for it"
        parts[row.parent_id].append(row)
    for row in books.of("chain") + books.of("task"):
        inside = parts[row.id]
        assert row.cost == sum(part.cost for part in inside), (
            f"{row.level} {row.id} is not the sum of its parts"
        )
        assert row.upper_bound == any(part.upper_bound for part in inside), row
    assert not [row for row in books.of("chain") if row.parent_id is not None]
    known = {row.id for row in books.rows} | {None}
    assert set(parts) <= known, "money was set aside inside of nothing"


def check_caps(books: Books, budget: int) -> None:
    """No cap was passed at any moment: the pool's, a chain's, a task's in all its attempts."""
    assert books.passed == (), f"more was held than there was: {books.passed}"
    assert sum(row.cost for row in books.of("chain")) <= budget, "the pool's cap was passed"
    by_task = defaultdict(list)
    for row in books.of("chain"):
        assert row.reserved <= books.caps[row.id]["chain"], f"the cap of chain {row.id} was passed"
    for row in books.of("task"):
        by_task[row.id.rpartition(".")[0]].append(row)
    for task_id, rows in by_task.items():
        assert peak(rows) <= books.limits[task_id], f"the cap of task {task_id} was passed"


def check_requests(
    books: Books, asked: Sequence[Asked], bill: Bill, deaths: Sequence[int], hasty: Collection[str]
) -> Tally:
    """Every request that reached the model stands in the ledger, at its price or, where nobody was told, above it.

    `deaths`: when the spender died. `hasty`: tasks that may be stopped in mid-answer, by their marks.
    """
    billed = {usage.input_tokens: (model, usage) for model, usage in bill.items}
    assert len(billed) == len(bill.items), "a request was billed twice"
    reported = _reported(books, billed)
    untold = [row for row in books.of("request") if row.usage is None or row.note == _PARTLY]
    bounds = [row for row in untold if row.upper_bound]
    free = [row for row in untold if not row.upper_bound]
    for row in bounds:
        assert row.note in NOTES, row
        known = row.note == _PARTLY
        assert row.cost <= row.reserved if known else row.cost == row.reserved, (
            f"{row.id} is no upper bound"
        )
    for row in free:
        assert (row.cost, row.note) == (0, None), (
            f"{row.id} costs something, and nobody knows what for"
        )
    by_number = {each.number: each for each in asked}
    for number, row in reported.items():
        assert row.task_id == books.tasks[by_number[number].mark], (
            f"{row.id} is booked with another task"
        )
    rest = [each for each in asked if each.number not in reported]
    found = _match([each for each in rest if each.usage is not None], bounds, books)
    again = [each for each in rest if each.usage is None and each.fate in ASKED_AGAIN]
    free_of_charge = [each for each in rest if each.usage is None and each.fate not in ASKED_AGAIN]
    found |= _match(free_of_charge, [row for row in untold if row.id not in found], books)
    # The gateway asks again under the same reservation: several refusals can stand behind one row, or behind a bill.
    for row in (row for row in untold if row.id not in found):
        if (one := next((each for each in again if _may_be(each, row, books)), None)) is not None:
            found[row.id] = one
    stopped = {books.tasks[mark] for mark in hasty if mark in books.tasks}
    for row in untold:
        died = any(row.created_ms <= death <= (row.settled_ms or 0) for death in deaths)
        if not died and row.task_id not in stopped:
            _explain(row, found.get(row.id))
    assert books.total >= bill.total, "the ledger is below the bill"
    return Tally(len(reported), len(bounds), len(free))


def _explain(row: Row, one: Asked | None) -> None:
    """Nobody died or was stopped meanwhile: so the ledger has no usage because of what the model did."""
    assert one is not None, f"nothing was asked of the model for {row}"
    assert (one.fate in UNTOLD) is row.upper_bound, (
        f"the usage of {one} was told, and is not in {row}"
    )
    assert one.fate in UNTOLD or one.usage is None, f"{one} costs something: {row}"


def check_report(books: Books, report: dict[str, Any], budget: int) -> None:
    """What the pool says of its money is what the ledger says."""
    status, metrics, total = report["status"], report["metrics"], books.total
    assert (status["total_spend_microdollars"], status["reserved_microdollars"]) == (total, 0), (
        status
    )
    assert status["budget_microdollars"] == budget
    assert metrics["total_spend_microdollars"] == total
    assert sum(model["total_cost_microdollars"] for model in metrics["model_breakdown"]) == total
    costs: dict[str, int] = defaultdict(int)
    bounds: dict[str, bool] = defaultdict(bool)
    for row in books.of("request"):
        costs[row.task_id] += row.cost
        bounds[row.task_id] |= row.upper_bound
    told = {task["id"]: task["result"] for task in report["tasks"]}
    assert None not in told.values(), (
        f"no result of {[name for name, result in told.items() if not result]}"
    )
    for name, result in told.items():
        found = (result["cost_microdollars"], result["upper_bound"])
        assert found == (costs[name], bounds[name]), f"task {name}"
    assert set(costs) <= set(told)
    whole = {row.id: row.cost for row in books.of("chain")}
    for name, result in report["chains"].items():
        steps = sum(step["cost_microdollars"] for step in result["steps"])
        assert result["total_cost_microdollars"] == steps == whole.get(name, 0), f"chain {name}"


def overdrawn(store: Path, budget: int) -> str:
    """What is wrong with the money at this moment; "" where nothing is, or there is no store yet."""
    try:
        connection = _connect(store)
        try:
            used = connection.execute(
                "SELECT coalesce(sum(coalesce(settled, reserved)), 0) FROM reservations WHERE level = 'chain'"
            ).fetchone()[0]
            worse = connection.execute(
                "SELECT p.id, p.reserved, sum(coalesce(c.settled, c.reserved)) AS used FROM reservations p "
                "JOIN reservations c ON c.parent_id = p.id GROUP BY p.id, p.reserved HAVING used > p.reserved"
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return ""
    return (
        f"{used} of {budget} used; overdrawn: {[tuple(row) for row in worse]}"
        if used > budget or worse
        else ""
    )


def peak(rows: Iterable[Row]) -> int:
    """The most that these have ever held together: what was set aside and not settled yet, and what was spent."""
    changes = []
    for row in rows:
        changes.append((row.created_ms, row.reserved))
        changes.append((row.settled_ms or 0, row.cost - row.reserved))
    held = most = 0
    for _, change in sorted(changes):  # within a millisecond what comes free goes first
        held += change
        most = max(most, held)
    return most


def _reported(books: Books, billed: dict[int, tuple[str, Usage]]) -> dict[int, Row]:
    """The ledger's requests whose usage was told, by their numbers: each is on the bill, once, at this price."""
    found: dict[int, Row] = {}
    for row in books.of("request"):
        if row.usage is None or row.note == _PARTLY:
            continue
        model, usage = billed[row.usage["input_tokens"]]
        assert row.model == model
        assert {name: row.usage[name] for name in Usage.__slots__} == {
            name: getattr(usage, name) for name in Usage.__slots__
        }
        assert row.cost == usage.price(model), f"{row.id} was billed at {usage.price(model)}: {row}"
        assert (row.upper_bound, row.note) == (False, None)
        assert usage.input_tokens not in found, f"request {usage.input_tokens} is booked twice"
        found[usage.input_tokens] = row
    return found


def _match(asked: Sequence[Asked], rows: Sequence[Row], books: Books) -> dict[str, Asked]:
    """Find a row of its own for each request, of its task and model, set aside before and at its price or above.

    Gives the rows taken, by their ids. Maximum matching, by augmenting paths.
    """
    holder: dict[str, Asked] = {}
    # A task's requests come one after the other: the newest row that was there by then is the likeliest.
    rows = sorted(rows, key=lambda row: row.created_ms, reverse=True)

    def place(one: Asked, tried: set[str]) -> bool:
        for row in rows:
            if row.id in tried or not _may_be(one, row, books):
                continue
            tried.add(row.id)
            if row.id not in holder or place(holder[row.id], tried):
                holder[row.id] = one
                return True
        return False

    for one in asked:
        own = [row for row in rows if row.task_id == books.tasks.get(one.mark)]
        assert place(one, set()), (
            f"the ledger has nothing for {one}; of its task without usage: {own}"
        )
    return holder


def _may_be(one: Asked, row: Row, books: Books) -> bool:
    price = 0 if one.usage is None else one.usage.price(one.model)
    return (
        row.task_id == books.tasks.get(one.mark)
        and row.model == one.model
        and row.created_ms <= one.at_ms <= (row.settled_ms or 0) + _LATE_MS
        and row.cost >= price
    )


def _connect(store: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection


def _row(found: sqlite3.Row) -> Row:
    named = {name: found[name] for name in Row.__slots__}
    usage = None if named["usage"] is None else json.loads(named["usage"])
    return Row(**named | {"upper_bound": bool(named["upper_bound"]), "usage": usage})
