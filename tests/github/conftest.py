"""A database in which one repository is known, inside of a transaction that nobody commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from claude_pool_gh.github.tables import repositories
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.github.known import SHOP


@pytest.fixture
def tx() -> Iterator[Transaction]:
    database = Database.temporary()
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        tx.execute(repositories.insert().values(**SHOP.model_dump()))
        yield tx
    database.close()


@pytest.fixture(scope="session")
def server(postgres: Callable[[], str]) -> Iterator[Database]:
    """One PostgreSQL with the tables, for all who write nothing that stays."""
    database = Database.open(postgres())
    migrations.upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.rotating(3))])
def either(request: pytest.FixtureRequest) -> Iterator[Transaction]:
    """As `tx`, on each of the databases, where the statement itself is the point."""
    if request.param == "sqlite":
        yield request.getfixturevalue("tx")
        return
    server: Database = request.getfixturevalue("server")
    with server.engine.connect() as connection:
        whole = connection.begin()
        connection.execute(repositories.insert().values(**SHOP.model_dump()))
        yield connection
        whole.rollback()
