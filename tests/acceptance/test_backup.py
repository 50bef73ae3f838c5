"""A copy of the database that is made under load, and a server that goes on from it."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.cli import main
from tests.acceptance.world import World, world


async def command(*arguments: str) -> tuple[int, str]:
    """A command of the shell, beside the server; its exit status and what it printed."""
    done = await asyncio.to_thread(CliRunner().invoke, main, list(arguments), env={"HOME": "/"})
    return done.exit_code, done.output


async def keep_writing(w: World, until: asyncio.Event) -> int:
    """Ask for help until told; how often."""
    asked = 0
    while not until.is_set():
        await w.say(f"/pool help {'review' if asked % 2 else ''}")
        asked += 1
        await asyncio.sleep(0.02)
    return asked


async def test_a_copy_made_under_load_is_whole_and_a_server_goes_on_from_it(tmp_path: Path) -> None:
    copy, enough = tmp_path / "copy.sqlite", asyncio.Event()
    async with world(tmp_path) as w:
        w.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
        await w.say("/pool review")
        await w.reviewed()
        await w.written()
        state = str(w.bot.state)
        writing = asyncio.create_task(keep_writing(w, enough))
        await asyncio.sleep(0.3)
        code, said = await command("backup", str(copy), "--state-dir", state)
        assert code == 0, said
        refused = await command("backup", str(copy), "--state-dir", state)
        running = await command("restore", str(copy), "--state-dir", state, "--replace")
        enough.set()
        assert await writing > 1
        assert refused[0] == 1
        assert "give the name of a new file" in refused[1]
        assert running[0] == 1
        assert "the server runs: stop it first" in running[1]
        await w.quiet()
        await w.bot.stop()
        tracking, bill = w.tracking, w.ledger
        comments = len(w.own_comments())

        assert stat.filemode(copy.stat().st_mode) == "-rw-------"
        with closing(sqlite3.connect(copy)) as rows:
            assert rows.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert rows.execute("SELECT count(*) FROM findings").fetchone()[0] > 0
        code, said = await command("restore", str(copy), "--state-dir", state)
        assert code == 1
        assert "with --replace it is moved aside" in said
        code, said = await command("restore", str(copy), "--state-dir", state, "--replace")
        assert code == 0, said
        assert list(Path(state).glob("pool.sqlite.2*"))
        if w.engine is not None:  # it has the old file open
            w.engine.dispose()
            w.engine = None
        await w.begin()
        assert w.ledger == bill
        await w.say("/pool review")
        await w.github.until(lambda: w.answers()[-1][1] in ("started", "answered", "joined"))
        await w.reviewed()
        await w.written()
        assert w.tracking != "", "there is one, and no second"
        assert tracking.partition("\n")[0][:3] == "###"
        # Whatever the copy did not know of was found on GitHub and not written again.
        bodies = [comment.body for comment in w.own_comments()]
        assert len(bodies) <= comments + 2


async def test_what_is_no_copy_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    state, garbage, other = tmp_path / "state", tmp_path / "garbage", tmp_path / "other.sqlite"
    garbage.write_bytes(b"no database" * 1000)
    with closing(sqlite3.connect(other)) as rows:
        rows.execute("CREATE TABLE mine (a)")
    for file in (garbage, other):
        code, said = await command("restore", str(file), "--state-dir", str(state))
        assert code == 1
        assert "is no copy of a pool's database" in said
    assert not (state / "pool.sqlite").exists()
    code, said = await command("backup", str(tmp_path / "x"), "--state-dir", str(state))
    assert code == 1
    assert "there is no database at" in said
    assert not (tmp_path / "x").exists()
    code, said = await command(
        "backup", str(tmp_path / "x"), "--database-url", "postgresql://bot:S3cretPw@db/pool"
    )
    assert code == 1
    assert "pg_dump --format=custom" in said
    assert "S3cretPw" not in said
    with closing(sqlite3.connect(other)) as rows:
        rows.executescript(
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('9999')"
        )
    code, said = await command("restore", str(other), "--state-dir", str(state))
    assert code == 1
    assert "made by a newer version (schema 9999)" in said
