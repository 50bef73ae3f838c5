"""`claude-pool-gh prune` deletes what is too old, or only says it."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from claude_pool_gh.github import tables as github
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.server import agreement
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations, server_settings
from tests.pool.make import NOW
from tests.pool.test_planned_steps import kept, long_plan, make
from tests.storage import old


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return filled(f"sqlite:///{tmp_path}/pool.sqlite")


def filled(url: str) -> Database:
    opened = Database.open(url)
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        make(tx, "old", long_plan(), NOW - 10**11)
        tx.execute(chain_rows.update().values(state="done", ended_ms=NOW - 10**11))
        delivery = {"guid": "g", "event": "issue_comment", "received_ms": 1}
        tx.execute(github.deliveries.insert(), delivery)
        tx.execute(github.deliveries.insert(), delivery | {"guid": "new", "received_ms": 2**50})
    return opened


def prune(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["prune", "--state-dir", str(folder), *more], env={"HOME": "/"})


def test_a_dry_run_counts_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    for _ in range(2):
        done = prune(tmp_path, "--dry-run", "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.output)
        assert told == {"dry_run": True, "rows": {"chains": 1, "plans": 1, "deliveries": 1}}
    assert (
        prune(tmp_path, "--dry-run").output
        == "would be deleted: chains: 1, plans: 1, deliveries: 1\n"
    )
    database.close()


def test_a_dry_run_waits_for_no_writer_and_holds_none_up(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    with closing(sqlite3.connect(tmp_path / "pool.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = prune(tmp_path, "--dry-run", "--json")
        other.execute("ROLLBACK")
    assert json.loads(done.output)["rows"] == {"chains": 1, "plans": 1, "deliveries": 1}
    assert not list(copies.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert "let TMPDIR name a folder with room for it" in prune(tmp_path, "--dry-run").output
    database.close()


@pytest.mark.long
def test_a_dry_run_changes_nothing_on_postgresql_either(
    postgres: Callable[[], str], tmp_path: Path
) -> None:
    url = postgres()
    filled(url).close()
    for _ in range(2):
        done = prune(tmp_path, "--dry-run", "--json", "--database-url", url)
        assert json.loads(done.output)["rows"] == {"chains": 1, "plans": 1, "deliveries": 1}


def test_what_is_too_old_goes_and_what_the_settings_keep_stays(
    database: Database, tmp_path: Path
) -> None:
    done = prune(tmp_path, "--keep-chains-days", "none")
    assert done.output == "trimmed: 1, deliveries: 1\n"
    assert prune(tmp_path).output == "chains: 1, plans: 1\n"
    assert prune(tmp_path).output == "nothing is too old\n"
    with database.engine.begin() as tx:
        assert kept(tx) == 0, "nobody has the steps of its plan any more"
        assert tx.execute(github.deliveries.select()).one().guid == "new"
    database.close()


def test_a_shell_without_the_server_s_variables_deletes_nothing_that_the_server_keeps(
    database: Database, tmp_path: Path
) -> None:
    with database.engine.begin() as tx:
        server = agreement.shared(Settings(KEEP_CHAINS_DAYS="none", BUDGET_USD=5))
        server_settings.write(tx, server)
    done = prune(tmp_path)
    assert done.exit_code == 1
    assert "KEEP_CHAINS_DAYS is 365" in done.output
    assert "and none on the server" in done.output
    assert "BUDGET_USD" not in done.output, "it deletes nothing"
    assert prune(tmp_path, "--dry-run").exit_code == 0
    assert prune(tmp_path, "--keep-chains-days", "none").output == "trimmed: 1, deliveries: 1\n"
    database.close()


def test_a_database_of_another_version_is_left_alone(tmp_path: Path) -> None:
    older = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    old.migrate(older, "0012")
    older.close()
    done = prune(tmp_path)
    assert done.exit_code == 1
    assert "start this version's server, which upgrades it" in done.output


def test_without_a_database_it_says_where_to_look(tmp_path: Path) -> None:
    done = prune(tmp_path)
    assert done.exit_code == 1
    assert "name its folder with --state-dir" in done.output
