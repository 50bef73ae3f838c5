"""what a conversation remembers: approvals, outsiders' commits, threads, cursors"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("gate", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("chain_id", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("gate", "actor_id", name=op.f("pk_approvals")),
    )
    op.create_index("ix_approvals_chain_id", "approvals", ["chain_id"])
    op.create_table(
        "cursors",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "threads",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_threads")),
    )
    op.create_table(
        "trusted_commits",
        sa.Column("thread", sa.String(length=128), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("thread", "commit", name=op.f("pk_trusted_commits")),
    )
    # Rows that are there already get a value that nobody asks for.
    for table, column in (
        ("commands", sa.Column("thread", sa.String(length=128), nullable=False, server_default="")),
        ("commands", sa.Column("actor_id", sa.BigInteger(), nullable=False, server_default="0")),
        ("effects", sa.Column("chain_id", sa.String(length=64), nullable=True)),
        (
            "findings",
            sa.Column("recipe", sa.String(length=64), nullable=False, server_default="review"),
        ),
        ("findings", sa.Column("settled_by", sa.String(length=100), nullable=True)),
        ("findings", sa.Column("settled_ms", sa.BigInteger(), nullable=True)),
        (
            "repositories",
            sa.Column("state", sa.String(length=16), nullable=False, server_default="active"),
        ),
    ):
        op.add_column(table, column)
    op.create_index("ix_commands_thread", "commands", ["thread", "received_ms"])
    op.create_index("ix_commands_actor_id", "commands", ["actor_id", "received_ms"])
    op.create_index("ix_repositories_installation_id", "repositories", ["installation_id"])
