"""What `backup` and `restore` refuse, without a server."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from click import ClickException
from click.testing import CliRunner
from filelock import FileLock

from claude_pool_gh.github import restored
from claude_pool_gh.pool.store import queue
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.server.backup import note_restored
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations
from tests import ours
from tests.patience import PATIENCE
from tests.storage import old


def made(state: Path) -> Path:
    """A new database in a state folder."""
    database = Database.open(f"sqlite:///{state}/pool.sqlite")
    migrations.upgrade(database.engine)
    database.close()
    return state / "pool.sqlite"


def command(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, list(arguments), env={"HOME": "/"})
    assert not isinstance(done.exception, OSError), done.exception
    return done.exit_code, done.output


def test_a_database_in_use_is_copied_and_not_replaced(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    file = made(state)
    with FileLock(f"{file}.lock"):
        assert command("backup", str(copy), "--state-dir", str(state))[0] == 0
        code, said = command("restore", str(copy), "--replace", "--state-dir", str(state))
    assert code == 1
    assert "the server runs: stop it first" in said
    assert [path.name for path in state.glob("pool.sqlite.2*")] == []
    code, said = command("restore", str(copy), "--replace", "--state-dir", str(state))
    assert code == 0, said
    aside = [path for path in state.glob("pool.sqlite.2*") if path.name[-1].isdecimal()]
    assert len(aside) == 1, "with what SQLite keeps beside it"


def test_programs_get_what_was_copied_and_what_stands_where(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    file = made(state)
    options = ("--json", "--state-dir", str(state))
    code, said = command("backup", str(copy), *options)
    assert (code, json.loads(said)) == (0, {"file": str(copy), "bytes": copy.stat().st_size})
    code, said = command("restore", "--replace", str(copy), *options)
    restored_ = json.loads(said)
    assert Path(restored_.pop("moved_aside")).is_file()
    assert (code, restored_) == (0, {"database": str(file), "file": str(copy)})
    file.unlink()
    code, said = command("restore", str(copy), *options)
    assert json.loads(said)["moved_aside"] is None
    code, said = command("restore", "--done", *options)
    assert (code, json.loads(said)) == (0, {"database": f"sqlite:///{file}", "noted": True})


@pytest.mark.parametrize("statement", ["BEGIN", "BEGIN IMMEDIATE"])
def test_a_database_that_somebody_reads_or_writes_keeps_its_log(
    statement: str, tmp_path: Path
) -> None:
    """A shell, say, which holds no lock of a server: for a moment the file would stand there without what is in it."""
    state, copy = tmp_path / "state", tmp_path / "copy"
    file = made(state)
    assert command("backup", str(copy), "--state-dir", str(state))[0] == 0
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE said AS SELECT 1 AS what")
        other.execute(statement)
        other.execute("SELECT * FROM said").fetchall()
        code, said = command("restore", str(copy), "--replace", "--state-dir", str(state))
        assert code == 1
        assert "nothing was restored: another process is at work with" in said
        assert Path(f"{file}-wal").stat().st_size
        other.execute("COMMIT")
    assert not list(state.glob("pool.sqlite.2*"))
    assert not noted(state, int(time.time() * 1000))
    assert command("restore", str(copy), "--replace", "--state-dir", str(state))[0] == 0


def noted(state: Path, now_ms: int) -> bool:
    """Whether the database of a state folder says that it was restored lately."""
    database = Database.open(f"sqlite:///{state}/pool.sqlite")
    try:
        with database.engine.connect() as tx:
            return restored.is_recent(tx, now_ms)
    finally:
        database.close()


def test_the_next_server_knows_for_a_month_that_github_knows_more(tmp_path: Path) -> None:
    copy, new, old = tmp_path / "copy", tmp_path / "elsewhere" / "state", tmp_path / "state"
    made(old)
    assert command("backup", str(copy), "--state-dir", str(old))[0] == 0
    assert command("restore", str(copy), "--state-dir", str(new))[0] == 0
    now = int(time.time() * 1000)
    assert noted(new, now)
    assert not noted(new, now + 31 * 86_400_000)
    assert not noted(old, now)
    modes = {oct(path.stat().st_mode & 0o777) for path in (copy, new / "pool.sqlite")}
    assert modes == {"0o600"}


def test_a_database_that_was_restored_by_other_means_gets_the_same_note(tmp_path: Path) -> None:
    """Such as PostgreSQL's own tools, which know nothing of GitHub."""
    state, now = tmp_path / "state", int(time.time() * 1000)
    made(state)
    assert not noted(state, now)
    code, said = command("restore", "--done", "--state-dir", str(state))
    assert code == 0, said
    assert noted(state, now)
    assert "give FILE, or --done" in command("restore", "--state-dir", str(state))[1]
    both = command("restore", "--done", str(state / "pool.sqlite"), "--state-dir", str(state))
    assert "give FILE, or --done" in both[1]
    nowhere = command("restore", "--done", "--state-dir", str(tmp_path / "nowhere"))
    assert "there is no database" in nowhere[1]
    assert not (tmp_path / "nowhere").exists()


