"""The decisions of people: approvals, and commits of outsiders on which money may be spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage import Transaction, insert_once, metadata
from claude_pool_gh.terms.ids import Actor

approvals: Final = sa.Table(
    "approvals",
    metadata,
    # The gate's ID is a digest of everything that is approved: an approval can never be taken for one of another patch.
    sa.Column("gate", sa.String(16), primary_key=True),
    sa.Column("actor_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("login", sa.String(100), nullable=False),
    sa.Column("chain_id", sa.String(64), nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_approvals_chain_id", "chain_id"),
)

trusted_commits: Final = sa.Table(
    "trusted_commits",
    metadata,
    sa.Column("thread", sa.String(128), primary_key=True),
    sa.Column("commit", sa.String(64), primary_key=True),
    sa.Column("actor_id", sa.BigInteger, nullable=False),
    sa.Column("login", sa.String(100), nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word on one gate."""

    actor_id: int
    login: str


def approve(tx: Transaction, gate: str, chain_id: str, actor: Actor, now_ms: int) -> bool:
    """Note a person's approval. False when it was noted before."""
    values = {
        "gate": gate,
        "actor_id": actor.id,
        "login": actor.login,
        "chain_id": chain_id,
        "created_ms": now_ms,
    }
    return insert_once(tx, approvals, values)


def approvals_of(tx: Transaction, gate: str) -> list[Approval]:
    """The approvals of a gate, in order."""
    rows = tx.execute(
        sa.select(approvals.c.actor_id, approvals.c.login)
        .where(approvals.c.gate == gate)
        .order_by(approvals.c.created_ms, approvals.c.actor_id)
    )
    return [Approval(int(row.actor_id), str(row.login)) for row in rows]


def trust(tx: Transaction, thread: str, commit: str, actor: Actor, now_ms: int) -> None:
    """Let money be spent on a commit."""
    values = {
        "thread": thread,
        "commit": commit,
        "actor_id": actor.id,
        "login": actor.login,
        "created_ms": now_ms,
    }
    insert_once(tx, trusted_commits, values)


def is_trusted(tx: Transaction, thread: str, commit: str) -> bool:
    """True where somebody has said so of this very commit."""
    own = sa.and_(trusted_commits.c.thread == thread, trusted_commits.c.commit == commit)
    return tx.execute(sa.select(trusted_commits.c.commit).where(own)).first() is not None
