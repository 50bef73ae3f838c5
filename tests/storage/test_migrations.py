from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from claude_pool_gh.storage import Database, migrations
from tests.tables import metadata


def test_the_migrations_make_exactly_the_tables_that_the_rooms_declare(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert migrations.current(database.engine) == migrations.newest()
    database.close()


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    before = database.engine.connect().exec_driver_sql("PRAGMA schema_version").scalar()
    migrations.upgrade(database.engine)
    assert database.engine.connect().exec_driver_sql("PRAGMA schema_version").scalar() == before
    database.close()


def test_sqlite_is_opened_durable_and_concurrent(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    database.close()


def test_a_new_database_is_the_one_that_the_migrations_make() -> None:
    migrated, new = Database.temporary(), Database.temporary()
    migrations.run(migrated.engine)
    migrations.upgrade(new.engine)
    written = migrations.NEW_SQLITE.read_text("utf-8")
    assert written == migrations.script_of(migrated.engine), "after a change of schema: make schema"
    assert _schema(new) == _schema(migrated)
    assert migrations.current(new.engine) == migrations.newest()


def test_databases_of_several_threads_are_migrated_at_the_same_time() -> None:
    """Each thread of a process may open a pool in its own loop."""
    databases = [Database.temporary() for _ in range(4)]
    together = Barrier(len(databases))

    def migrated(database: Database) -> str | None:
        together.wait()
        migrations.run(database.engine, "0002")
        return migrations.current(database.engine)

    with ThreadPoolExecutor(len(databases)) as threads:
        assert list(threads.map(migrated, databases)) == ["0002"] * len(databases)


def test_a_script_that_a_later_migration_has_left_behind_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "new_sqlite.sql"
    old.write_text("CREATE TABLE old (id INTEGER);\nINSERT INTO alembic_version VALUES ('0001');\n")
    monkeypatch.setattr(migrations, "NEW_SQLITE", old)
    database = Database.temporary()
    migrations.upgrade(database.engine)
    assert "old" not in sa.inspect(database.engine).get_table_names()
    assert migrations.current(database.engine) == migrations.newest()


def test_a_database_with_tables_is_migrated_not_made_anew(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE own (id INTEGER)")
    migrations.upgrade(database.engine)
    assert {"own", "chains"} <= set(sa.inspect(database.engine).get_table_names())
    database.close()


@pytest.mark.parametrize(("kept", "loads"), [(True, "False"), (False, "True")])
def test_alembic_is_loaded_only_where_there_is_something_to_migrate(
    tmp_path: Path, *, kept: bool, loads: str
) -> None:
    """In a process of its own: here others have loaded it."""
    script = migrations.NEW_SQLITE if kept else tmp_path / "none.sql"
    if not kept:
        script.write_text("INSERT INTO alembic_version VALUES ('0001');\n")
    code = (
        "import pathlib, sys\n"
        "from claude_pool_gh.storage import Database, migrations\n"
        f"migrations.NEW_SQLITE = pathlib.Path({str(script)!r})\n"
        "migrations.upgrade(Database.temporary().engine)\n"
        "print('alembic' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == loads


def _schema(database: Database) -> list[Any]:
    with database.engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
        return [
            (name, connection.exec_driver_sql(f"PRAGMA table_info({name})").all())
            for name in sorted(tables)
        ]


def _older(database: Database, revision: str) -> None:
    """Bring a new database to the schema of an earlier version."""
    from alembic import command  # noqa: PLC0415 - heavy
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.engine.connect().execution_options(
        begin_statement="BEGIN IMMEDIATE"
    ) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_conversations_of_earlier_versions_are_found_and_texts_that_fail_questions_are_mended(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/a.sqlite"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres")()
    database = Database.open(url)
    _older(database, "0007")
    bad, fine = "\x00 \ud800 \x00\x00", "\\u0000 é 😀"
    outcomes: dict[str, Any] = {
        "bad": {"ending": "completed", "text": [bad], bad: fine, "session_id": "s1"},
        "none": None,
    }
    outcomes["fine"] = {"ending": "completed", "text": fine, "session_id": None}
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(name)
        for name in ("id", "pool", "kind", "state", "priority", "place", "created_ms")
    ]
    columns += [sa.column(f"account_{name}") for name in ("thread", "user", "repository")]
    columns += [sa.column(name, sa.JSON) for name in ("plan", "caps", "outcome")]
    columns += [sa.column("cancel_requested", sa.Boolean), sa.column("generation")]
    chains = sa.table("chains", *columns)
    tasks = sa.table(
        "tasks",
        *(
            sa.column(name)
            for name in ("id", "chain_id", "step", "shard", "title", "state", "attempt")
        ),
        sa.column("model"),
        sa.column("created_ms"),
        sa.column("outcome", sa.JSON),
        sa.column("session_id"),
    )
    with database.engine.begin() as tx:
        for name, outcome in outcomes.items():
            told = {"verdict": "failed", "reason": bad} if name == "bad" else None
            chain = {
                "id": name,
                "pool": "p",
                "kind": "task",
                "state": "done",
                "priority": 0,
                "place": 0,
                "created_ms": 1,
                "account_thread": "",
                "account_user": "",
                "account_repository": "",
                "plan": {},
                "caps": {},
                "outcome": told,
                "cancel_requested": False,
                "generation": 0,
            }
            tx.execute(chains.insert().values(**chain))
            task = {
                "id": name,
                "chain_id": name,
                "step": "s",
                "shard": 0,
                "title": "",
                "state": "completed",
                "attempt": 1,
                "model": "",
                "created_ms": 1,
                "outcome": outcome,
            }
            tx.execute(tasks.insert().values(**task))
    verdicts = sa.select(chains.c.id).where(chains.c.outcome["verdict"].as_string() == "failed")
    if kind == "postgresql":
        with database.engine.connect() as tx, pytest.raises(sa.exc.DataError):
            tx.execute(verdicts).all()
    migrations.upgrade(database.engine)
    with database.engine.connect() as tx:
        assert tx.execute(verdicts).scalars().all() == ["bad"]
        found = {row.id: row for row in tx.execute(sa.select(tasks))}
    assert {name: row.session_id for name, row in found.items()} == {
        "bad": "s1",
        "none": None,
        "fine": None,
    }
    assert found["fine"].outcome == outcomes["fine"], "nothing else is changed"
    if kind == "postgresql":
        mended = "\ufffd \ufffd \ufffd\ufffd"
        assert found["bad"].outcome == {
            "ending": "completed",
            "text": [mended],
            mended: fine,
            "session_id": "s1",
        }
    database.close()


def test_a_database_of_a_newer_version_is_left_alone_and_said_to_be_one(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    known = migrations.newest()
    with pytest.raises(migrations.NewerSchema, match=rf"\(schema 9999, this one knows {known}\)"):
        migrations.upgrade(database.engine)
    assert migrations.current(database.engine) == "9999"
    database.close()


def test_a_database_that_somebody_else_made_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """It is migrated, which fails where a table of ours is there already, and leaves it as it was."""
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    with database.engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE chains (mine INTEGER)")
    assert migrations.current(database.engine) is None
    with pytest.raises(sa.exc.OperationalError, match="table chains already exists"):
        migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        tables = tx.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'table'").scalars()
        assert [sql for sql in tables if "mine" in sql]
        assert "effects" not in sa.inspect(tx).get_table_names()
    database.close()
