"""the runs of audits, and what their findings have besides those of reviews"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_runs",
        sa.Column("chain_id", sa.String(length=64), nullable=False),
        sa.Column("audit", sa.String(length=128), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=False),
        sa.Column("completeness", sa.String(length=16), nullable=False),
        sa.Column("everything", sa.Boolean(), nullable=False),
        sa.Column("standing", sa.JSON(), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("fixed", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("shards", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", name=op.f("pk_audit_runs")),
    )
    op.create_index("ix_audit_runs_audit", "audit_runs", ["audit", "ended_ms"])
    op.create_table(
        "audit_findings",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("audit", sa.String(length=128), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("also", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_findings")),
    )
    op.create_index("ix_audit_findings_audit", "audit_findings", ["audit"])
