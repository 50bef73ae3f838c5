"""The forge's tables: what came in, what should stand on GitHub, who writes it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage import DeflatedJSON, metadata

repositories: Final = sa.Table(
    "repositories",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(100), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("installation_id", sa.BigInteger, nullable=False),
    sa.Column(
        "state", sa.String(16), nullable=False, default="active"
    ),  # active, archived, suspended, removed
    sa.Index("ix_repositories_installation_id", "installation_id"),
)

threads: Final = sa.Table(
    "threads",
    metadata,
    # What events said last of an issue or pull request: hints for those who look, never ground for a decision.
    sa.Column("key", sa.String(128), primary_key=True),
    sa.Column("head", sa.String(64)),
    sa.Column("base", sa.String(255)),
    sa.Column("open", sa.Boolean, nullable=False, default=True),
)

cursors: Final = sa.Table(
    "cursors",
    metadata,
    # How far something that GitHub lists was read.
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("value", sa.String(200), nullable=False),
)

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    sa.Column("guid", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64)),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_deliveries_received_ms", "received_ms"),
)

commands: Final = sa.Table(
    "commands",
    metadata,
    # source kind, repository, comment and place in it: the same comment under another GUID is the same command
    sa.Column("key", sa.String(160), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # received, handled
    sa.Column("thread", sa.String(128), nullable=False),
    sa.Column("actor_id", sa.BigInteger, nullable=False),
    sa.Column("line", sa.Text, nullable=False),
    sa.Column("request", DeflatedJSON, nullable=False),
    sa.Column("answer", sa.Text),
    sa.Column("chain_id", sa.String(64)),
    sa.Column("owner", sa.String(160)),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("due_ms", sa.BigInteger, nullable=False),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    sa.Index("ix_commands_state", "state", "due_ms"),
    sa.Index("ix_commands_thread", "thread", "received_ms"),
    sa.Index("ix_commands_actor_id", "actor_id", "received_ms"),
)

effects: Final = sa.Table(
    "effects",
    metadata,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("kind", sa.String(24), nullable=False),
    # The chain that shows what became of it.
    sa.Column("chain_id", sa.String(64)),
    sa.Column("repository_id", sa.BigInteger, nullable=False),
    sa.Column("installation_id", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # wanted, written, gone, refused
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("wanted", DeflatedJSON, nullable=False),
    sa.Column("wanted_version", sa.Integer, nullable=False),
    sa.Column("written_version", sa.Integer, nullable=False),
    # Set before the first attempt: from then on the outcome may be unknown, and is looked up before a repeat.
    sa.Column("attempted", sa.Boolean, nullable=False),
    sa.Column("remote_id", sa.BigInteger),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("due_ms", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text),
    # When it was last wanted anew or written: what came to rest long ago is deleted some day.
    sa.Column("changed_ms", sa.BigInteger, nullable=False, server_default="0"),
    sa.Index("ix_effects_changed_ms", "state", "changed_ms"),
    # It lost its text with what had changed last before this moment.
    sa.Column("trimmed_ms", sa.BigInteger),
    # The chain or command that it was last wanted for, as `storage.causes` names it.
    sa.Column("cause", sa.String(80)),
    # What GitHub called something that it had taken and not finished.
    sa.Column("note", sa.String(200)),
    sa.Index("ix_effects_state", "state", "installation_id", "priority"),
)


def whole() -> sa.ColumnElement[bool]:
    """A condition that is true where an effect has its text."""
    return effects.c.trimmed_ms.is_(sa.null())


def partial_indexes() -> None:
    """See `claude_pool_gh.pool.store.tables.partial_indexes`."""
    changed = (effects.c.state, effects.c.changed_ms)
    sa.Index("ix_effects_whole", *changed, sqlite_where=whole(), postgresql_where=whole())


leases: Final = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("owner", sa.String(160), nullable=False),
    sa.Column("expires_ms", sa.BigInteger, nullable=False),
)
