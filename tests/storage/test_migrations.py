from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from claude_pool_gh.service.tables import metadata
from claude_pool_gh.storage import Database, migrations


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
