"""Remembers which contents an audit's agents have read, over all its runs, so that the next one begins with the rest.

What counts is a path and what stands in it, not the commit: rewritten branches and runs that ended early lose nothing.
What was read by other rules is kept beside it, so that one run with another model forgets nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage import Transaction, metadata

_BYTES: Final = 16
"""Of a content's name. Whoever pushes chooses the contents, and with fewer could make two that have the same name, of
which only one would ever be read."""
_RULES_KEPT: Final = 3
"""Rules by which an audit has run last: of others it is forgotten what was read by them."""

audit_reads: Final = sa.Table(
    "audit_reads",
    metadata,
    sa.Column("audit", sa.String(128), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    # 0 for the rules of the last run, 1 for those before.
    sa.Column("age", sa.Integer, nullable=False),
    sa.Column("contents", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Reads:
    """The contents that have been read by now."""

    by_rules: Mapping[str, frozenset[bytes]] = field(default_factory=dict)
    """For each digest of rules, see `AuditRun.digest`, those of the last run first."""

    def __bool__(self) -> bool:
        return any(self.by_rules.values())

    def have(self, path: str, blob: str) -> bool:
        """True where a file with this content has been read."""
        name = content(path, blob)
        return any(name in each for each in self.by_rules.values())

    def under(self, digest: str) -> Reads:
        """The part of it that was read by these rules."""
        return Reads({digest: self.by_rules.get(digest, frozenset())})

    def with_(
        self,
        read: Collection[str],
        blobs: Mapping[str, str],
        digest: str,
        open_: Collection[str] = (),
    ) -> Reads:
        """The same after a run by `digest` that read some of a commit's files.

        Contents that the commit lacks are forgotten, and so are those of the paths in `open_`, by whatever rules and
        whichever run read them: there a claim is open that nobody could judge.
        """
        here = {content(path, blob) for path, blob in blobs.items() if path not in open_}
        now = {content(path, blobs[path]) for path in read if path in blobs}
        known = {digest: self.by_rules.get(digest, frozenset()) | now, **self._others(digest)}
        return Reads({rules: contents & here for rules, contents in known.items()})

    def _others(self, digest: str) -> Mapping[str, frozenset[bytes]]:
        """Those by other rules, as many as are kept beside these."""
        others = [each for each in self.by_rules.items() if each[0] != digest]
        return dict(others[: _RULES_KEPT - 1])


NOTHING_READ: Final = Reads()


def content(path: str, blob: str) -> bytes:
    """The name of what stands in a file."""
    return hashlib.sha256(f"{path}\0{blob}".encode()).digest()[:_BYTES]


def reads_of(tx: Transaction, audit: str) -> Reads:
    """The contents that an audit has read; none where it has not run yet."""
    wanted = sa.select(audit_reads).where(audit_reads.c.audit == audit).order_by(audit_reads.c.age)
    return Reads(
        {row.digest: frozenset(_taken_apart(row.contents)) for row in tx.execute(wanted).all()}
    )


def note_reads(tx: Transaction, audit: str, reads: Reads) -> None:
    """Store what an audit has read, in place of what was stored."""
    tx.execute(audit_reads.delete().where(audit_reads.c.audit == audit))
    for age, (digest, contents) in enumerate(reads.by_rules.items()):
        joined = b"".join(sorted(contents))
        row = {"audit": audit, "digest": digest, "age": age, "contents": joined}
        tx.execute(audit_reads.insert().values(**row))


def _taken_apart(contents: bytes) -> Iterable[bytes]:
    return (contents[at : at + _BYTES] for at in range(0, len(contents), _BYTES))
