"""Brings a database to the newest schema. The scripts in `versions/` are history: never edit one that shipped.

`new_sqlite.sql` is what all of them together make of an empty SQLite database. A new one is made by it at once, without
Alembic, whose import alone takes longer. After a change of schema: `make schema`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa

_HERE: Final = Path(__file__).parent
NEW_SQLITE: Final = _HERE / "new_sqlite.sql"
_END: Final = ";\n"
_BLANKS: Final = re.compile(r"[ \t]+\n")
_EVERYTHING: Final = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"
_LOCK: Final = 0x636C6175
"""Any number; held in the database while it is upgraded."""
_ONE_THREAD: Final = threading.Lock()
"""Alembic keeps what it works on in globals. Pools may open in several threads of a process, each with its loop."""


class NewerSchema(RuntimeError):
    """The database is newer than this version of the program."""


def upgrade(engine: sa.Engine) -> None:
    """Run the missing migrations, all in one transaction. A database that is up to date is left alone."""
    if (found := current(engine)) == newest() or (found is None and _made_at_once(engine)):
        return
    if found is not None and found > newest():
        raise NewerSchema(
            f"the database was upgraded by a newer version (schema {found}, this one knows {newest()}): "
            "update this program"
        )
    run(engine)


def run(engine: sa.Engine, to: str = "head") -> None:
    """Run the missing migrations up to a revision with Alembic, as a database needs that has tables already."""
    from alembic import command  # noqa: PLC0415 - 9 MB that a server with a current schema need not carry
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    with (
        _ONE_THREAD,
        _one_process(engine),
        engine.connect().execution_options(begin_statement="BEGIN IMMEDIATE") as connection,
    ):
        config.attributes["connection"] = connection
        command.upgrade(config, to)


@contextmanager
def _one_process(engine: sa.Engine) -> Iterator[None]:
    """Several that start at once on a new PostgreSQL make its tables once. On SQLite the file's lock sees to it."""
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
        guard.execute(sa.select(sa.func.pg_advisory_lock(_LOCK)))
        try:
            yield
        finally:
            guard.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))


def current(engine: sa.Engine) -> str | None:
    """The schema's revision; None for a database without one."""
    if not sa.inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(
            sa.text("SELECT version_num FROM alembic_version")
        ).scalar_one_or_none()


def newest() -> str:
    """The newest revision there is a script for; scripts are numbered in their order."""
    return max(path.name.split("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))


def script_of(engine: sa.Engine) -> str:
    """The text of `new_sqlite.sql`, of a SQLite database that the migrations have just made."""
    with engine.connect() as connection:
        made = [
            _BLANKS.sub("\n", str(sql)) for sql in connection.exec_driver_sql(_EVERYTHING).scalars()
        ]
    revision = f"INSERT INTO alembic_version (version_num) VALUES ('{current(engine)}')"  # noqa: S608 - ours
    return "".join(f"{statement}{_END}" for statement in (*made, revision))


def _made_at_once(engine: sa.Engine) -> bool:
    """True where this was an empty SQLite database, which now has the newest schema."""
    if engine.dialect.name != "sqlite":
        return False
    *made, revision = NEW_SQLITE.read_text("utf-8").removesuffix(_END).split(_END)
    if f"'{newest()}'" not in revision:  # a migration came after it
        return False
    with (
        engine.connect().execution_options(begin_statement="BEGIN IMMEDIATE") as connection,
        connection.begin(),
    ):
        if connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() is not None:
            return False
        for statement in (*made, revision):
            connection.exec_driver_sql(statement)
    return True