def test_a_copy_from_before_an_upgrade_gets_the_note_and_the_new_tables(tmp_path: Path) -> None:
    file = tmp_path / "pool.sqlite"
    database = Database.open(f"sqlite:///{file}")
    old.migrate(database, "0015")
    code, said = command("restore", "--done", "--state-dir", str(tmp_path))
    assert code == 0, said
    assert migrations.current(database.engine) == migrations.newest()
    assert noted(tmp_path, int(time.time() * 1000))
    with database.engine.begin() as tx:
        tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    code, said = command("restore", "--done", "--state-dir", str(tmp_path))
    assert code == 1
    assert "newer version (schema 9999" in said
    database.close()


def test_no_note_is_made_beside_a_server_that_would_not_look_at_it(tmp_path: Path) -> None:
    file = made(tmp_path)
    with FileLock(f"{file}.lock"):
        code, said = command("restore", "--done", "--state-dir", str(tmp_path))
    assert code == 1
    assert "stop every server and worker first" in said
    assert not noted(tmp_path, int(time.time() * 1000))


def test_nor_beside_a_worker_that_shows_itself(postgres: Callable[[], str]) -> None:
    database = Database.open(postgres())
    migrations.upgrade(database.engine)
    settings = Settings(database_url=database.engine.url.render_as_string(hide_password=False))
    over = Event()

    def live() -> None:
        while not over.wait(0.05):
            with database.engine.begin() as tx:
                queue.beat(tx, "host/7/1", 1)

    with ThreadPoolExecutor() as threads:
        living = threads.submit(live)
        try:
            with pytest.raises(ClickException, match="host/7/1 still work"):
                note_restored(settings, PATIENCE)
        finally:
            over.set()
        living.result()
    now = int(time.time() * 1000)
    with database.engine.connect() as tx:
        assert not restored.is_recent(tx, now)
    note_restored(settings, 0.6)  # what a dead worker has left is in nobody's way
    with database.engine.connect() as tx:
        assert restored.is_recent(tx, now)
    database.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_root_restores_nothing_that_the_server_could_not_open(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    made(state)
    assert command("backup", str(copy), "--state-dir", str(state))[0] == 0
    os.chown(state, 65_534, 65_534)
    before = {path: path.stat().st_mtime_ns for path in state.iterdir()}
    for given in ([str(copy), "--replace"], ["--done"]):
        code, said = command("restore", *given, "--state-dir", str(state))
        assert code == 1
        assert f"{state} belongs to nobody: run this as that user" in said
    assert {path: path.stat().st_mtime_ns for path in state.iterdir()} == before


def test_a_copy_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    state, copy, cut = tmp_path / "state", tmp_path / "copy", tmp_path / "cut"
    file = made(state)
    assert command("backup", str(copy), "--state-dir", str(state))[0] == 0
    cut.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    before = file.read_bytes()
    code, said = command("restore", str(cut), "--replace", "--state-dir", str(state))
    assert code == 1
    assert "damaged" in said or "is no copy" in said
    assert file.read_bytes() == before
    with closing(sqlite3.connect(copy)) as rows:
        assert rows.execute("PRAGMA quick_check").fetchone() == ("ok",)


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_kill_at_any_moment_leaves_whole_databases_and_nothing_else(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "place").mkdir()
    done = subprocess.run(
        ours.program("tests.service.killing", command, str(tmp_path / "place")),
        env=ours.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 5, "the control: it was killed now and then"
