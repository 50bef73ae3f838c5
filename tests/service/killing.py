"""Kills a command of the shell at each of its moments in turn, and looks at what that leaves.

A process of its own, which has imported everything and forks: hundreds of kills cost no start of an interpreter.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from claude_pool_gh.service.cli import main
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.storage.owners import own_id, own_mark

MOMENTS = frozenset(
    {"open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "sqlite3.connect"}
)
"""The events after which a file may be another one."""


def made(state: Path, what: str) -> None:
    """A database that says which one it is, and has what it says in its log still."""
    database = Database.open(f"sqlite:///{state}/pool.sqlite")
    migrations.upgrade(database.engine)
    database.close()
    if (child := os.fork()) == 0:  # killed, as a server is, it leaves the log beside the file
        with closing(sqlite3.connect(state / "pool.sqlite")) as rows:
            rows.execute(f"CREATE TABLE said AS SELECT '{what}' AS what")
            rows.commit()
            os._exit(0)
    os.waitpid(child, 0)
    assert (state / "pool.sqlite-wal").stat().st_size
    if what == "new":
        with closing(sqlite3.connect(state / "pool.sqlite")) as rows:
            rows.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def said(file: Path) -> tuple[str, bool]:
    """Which database this is, once it is seen to be whole; and whether it knows that it was restored."""
    with closing(sqlite3.connect(file)) as rows:
        assert rows.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (what,) = rows.execute("SELECT what FROM said").fetchone()
        noted = rows.execute("SELECT 1 FROM cursors WHERE name = 'restored'").fetchone()
        return what, bool(noted)


def killed_at(moment: int, folder: Path, *command: str) -> bool:
    """Run a command that is killed before its n-th event below a folder; False where it has fewer and has ended."""
    if (child := os.fork()) == 0:
        left = moment
        own_id.cache_clear()
        own_mark.cache_clear()

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in MOMENTS and any(str(folder) in str(each) for each in arguments[:2]):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        sys.addaudithook(hook)
        done = CliRunner().invoke(main, command, env={"HOME": "/"})
        os.write(2, done.output.encode() if done.exit_code else b"")
        os._exit(done.exit_code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def each_moment(folder: Path, check: Callable[[Path], None], *command: str) -> int:
    """Kill the command at every moment, each time in a new copy of a folder; how many there were."""
    own = folder.with_name("own")
    for moment in count(-1):
        shutil.copytree(folder, own)
        here = [part.replace(str(folder), str(own)) for part in command]
        if moment < 0:  # once as it is, in this process, which then has imported what it needs
            assert CliRunner().invoke(main, here, env={"HOME": "/"}).exit_code == 0
            shutil.rmtree(own)
            continue
        was_killed = killed_at(moment, own, *here)
        check(own)
        # Whoever comes later than an hour after a kill finds room: what was left is removed.
        for left in own.rglob(".claude-pool-*"):
            os.utime(left, (1, 1))
        if not was_killed:
            assert not list(own.rglob(".claude-pool-*"))
            return moment
        next_one = str(own / "state" / "next")
        assert not killed_at(10**9, own, "backup", next_one, "--state-dir", f"{own}/state")
        assert not list(own.rglob(".claude-pool-*"))
        shutil.rmtree(own)
    raise AssertionError


def backup(folder: Path) -> int:
    """A copy has its name when it is whole, or there is none."""
    made(folder / "state", "old")

    def check(own: Path) -> None:
        if (own / "state" / "copy").exists():
            assert said(own / "state" / "copy") == ("old", False)
        assert said(own / "state" / "pool.sqlite") == ("old", False)

    copy = f"{folder}/state/copy"
    return each_moment(folder, check, "backup", copy, "--state-dir", f"{folder}/state")


def restore(folder: Path) -> int:
    """The old database stands there as it was, or the new one, which knows what it is."""
    made(folder / "state", "old")
    made(folder / "copy", "new")
    seen = set()

    def check(own: Path) -> None:
        now = said(own / "state" / "pool.sqlite")
        seen.add(now)
        assert now in (("old", False), ("new", True))
        if now[0] == "new":
            (aside,) = own.glob("state/pool.sqlite.2*")
            assert said(aside) == ("old", False)

    state, copy = f"{folder}/state", f"{folder}/copy/pool.sqlite"
    moments = each_moment(folder, check, "restore", copy, "--replace", "--state-dir", state)
    assert len(seen) == 2
    return moments


if __name__ == "__main__":
    moments = {"backup": backup, "restore": restore}[sys.argv[1]](Path(sys.argv[2]))
    sys.stdout.write(f"{moments}\n")
