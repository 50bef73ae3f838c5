"""What ten thousand reviews leave in a SQLite file a month later, and how a server starts with them."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.figures import Figure
from benchmarks.model import DEFECTS, defects, model_process
from benchmarks.stage import Stage, staged
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.service.server.retention import kinds_of
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database
from claude_pool_gh.storage.deflated import deflated, inflated
from claude_pool_gh.storage.piecemeal import delete_all

REVIEWS = 10_000
FINDINGS, WITH_FINDINGS = 10, 1_000
"""Of a review that finds much, and how many of those are measured: they take longer to make."""
_TABLES = (
    *("chains", "chain_scopes", "tags", "steps", "tasks", "reservations", "commands", "effects"),
    *("findings", "reviewed", "threads"),
)
Stored = str | bytes | int | float | None
_DAYS = 40
_AGED = {
    "chains": ("created_ms", "ended_ms"),
    "reservations": ("created_ms", "settled_ms"),
    "patches": ("created_ms",),
    "deliveries": ("received_ms",),
    "commands": ("received_ms",),
    "effects": ("changed_ms",),
}
"""What retention goes by."""


async def measure() -> list[Figure]:
    """One review, told again so often under other numbers, and a server that starts with all of them."""
    with tempfile.TemporaryDirectory() as name:
        async with model_process(pace=0.0) as url, staged(Path(name), url) as here:
            await _restarted(here)
            empty = await _restarted(here)
            pull = here.pull(0)
            size = await _grown(here, pull.number, REVIEWS)
            await here.server.start()
            full = await _restarted(here)
    return [
        Figure(f"{REVIEWS} reviews, a month old", size / 1e6, "MB", 150),
        Figure("start with them beside an empty one", full / empty, "times", 1.3),
        Figure("start with them", full, "s"),
        *await findings(),
    ]


async def findings() -> list[Figure]:
    """What it costs that a review finds much: all of that is known as long as its thread."""
    with tempfile.TemporaryDirectory() as name:
        async with (
            model_process(pace=0.0, findings=FINDINGS) as url,
            staged(Path(name), url) as here,
        ):
            here.repository.commit(
                "change-0", {DEFECTS: defects(FINDINGS)}, message="x", author=here.maintainer
            )
            pull = here.pull(0)
            size = await _grown(here, pull.number, WITH_FINDINGS)
            found, tables = await asyncio.to_thread(_told, here.server.state / "pool.sqlite")
    each = size / WITH_FINDINGS
    return [
        Figure("findings of each review", found / WITH_FINDINGS, "findings"),
        Figure(f"{REVIEWS} of them, a month old", REVIEWS * each / 1e6, "MB", 150),
        *(
            Figure(f"of it {table}", size / WITH_FINDINGS / 1e3, "KB each")
            for table, size in tables
        ),
    ]


def _told(file: Path) -> tuple[int, list[tuple[str, int]]]:
    """The number of findings, and what the largest tables take with their indexes."""
    with closing(sqlite3.connect(file)) as rows:
        (found,) = rows.execute("SELECT count(*) FROM findings").fetchone()
        sizes = (
            "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_master USING (name) "
            "GROUP BY tbl_name ORDER BY 2 DESC LIMIT 6"
        )
        return found, rows.execute(sizes).fetchall()


async def _grown(here: Stage, number: int, reviews: int) -> int:
    """The bytes of the database after one review of a pull request, told again so often. The server is stopped."""
    await here.github.comment(here.maintainer, here.repository, number, "/pool review")
    file = here.server.state / "pool.sqlite"
    await here.github.until(lambda: _ended(file), timeout=400)
    await asyncio.sleep(2)
    await here.server.stop()
    await _month_later(file)
    await asyncio.to_thread(_multiply, file, here.repository.id, number, reviews)
    return file.stat().st_size


async def _month_later(file: Path) -> None:
    """Let retention leave of the review what the settings keep as they are."""
    database = Database.open(f"sqlite:///{file}")
    for table, columns in _AGED.items():
        older = ", ".join(f"{each} = {each} - {_DAYS * 86_400_000}" for each in columns)
        statement = sa.text(f"UPDATE {table} SET {older}")  # noqa: S608 - ours
        await database.transact(partial(sa.Connection.execute, statement=statement))
    await delete_all(database.transact, kinds_of(Settings(), SystemClock().now_ms()), 0)
    database.close()


async def _restarted(here: Stage) -> float:
    """Seconds from the start of a server until it listens."""
    await here.server.stop()
    began = time.perf_counter()
    await here.server.start()
    return time.perf_counter() - began


def _ended(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as rows:
        states = rows.execute("SELECT state FROM chains").fetchall()
        left = rows.execute("SELECT count(*) FROM effects WHERE state = 'wanted'").fetchone()
    return states == [("done",)] and left == (0,)


def _multiply(file: Path, repository: int, thread: int, reviews: int) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as rows:
        rows.create_function("renamed", 3, _renamed, deterministic=True)
        (chain,) = rows.execute("SELECT id FROM chains").fetchone()
        (key,) = rows.execute("SELECT key FROM commands WHERE chain_id IS NOT NULL").fetchone()
        comment = key.split(":")[2]
        rows.execute("UPDATE reservations SET id = chain_id || id WHERE level = 'request'")
        copies = [_copy(rows, table, chain, comment, f"{repository}:{thread}") for table in _TABLES]
        rows.execute("BEGIN")
        for number in range(1, reviews):
            new = {
                "chain": f"{number:0{len(chain)}x}",
                "comment": str(10**9 + number),
                "thread": f"{repository}:{10**6 + number}",
            }
            for copy in copies:
                rows.execute(copy, new)
        rows.execute("COMMIT")
        rows.execute("VACUUM")


def _renamed(value: Stored, old: str, new: str) -> Stored:
    """A text, deflated or not, with other numbers in it."""
    if not isinstance(value, str | bytes):
        return value
    text = inflated(value)
    return deflated(text.replace(old, new)) if isinstance(value, bytes) else text.replace(old, new)


def _copy(rows: sqlite3.Connection, table: str, chain: str, comment: str, thread: str) -> str:
    """A statement that writes a review's rows of a table again, under other numbers."""
    texts = {"VARCHAR", "TEXT", "JSON"}
    own, names = [], []
    for _, name, kind, *_ in rows.execute(f"PRAGMA table_info({table})"):
        quoted = f'"{name}"'
        names.append(quoted)
        is_text = any(kind.upper().startswith(each) for each in texts)
        changed = f"renamed(renamed(renamed({quoted}, '{chain}', :chain), '{comment}', :comment), '{thread}', :thread)"
        own.append(changed if is_text else quoted)
    first = " OR ".join(
        f"instr({each}, '{what}') > 0" for each in names for what in (chain, comment, thread)
    )
    rows.execute(f"CREATE TEMP TABLE one_{table} AS SELECT * FROM {table} WHERE {first}")  # noqa: S608 - ours
    columns = ", ".join(names)
    return f"INSERT OR IGNORE INTO {table} ({columns}) SELECT {', '.join(own)} FROM one_{table}"  # noqa: S608
