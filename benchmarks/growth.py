"""What ten thousand reviews leave in a SQLite file a month later, and how a server starts with them."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.model import DEFECTS, defects, model_process
from benchmarks.stage import Stage, staged
from claude_pool_gh.storage.deflated import deflated, inflated

REVIEWS = 10_000
FINDINGS, WITH_FINDINGS = 10, 1_000
"""Of a review that finds much, and how many of those are measured: they take longer to make."""
_TABLES = (
    *("chains", "chain_scopes", "tags", "steps", "tasks", "reservations", "commands", "effects"),
    *("findings", "reviewed", "threads"),
)
Stored = str | bytes | int | float | None
_FORGOTTEN = (
    "UPDATE tasks SET transcript = NULL, prompt = NULL, asked = NULL",
    "DELETE FROM patches",
    "DELETE FROM deliveries",
    "UPDATE chains SET created_ms = created_ms - 40 * 86400000, ended_ms = ended_ms - 40 * 86400000",
    "UPDATE reservations SET created_ms = created_ms - 40 * 86400000",
)
"""What a month leaves of it, by the settings as they are."""


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
    await asyncio.to_thread(_multiply, file, here.repository.id, number, reviews)
    return file.stat().st_size


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
        for statement in _FORGOTTEN:
            rows.execute(statement)
        (chain,) = rows.execute("SELECT id FROM chains").fetchone()
        (key,) = rows.execute("SELECT key FROM commands WHERE chain_id IS NOT NULL").fetchone()
        comment = key.split(":")[2]
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
