"""Remembers which contents an audit's agents have read, over all its runs, so that the next one begins with the rest.

What counts is a path and what stands in it, not the commit: rewritten branches and runs that ended early lose nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage import Transaction, insert_once, metadata

_BYTES: Final = 8
"""Of a content's name: of 100,000 files, two have the same one in one of four billion repositories."""

audit_reads: Final = sa.Table(
    "audit_reads",
    metadata,
    sa.Column("audit", sa.String(128), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("contents", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Reads:
    """The contents that have been read by now, and the rules by which."""

    digest: str = ""
    """See `AuditRun.digest`."""
    contents: frozenset[bytes] = frozenset()

    def have(self, path: str, blob: str) -> bool:
        """True where a file with this content has been read."""
        return content(path, blob) in self.contents

    def under(self, digest: str) -> Reads:
        """The part of it that was read by these rules: all, or nothing."""
        return self if digest == self.digest else Reads(digest)

    def with_(self, read: Collection[str], blobs: Mapping[str, str], digest: str) -> Reads:
        """The same after a run by `digest` that read some of a commit's files; what that commit lacks is forgotten."""
        here = {content(path, blob) for path, blob in blobs.items()}
        now = {content(path, blobs[path]) for path in read if path in blobs}
        return Reads(digest, (self.under(digest).contents & here) | now)


NOTHING_READ: Final = Reads()


def content(path: str, blob: str) -> bytes:
    """The name of what stands in a file."""
    return hashlib.sha256(f"{path}\0{blob}".encode()).digest()[:_BYTES]


def reads_of(tx: Transaction, audit: str) -> Reads:
    """The contents that an audit has read; none where it has not run yet."""
    row = tx.execute(sa.select(audit_reads).where(audit_reads.c.audit == audit)).one_or_none()
    return Reads() if row is None else Reads(row.digest, frozenset(_taken_apart(row.contents)))


def note_reads(tx: Transaction, audit: str, reads: Reads) -> None:
    """Store what an audit has read, in place of what was stored."""
    values = {"digest": reads.digest, "contents": b"".join(sorted(reads.contents))}
    if not insert_once(tx, audit_reads, {"audit": audit, **values}):
        tx.execute(audit_reads.update().where(audit_reads.c.audit == audit).values(**values))


def _taken_apart(contents: bytes) -> Iterable[bytes]:
    return (contents[at : at + _BYTES] for at in range(0, len(contents), _BYTES))
