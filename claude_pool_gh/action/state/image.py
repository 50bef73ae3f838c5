"""A thread's database as bytes, and back: without transcripts, and with nothing that belongs to one machine."""

from __future__ import annotations

import json
import socket
import sqlite3
import tempfile
import zlib
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from claude_pool_gh.action.state.veil import Veil
from claude_pool_gh.storage import migrations

_FORMAT: Final = 1
_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of an inflated database: a ref is written by whoever may push."""
_LEAVE: Final = (
    # What agents were sent and did: a run that is taken up again is sent its plan's prompt.
    "UPDATE tasks SET transcript = NULL, prompt = NULL, asked = NULL",
    # What other threads have spent stands in the ledger.
    "DELETE FROM reservations WHERE id LIKE 'elsewhere:%'",
    "DELETE FROM chains WHERE id LIKE 'elsewhere:%'",
    "DELETE FROM slots",
    "DELETE FROM workers",
    "DELETE FROM leases",
    "DELETE FROM deliveries",
)
_ARRIVE: Final = (
    "UPDATE effects SET attempted = 1, due_ms = 0 WHERE state = 'wanted'",
    "UPDATE commands SET owner = NULL, due_ms = 0 WHERE state = 'received'",
    "UPDATE chains SET owner = :gone WHERE owner IS NOT NULL",
    # What a job may spend is the job's own; the caps of user, thread and month hold over all of them.
    "UPDATE chains SET caps = json_set(caps, '$.pool', NULL) WHERE state <> 'done'",
)


class Unreadable(Exception):
    """A state that this version cannot use, and why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What can be said of a state without opening it."""

    repository: int
    thread: int
    run: str
    """The job that holds it."""
    until_ms: int
    """How long that job is taken to be alive; 0: it has ended."""
    schema: str = field(default_factory=migrations.newest)
    format: int = _FORMAT


def with_header(header: Header, body: bytes) -> bytes:
    """A whole state."""
    return json.dumps(asdict(header)).encode() + b"\n" + body


def pack(database: Path, veil: Veil) -> bytes:
    """A running database as it is at this moment, without what posts withhold: the body of a state."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        with closing(sqlite3.connect(database)) as source:
            source.execute("VACUUM INTO ?", (str(copy),))
        with closing(sqlite3.connect(copy, isolation_level=None)) as kept:
            for statement in _LEAVE:
                kept.execute(statement)
            kept.execute("BEGIN")
            veil.over(kept)
            kept.execute("COMMIT")
            kept.execute("VACUUM")
        return zlib.compress(copy.read_bytes(), 9)


def parts(content: bytes) -> tuple[Header, bytes]:
    """Header and body of a state; the body is empty before the first job has saved anything. Raises Unreadable."""
    told, _, body = content.partition(b"\n")
    try:
        found = Header(**json.loads(told))
    except (ValueError, TypeError) as error:
        raise Unreadable("it is no state of claude-pool") from error
    if found.format > _FORMAT or found.schema > migrations.newest():
        raise Unreadable("a newer version of claude-pool has written it")
    return found, body


def unpack(body: bytes, database: Path) -> None:
    """Put a state's body where a database is opened. Raises Unreadable."""
    inflating = zlib.decompressobj()
    try:
        raw = inflating.decompress(body, _LIMIT)
    except zlib.error as error:
        raise Unreadable("it is damaged") from error
    if inflating.unconsumed_tail:
        raise Unreadable("it is larger than any state can be")
    database.write_bytes(raw)
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as kept:
            for statement in _ARRIVE:
                kept.execute(statement, {"gone": _gone()} if ":gone" in statement else {})
    except sqlite3.Error as error:
        database.unlink()
        raise Unreadable("it is damaged") from error


def _gone() -> str:
    """The owner of what another machine was at: a process of this one's that there certainly is not."""
    return f"{socket.gethostname()}/999999999/0"


def used_this_month(database: Path) -> int:
    """What all commands of this calendar month (UTC) count against a pool's cap, in microdollars."""
    now = datetime.now(UTC)
    since = int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp() * 1000)
    query = (
        "SELECT coalesce(sum(coalesce(settled, reserved)), 0) FROM reservations"
        " WHERE level = 'chain' AND created_ms >= ?"
    )
    with closing(sqlite3.connect(database)) as kept:
        return int(kept.execute(query, (since,)).fetchone()[0])
