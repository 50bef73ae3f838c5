"""A thread's database as bytes, and back: without transcripts, and with nothing that belongs to one machine."""

from __future__ import annotations

import json
import re
import sqlite3
import tempfile
import zlib
from contextlib import closing, suppress
from dataclasses import asdict, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from claude_pool_gh.action.state.database_redactor import DatabaseRedactor
from claude_pool_gh.storage import migrations
from claude_pool_gh.storage.deflated import holds_deflated, inflate_all
from claude_pool_gh.storage.owners import GONE

_FORMAT: Final = 1
_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of an inflated database: a ref is written by whoever may push."""
_LONGEST_HEADER: Final = 8192
_SCHEMA: Final = re.compile(r"[0-9A-Za-z_]{4,64}")
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
_LEAVE_SCOPES: Final = "DELETE FROM chain_scopes WHERE chain_id LIKE 'elsewhere:%'"
_HAS_SCOPES: Final = "SELECT 1 FROM sqlite_master WHERE name = 'chain_scopes'"
_ARRIVE: Final = (
    "UPDATE effects SET attempted = 1, due_ms = 0 WHERE state = 'wanted'",
    "UPDATE commands SET owner = NULL, due_ms = 0 WHERE state = 'received'",
    "UPDATE chains SET owner = :gone WHERE owner IS NOT NULL",
)

_HELD: Final = """
    SELECT held.id, chains.state, held.reserved, held.settled, held.created_ms, (
        SELECT coalesce(sum(coalesce(inside.settled, inside.reserved)), 0) FROM reservations AS inside
        WHERE inside.chain_id = held.chain_id AND inside.level = 'request'
    ) FROM reservations AS held JOIN chains ON chains.id = held.chain_id
    WHERE held.level = 'chain' ORDER BY held.created_ms, held.id
"""
"""What each run has set aside or has cost, and what its requests to the model have cost so far."""


class Unreadable(Exception):
    """A state that this version cannot use and must not replace, and why."""


class Damaged(Exception):
    """No state of ours, or no longer: there is nothing in it to be lost."""


STRICT: Final = ConfigDict(strict=True)
"""For what stands in refs: they are written by whoever may push."""
Whole = Annotated[int, Field(ge=0, lt=2**53)]


RUNS: Final = 100
SPANS: Final = 8
_LONGEST_ID: Final = 20
_Id = Annotated[str, Field(max_length=_LONGEST_ID)]


@dataclass(frozen=True, slots=True)
class Span:
    """The time in which one job served a thread, from the moment when it was asked for."""

    thread: Whole
    since_ms: Whole
    ended_ms: Whole = 0
    """0: it has not ended, or has said nothing of its end."""

    def holds(self, at_ms: int) -> bool:
        """True where a moment lies in it."""
        return self.since_ms <= at_ms and (not self.ended_ms or at_ms <= self.ended_ms)


@dataclass(frozen=True, slots=True, config=STRICT)
class Header:
    """The facts of a state that can be read without opening it."""

    repository: Whole
    thread: Whole
    """Of an audit's state: where its last job worked."""
    run: Annotated[str, Field(max_length=400)]
    """The job that holds it."""
    until_ms: Whole
    """How long that job is taken to be alive; 0: it has ended."""
    schema: Annotated[str, Field(max_length=64)] = field(default_factory=migrations.newest)
    format: Whole = _FORMAT
    audit: Annotated[str, Field(max_length=40)] = ""
    """The name of the audit whose state it is; "" for a thread's."""
    report: Whole = 0
    """The number of the audit's report issue; 0 where there is none yet."""
    runs: Annotated[tuple[_Id, ...], Field(strict=False, max_length=RUNS)] = ()
    """The IDs of the audit's newest runs, by which commands of any thread name them."""
    spans: Annotated[tuple[Span, ...], Field(strict=False, max_length=SPANS)] = ()
    """When jobs of the audit served a thread: a command about what runs there was about the audit then."""

    def served(self, thread: int, at_ms: int) -> int:
        """The beginning of the span in which a moment of a thread lies; 0 for none."""
        spans = [each for each in self.spans if each.thread == thread and each.holds(at_ms)]
        return max((each.since_ms for each in spans), default=0)


_OF_AUDITS: Final = ("audit", "report", "runs", "spans")


def with_header(header: Header, body: bytes) -> bytes:
    """A whole state."""
    return told(header) + b"\n" + body


def told(header: Header) -> bytes:
    """A header's own line. A thread's says nothing of audits, so that earlier versions read it."""
    said = {
        name: value
        for name, value in asdict(header).items()
        if header.audit or name not in _OF_AUDITS
    }
    return json.dumps(said).encode()


