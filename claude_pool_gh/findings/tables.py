"""What was asserted in each thread, so that nothing is said twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.storage import Transaction, insert_once, metadata

findings: Final = sa.Table(
    "findings",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("thread", sa.String(128), nullable=False),
    sa.Column("fingerprint", sa.String(20), nullable=False),
    sa.Column("chain_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # open, dismissed
    sa.Column("reason", sa.Text),
    sa.Column("stated", sa.JSON, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_findings_thread", "thread"),
)

reviewed: Final = sa.Table(
    "reviewed",
    metadata,
    sa.Column("thread", sa.String(128), primary_key=True),
    sa.Column("head", sa.String(64), nullable=False),
    sa.Column("chain_id", sa.String(64), nullable=False),
)


def known(tx: Transaction, thread: str, state: str) -> list[Finding]:
    """The findings of a thread that are in a state, oldest first."""
    rows = tx.execute(
        sa.select(findings.c.stated)
        .where(findings.c.thread == thread, findings.c.state == state)
        .order_by(findings.c.created_ms)
    ).scalars()
    return [Finding.model_validate(row) for row in rows]


def remember(tx: Transaction, thread: str, chain_id: str, new: Iterable[Finding], now_ms: int) -> None:
    """Store findings as open."""
    for finding in new:
        mark = fingerprint(finding)
        values = {
            "id": f"{thread}.{mark}",
            "thread": thread,
            "fingerprint": mark,
            "chain_id": chain_id,
            "state": "open",
            "stated": finding.model_dump(mode="json"),
            "created_ms": now_ms,
        }
        insert_once(tx, findings, values)


def last_reviewed(tx: Transaction, thread: str) -> str | None:
    """The head commit that the last complete review of a thread read."""
    return tx.execute(sa.select(reviewed.c.head).where(reviewed.c.thread == thread)).scalar_one_or_none()


def set_reviewed(tx: Transaction, thread: str, head: str, chain_id: str) -> None:
    """Note that a thread was reviewed whole at a commit."""
    if not insert_once(tx, reviewed, {"thread": thread, "head": head, "chain_id": chain_id}):
        tx.execute(reviewed.update().where(reviewed.c.thread == thread).values(head=head, chain_id=chain_id))
