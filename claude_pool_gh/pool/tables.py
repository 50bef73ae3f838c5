"""The pool's tables. Times are milliseconds since the epoch, money is whole microdollars."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage import metadata

chains: Final = sa.Table(
    "chains",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("parked_for", sa.String(16)),
    sa.Column("outcome", sa.JSON),
    sa.Column("plan", sa.JSON, nullable=False),
    # Who pays: a chain counts against the caps of its thread, user and repository. The pool only compares them.
    sa.Column("account_thread", sa.String(128), nullable=False),
    sa.Column("account_user", sa.String(128), nullable=False),
    sa.Column("account_repository", sa.String(128), nullable=False),
    sa.Column("caps", sa.JSON, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("started_ms", sa.BigInteger),
    sa.Column("ended_ms", sa.BigInteger),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    # Counts how often the chain was handed to the durable engine; part of the workflow's id there.
    sa.Column("generation", sa.Integer, nullable=False, default=0),
    sa.Index("ix_chains_state", "state"),
    sa.Index("ix_chains_account_thread", "account_thread"),
)

steps: Final = sa.Table(
    "steps",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("chain_id", sa.ForeignKey("chains.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("result", sa.JSON),
    sa.Column("started_ms", sa.BigInteger),
    sa.Column("ended_ms", sa.BigInteger),
    sa.Index("ix_steps_chain_id", "chain_id"),
)

tasks: Final = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("chain_id", sa.ForeignKey("chains.id"), nullable=False),
    sa.Column("step", sa.String(64), nullable=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("slot", sa.Integer),
    sa.Column("outcome", sa.JSON),
    sa.Column("transcript", sa.JSON),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("started_ms", sa.BigInteger),
    sa.Column("ended_ms", sa.BigInteger),
    sa.Index("ix_tasks_chain_id", "chain_id"),
)

reservations: Final = sa.Table(
    "reservations",
    metadata,
    # A tree of money set aside: the chain's, inside it the tasks', inside those one per request to the model.
    sa.Column("id", sa.String(160), primary_key=True),
    sa.Column("level", sa.String(8), nullable=False),
    sa.Column("parent_id", sa.String(160)),
    sa.Column("chain_id", sa.ForeignKey("chains.id"), nullable=False),
    sa.Column("step", sa.String(64)),
    sa.Column("model", sa.String(128)),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("settled", sa.BigInteger),  # null while open
    sa.Column("upper_bound", sa.Boolean, nullable=False, default=False),
    sa.Column("note", sa.Text),
    sa.Column("usage", sa.JSON),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("settled_ms", sa.BigInteger),
    sa.Index("ix_reservations_parent_id", "parent_id"),
    sa.Index("ix_reservations_chain_id", "chain_id"),
)