def pack(database: Path, veil: DatabaseRedactor) -> bytes:
    """A running database as it is at this moment, without what posts withhold: the body of a state."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        with closing(sqlite3.connect(database)) as source:
            source.execute("VACUUM INTO ?", (str(copy),))
        with closing(sqlite3.connect(copy, isolation_level=None)) as kept:
            # One that no job of this version has opened yet is of an older form.
            scopes = (_LEAVE_SCOPES,) if kept.execute(_HAS_SCOPES).fetchone() else ()
            for statement in (*scopes, *_LEAVE):
                kept.execute(statement)
            kept.execute("BEGIN")
            inflate_all(kept)  # no secret hides in deflated text; all of it is deflated below
            veil.over(kept)
            kept.execute("COMMIT")
            kept.execute("VACUUM")
        return zlib.compress(copy.read_bytes(), 9)


def parts(content: bytes) -> tuple[Header, bytes]:
    """Header and body of a state; the body is empty before the first job has saved anything.

    Raises Unreadable for one of a newer version, whose form may be another, and Damaged.
    """
    told, _, body = content.partition(b"\n")
    if len(told) > _LONGEST_HEADER:
        raise Damaged
    try:
        said = json.loads(told)
        if _is_newer(said):
            raise Unreadable("a newer version of claude-pool has written it")
        return Header(**said), body
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Damaged from error


def claimed_until(stored: bytes) -> int | None:
    """The end of the life of a state's job as itself says, whoever has signed it; None for what is no state."""
    for line in stored[: 2 * _LONGEST_HEADER].split(b"\n", 2)[:2]:
        with suppress(ValueError, RecursionError):
            said = json.loads(line)
            until = said.get("until_ms") if isinstance(said, dict) else None
            if isinstance(until, int) and 0 <= until < 2**53:
                return until
    return None


def _is_newer(said: Any) -> bool:
    if not isinstance(said, dict):
        return False
    form, schema = said.get("format"), said.get("schema")
    return (isinstance(form, int) and form > _FORMAT) or (
        isinstance(schema, str) and bool(_SCHEMA.fullmatch(schema)) and schema > migrations.newest()
    )


def unpack(body: bytes, database: Path) -> None:
    """Put a state's body where a database is opened. Raises Unreadable for one of a newer version, and Damaged."""
    inflating = zlib.decompressobj()
    try:
        raw = inflating.decompress(body, _LIMIT)
    except zlib.error as error:
        raise Damaged from error
    if inflating.unconsumed_tail:
        raise Damaged
    database.write_bytes(raw)
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as kept:
            _check(kept)
            for statement in _ARRIVE:
                kept.execute(statement, {"gone": GONE} if ":gone" in statement else {})
    except (sqlite3.Error, Damaged, ValueError, TypeError) as error:
        database.unlink()
        raise Damaged from error
    except Unreadable:
        database.unlink()
        raise


def _check(kept: sqlite3.Connection) -> None:
    """Check whether it is a database of ours: with no code in it, and no newer than this version."""
    kept.execute("PRAGMA trusted_schema = OFF")
    if kept.execute("SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone():
        raise Damaged
    (version,) = kept.execute("SELECT version_num FROM alembic_version").fetchone()
    if _is_newer({"schema": version}):
        raise Unreadable("a newer version of claude-pool has written it")
    # `pack` has inflated all: another one has put it there, whatever it holds.
    if holds_deflated(kept):
        raise Damaged


def number_of(database: Path, effect: str) -> int:
    """The number on GitHub of what stands there under an effect's key; 0 where nothing does."""
    asked = "SELECT remote_id FROM effects WHERE key = ? AND state <> 'gone'"
    with closing(sqlite3.connect(database)) as kept:
        found = kept.execute(asked, (effect,)).fetchone()
    return int(found[0] or 0) if found else 0


def runs_of(database: Path) -> tuple[str, ...]:
    """The IDs of the newest runs."""
    asked = (
        "SELECT id FROM chains WHERE id NOT LIKE 'elsewhere:%' AND kind <> 'pruned' AND length(id) <= ? "
        "ORDER BY created_ms DESC LIMIT ?"
    )
    with closing(sqlite3.connect(database)) as kept:
        return tuple(id_ for (id_,) in kept.execute(asked, (_LONGEST_ID, RUNS)))


def charge(database: Path, budget: int) -> int:
    """Let whatever this job goes on with count against its own budget, as what it begins does.

    `budget`: microdollars that this job may spend. Returns the cap on this calendar month (UTC) with which a run may
    spend just that. The caps of user, thread and repository hold over all jobs, and are not touched.
    """
    now = datetime.now(UTC)
    since = int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp() * 1000)
    cap, left = budget, budget
    with closing(sqlite3.connect(database, isolation_level=None)) as kept:
        kept.execute("BEGIN")
        for id_, state, reserved, settled, created_ms, spent in kept.execute(_HELD).fetchall():
            counts = settled
            if settled is None:
                # A parked run has let go of what it has not spent. It takes it again inside the cap.
                share = 0 if state == "parked" else max(0, min(reserved - spent, left))
                left -= share
                counts = reserved if state == "parked" else spent
                if state != "parked":
                    kept.execute(
                        "UPDATE reservations SET reserved = ? WHERE id = ?", (spent + share, id_)
                    )
            cap += counts if created_ms >= since else 0
        kept.execute(
            "UPDATE chains SET caps = json_set(caps, '$.pool', ?) WHERE state <> 'done'", (cap,)
        )
        kept.execute("COMMIT")
    return cap
