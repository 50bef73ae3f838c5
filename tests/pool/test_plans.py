"""Hot queries find their rows by an index: none of them reads a whole table, on either database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.store import (
    bill,
    cap_uses,
    chains,
    costs,
    ledger,
    lookup,
    queue,
    slot_rows,
    tasks,
)
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.pool.make import account, caps, plan

ACCOUNT = account("1:1", "7", "1")
CAPS = caps(task=1, chain=10, thread=10**9, user_day=10**9, repository_month=10**9, pool=10**9)
NOW = 1_786_000_000_000
Asks = Callable[[Transaction], object]

HOT: dict[str, Asks] = {
    # Of each task that runs.
    "claim": lambda tx: queue.claim(tx, "w", pool="main"),
    "claim of a lower priority": lambda tx: queue.claim(tx, "w", pool="main", below=3),
    "claim among at most so many": lambda tx: queue.claim(tx, "w", pool="main", at_most=5),
    "take": lambda tx: queue.take(tx, "chain", 7, "w"),
    "hold": lambda tx: chains.hold(tx, "chain", 0),
    "chain": lambda tx: chains.get(tx, "chain"),
    "tasks of a chain": lambda tx: tasks.of_chain(tx, "chain"),
    "task": lambda tx: tasks.several(tx, ["chain"]),
    "conversation": lambda tx: tasks.has_session(tx, "s1"),
    "work": lambda tx: tasks.works_of(tx, ["chain.1"]),
    "slot taken": lambda tx: slot_rows.occupy(tx, "slot-0", "w", SlotConfig(), "chain"),
    "money taken": lambda tx: ledger.reserve_task(
        tx, "chain.1", "chain", "one", most=1, least=1, now_ms=NOW
    ),
    "money left": lambda tx: ledger.left_in(tx, "chain"),
    "money settled": lambda tx: ledger.settle(tx, "chain", NOW),
    "cost of a task": lambda tx: costs.cost_of_task(tx, "chain", 1),
    "cost of a step": lambda tx: ledger.used_by_step(tx, "chain", "one"),
    # Of each chain that starts or changes.
    "caps": lambda tx: cap_uses.cap_uses(tx, ACCOUNT, CAPS, NOW),
    "hope": lambda tx: cap_uses.ensure_affordable(tx, ACCOUNT, CAPS, NOW),
    "usual cost": lambda tx: costs.usual_cost(tx, "repository", "1", "review"),
    "cost by step": lambda tx: costs.cost_by_step(tx, "chain"),
    "bill": lambda tx: bill.read(
        tx, ["chain"], ACCOUNT, CAPS, usual=("repository", "review"), now_ms=NOW
    ),
    # Every few seconds.
    # Of each thread that is shown.
    "kin": lambda tx: lookup.related_to(tx, "chain", "thread"),
    "open of a thread": lambda tx: lookup.open_of(tx, "thread", ["1:1"]),
    "newest of a thread": lambda tx: lookup.newest_of(tx, "thread", "1:1", limit=50),
    "spending": lambda tx: costs.spending(tx, "repository", "1", NOW),
    "orphans": lambda tx: queue.orphans(tx, ["w"]),
    "carried by": lambda tx: queue.carried_by(tx, "w"),
    "carried": queue.carried,
    "signals": lambda tx: queue.signals(tx, ["chain"]),
    "overdue": lambda tx: queue.overdue(tx, NOW),
}


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
)
def books(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A store with some chains of several accounts, few of them open."""
    sqlite = request.param == "sqlite"
    file = tmp_path_factory.mktemp("bill") / "a.sqlite"
    database = Database.open(
        f"sqlite:///{file}" if sqlite else request.getfixturevalue("postgres")()
    )
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        for number in range(60):
            who = account(f"1:{number % 40}", str(number % 20), str(number % 10))
            chains.create(tx, f"chain-{number}", plan(), who, CAPS, NOW - 1000 * number)
            if number % 20:
                chains.finish(tx, chains.get(tx, f"chain-{number}"), _DONE, NOW)
        chains.create(tx, "chain", plan(), ACCOUNT, CAPS, NOW)
        slot_rows.register(tx, "w", [SlotConfig()])
    yield database
    database.close()


@pytest.mark.parametrize("name", HOT)
def test_a_hot_query_reads_no_whole_table(books: Database, name: str) -> None:
    assert list(_scans(books, HOT[name])) == []


def test_a_query_that_no_index_serves_is_found(books: Database) -> None:
    def by_kind(tx: Transaction) -> None:
        tx.execute(sa.text("SELECT id FROM chains WHERE kind = 'x'")).all()

    assert list(_scans(books, by_kind))


def test_without_its_index_a_hot_query_is_found(books: Database) -> None:
    indexes = (
        "ix_chains_state",
        "ix_chains_carried",
        "ix_chains_deadline",
        "ix_chains_ended",
    )
    assert list(_scans(books, HOT["claim"], without=indexes))
    assert list(_scans(books, HOT["overdue"], without=indexes))


def _scans(database: Database, asks: Asks, *, without: Sequence[str] = ()) -> Iterator[str]:
    """The parts of the plans of what is asked that read a table from one end to the other."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", statement):
            seen.append((statement, parameters))

    whole = (
        _whole_on_postgresql if database.engine.dialect.name == "postgresql" else _whole_on_sqlite
    )
    with database.engine.connect() as tx:
        sa.event.listen(tx, "before_cursor_execute", note)
        asks(tx)
        sa.event.remove(tx, "before_cursor_execute", note)
        tx.rollback()
        assert seen, "nothing was asked"
        for index in without:
            tx.exec_driver_sql(f"DROP INDEX {index}")
        for statement, parameters in seen:
            for part in whole(tx, statement, parameters):
                yield f"{part}: {statement}"
        tx.rollback()


def _whole_on_sqlite(tx: Transaction, statement: str, parameters: Any) -> Iterator[str]:
    # Another text each time: a plan that the connection remembers is not made anew when an index is gone.
    for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement} -- {uuid4()}", parameters):
        if re.match(r"SCAN (?!CONSTANT|\d|\(|anon_|inner_)", row[-1]):
            yield row[-1]


def _whole_on_postgresql(tx: Transaction, statement: str, parameters: Any) -> Iterator[str]:
    # A table that fits into one page is read whole, unless that is forbidden: then only where no index helps.
    tx.exec_driver_sql("SET LOCAL enable_seqscan = off")
    (found,) = tx.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    nodes = [found["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", ())
        kind = node["Node Type"]
        if kind == "Seq Scan" or (
            kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node
        ):
            yield f"{kind} on {node['Relation Name']}"


_DONE = Outcome(verdict=Verdict.answered)
