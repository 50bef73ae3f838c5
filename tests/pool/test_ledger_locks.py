"""Chains that share no cap do not wait for each other's commits on PostgreSQL; those that share one do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.store import chains, ledger
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.pool.make import NOW, account, caps, plan

ALONE = caps(thread=None, user_day=None, repository_month=None)
WAITED = sa.exc.OperationalError
"""Raised by PostgreSQL where a transaction has waited for as long as it may."""


@pytest.fixture
def database(postgres: Callable[[], str]) -> Iterator[Database]:
    """Two chains with a task each; neither shares a cap with another chain."""
    database = Database.open(postgres())
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        for name in ("a", "b"):
            chains.create(tx, name, plan(), {}, ALONE, NOW)
            _task(tx, name)
    yield database
    database.close()


def _task(tx: Transaction, chain_id: str, number: int = 1) -> int:
    return ledger.reserve_task(
        tx, f"{chain_id}.{number}", chain_id, "find", most=10, least=1, now_ms=NOW
    )


def _request(tx: Transaction, chain_id: str) -> bool:
    return ledger.reserve_request(tx, f"{chain_id}.1.r", f"{chain_id}.1", "m", 5, NOW)


def _beside(
    database: Database,
    first: Callable[[Transaction], object],
    then: Callable[[Transaction], object],
) -> None:
    """Run `then` while the transaction that has run `first` is open. Raises `WAITED` where it cannot end before."""

    def run() -> None:
        with database.engine.begin() as tx:
            tx.exec_driver_sql("SET LOCAL lock_timeout = '300ms'")
            then(tx)

    with ThreadPoolExecutor(1) as thread, database.engine.begin() as tx:
        first(tx)
        thread.submit(run).result()


def test_money_of_another_chain_is_set_aside_without_waiting(database: Database) -> None:
    _beside(database, lambda tx: _task(tx, "a", 2), lambda tx: _task(tx, "b", 2))
    _beside(database, lambda tx: _request(tx, "a"), lambda tx: _request(tx, "b"))
    _beside(
        database,
        lambda tx: chains.create(tx, "c", plan(), {}, ALONE, NOW),
        lambda tx: chains.create(tx, "d", plan(), {}, ALONE, NOW),
    )
    _beside(
        database,
        lambda tx: chains.create(tx, "e", plan(), account(), caps(), NOW),
        lambda tx: _task(tx, "b", 3),
    )


def test_money_of_one_chain_or_one_cap_is_set_aside_one_after_the_other(database: Database) -> None:
    with pytest.raises(WAITED):
        _beside(database, lambda tx: _task(tx, "a", 2), lambda tx: _request(tx, "a"))
    with pytest.raises(WAITED):
        _beside(
            database,
            lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW),
            lambda tx: chains.create(tx, "d", plan(), account(), caps(), NOW),
        )


@pytest.mark.parametrize("closed", ["a.1", "a"], ids=["task", "chain"])
def test_nothing_is_set_aside_inside_what_is_being_settled(database: Database, closed: str) -> None:
    """It would count nowhere: the sum that stays is the one without it."""
    with pytest.raises(WAITED):
        _beside(database, lambda tx: _request(tx, "a"), lambda tx: ledger.settle(tx, closed, NOW))


async def test_sums_are_read_after_the_lock_whatever_the_servers_default_is(
    postgres: Callable[[], str],
) -> None:
    """In a snapshot that is older than the lock, two that share a cap both find it free."""
    url = sa.make_url(postgres())
    with sa.create_engine(url.set(drivername="postgresql+psycopg")).begin() as tx:
        default = "SET default_transaction_isolation = 'repeatable read'"
        tx.exec_driver_sql(f"ALTER DATABASE {url.database} {default}")
    database = Database.open(url.render_as_string(hide_password=False))
    shown = sa.text("SHOW transaction_isolation")
    assert await database.transact(lambda tx: tx.execute(shown).scalar_one()) == "read committed"
    assert await database.read(lambda tx: tx.execute(shown).scalar_one()) == "repeatable read"
    database.close()
