"""The pool's tables. Times are milliseconds since the epoch, money is whole microdollars."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage import DeflatedJSON, DeflatedText, metadata

chains: Final = sa.Table(
    "chains",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    # Pools of different names on one database do not take up each other's chains.
    sa.Column("pool", sa.String(128), nullable=False),
    # `task`: a lone task, which is a chain of one step under the task's own id.
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("parked_for", sa.String(16)),
    sa.Column("outcome", sa.JSON),
    sa.Column("plan", sa.JSON, nullable=False),
    # Of the plan's steps, where they are kept apart: see `planned_steps`.
    sa.Column("steps_digest", sa.String(64)),
    # What of the plan is asked for. `head`: the commit that it is about; `requester`: who asked for it.
    sa.Column("verb", sa.Text, nullable=False, server_default=""),
    sa.Column("head", sa.Text, nullable=False, server_default=""),
    sa.Column("workflow", sa.Text, nullable=False, server_default=""),
    sa.Column("requester", sa.Text, nullable=False, server_default=""),
    # Who pays: for each kind of scope, which one. The same as in `chain_scopes`, by which chains are found.
    sa.Column("account", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("caps", DeflatedJSON, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, default=0),
    # Orders chains that were made in the same millisecond.
    sa.Column("place", sa.Integer, nullable=False, default=0),
    sa.Column("deadline_ms", sa.BigInteger),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("started_ms", sa.BigInteger),
    sa.Column("ended_ms", sa.BigInteger),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    # The worker that carries the chain, and how often the chain was taken up: the fence against a worker that was
    # believed dead. Whoever writes for a chain must hold its newest generation.
    sa.Column("owner", sa.String(128)),
    sa.Column("generation", sa.Integer, nullable=False, default=0),
    # It lost what only its own run needed, with what had ended before this moment.
    sa.Column("trimmed_ms", sa.BigInteger),
    sa.Column("packed_tasks", DeflatedJSON),
    sa.Index("ix_chains_state", "state", "pool", "priority", "created_ms", "place"),
    # Who is carried by whom, and whose deadline is over: asked every few seconds, however long the queue is.
    sa.Index("ix_chains_carried", "state", "owner"),
    sa.Index("ix_chains_deadline", "state", "deadline_ms"),
    # What ended long ago, which retention deletes a few at a time.
    sa.Index("ix_chains_ended", "state", "ended_ms"),
    sa.Index("ix_chains_steps_digest", "steps_digest"),
)

planned_steps: Final = sa.Table(
    "planned_steps",
    metadata,
    # The steps of plans, once for all chains that have the same ones.
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("steps", DeflatedJSON, nullable=False),
    # When a chain was last made with them, to an hour: what no chain has any more is deleted some day.
    sa.Column("used_ms", sa.BigInteger, nullable=False),
)

chain_scopes: Final = sa.Table(
    "chain_scopes",
    metadata,
    # What counts against each cap: the chains of one scope. The pool compares these texts and knows nothing of them.
    sa.Column("chain_id", sa.ForeignKey("chains.id"), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("key", sa.String(128), nullable=False),
    # With the chain: a cap's sum reads nothing but this index and that of reservations.
    sa.Index("ix_chain_scopes_key", "kind", "key", "chain_id"),
)

tags: Final = sa.Table(
    "tags",
    metadata,
    sa.Column("chain_id", sa.ForeignKey("chains.id"), primary_key=True),
    sa.Column("tag", sa.String(128), primary_key=True),
    sa.Index("ix_tags_tag", "tag"),
)

steps: Final = sa.Table(
    "steps",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("chain_id", sa.ForeignKey("chains.id"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("result", DeflatedJSON),
    # The feedback of every rejection so far, oldest first.
    sa.Column("rejections", sa.JSON, nullable=False, default=list),
    # The commit at which the next step's worktree begins, where this step changed files.
    sa.Column("work", sa.JSON),
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
    sa.Column("slot", sa.String(64)),
    sa.Column("outcome", DeflatedJSON),
    sa.Column("transcript", DeflatedJSON),
    # What the last attempt was sent and, where feedback or an error was added to it, what it was without that.
    sa.Column("prompt", DeflatedText),
    sa.Column("asked", DeflatedText),
    # Of the conversation that the last attempt left, for whoever goes on with it: as in the outcome.
    sa.Column("session_id", sa.Text),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Column("started_ms", sa.BigInteger),
    sa.Column("ended_ms", sa.BigInteger),
    sa.Index("ix_tasks_chain_id", "chain_id"),
    sa.Index("ix_tasks_session_id", "session_id"),
    sa.Index("ix_tasks_state", "state"),
)


def kept_texts() -> sa.ColumnElement[bool]:
    """A condition that is true where a task still has what its agent was asked, or said and did on the way."""
    return sa.or_(tasks.c.transcript.is_not(sa.null()), tasks.c.prompt.is_not(sa.null()))


def whole() -> sa.ColumnElement[bool]:
    """A condition that is true where an ended chain was not trimmed yet."""
    return sa.and_(chains.c.trimmed_ms.is_(sa.null()), chains.c.ended_ms.is_not(sa.null()))


def partial_indexes() -> None:
    """Declare the indexes of a part of a table, for whoever compares the tables with a database's.

    Nothing else asks: SQLAlchemy imports both dialects for them, which is a tenth of a pool's start.
    """
    kept = kept_texts()
    sa.Index("ix_tasks_kept", tasks.c.chain_id, sqlite_where=kept, postgresql_where=kept)
    sa.Index("ix_chains_whole", chains.c.ended_ms, sqlite_where=whole(), postgresql_where=whole())


patches: Final = sa.Table(
    "patches",
    metadata,
    # What a run changed, so that a later step, another slot or another machine can start from it.
    sa.Column("run_id", sa.String(160), primary_key=True),
    sa.Column("chain_id", sa.ForeignKey("chains.id"), nullable=False),
    sa.Column("base", sa.String(64), nullable=False),
    sa.Column("commit", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("patch", sa.LargeBinary, nullable=False),
    sa.Column("created_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_patches_chain_id", "chain_id"),
    sa.Index("ix_patches_created_ms", "created_ms"),
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
    sa.Index("ix_reservations_level", "level", "created_ms", "chain_id", "settled", "reserved"),
)

slots: Final = sa.Table(
    "slots",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("worker", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("config", sa.JSON, nullable=False),
    sa.Column("current_task", sa.String(128)),
    sa.Column("session_id", sa.String(64)),
    sa.Column("tasks_completed", sa.BigInteger, nullable=False, default=0),
    sa.Column("cost", sa.BigInteger, nullable=False, default=0),
    sa.Column("restart_count", sa.Integer, nullable=False, default=0),
    sa.Index("ix_slots_worker", "worker"),
)

workers: Final = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("started_ms", sa.BigInteger, nullable=False),
    # Counts upwards while the worker lives. Others compare it with what they saw before, never with their clock.
    sa.Column("beat", sa.BigInteger, nullable=False),
)

context: Final = sa.Table(
    "context",
    metadata,
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("updated_ms", sa.BigInteger, nullable=False),
)
