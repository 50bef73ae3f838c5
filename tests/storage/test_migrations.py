from __future__ import annotations

import subprocess
import sys
from pathlib import Path
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
            (name, connection.exec_driver_sql(f"PRAGMA table_info({name})").all()) for name in sorted(tables)
        ]
