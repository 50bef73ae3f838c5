"""schedules of audits, with the run of each that is live; what GitHub works on is asked for by a note"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_schedules",
        sa.Column("repository_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audit", sa.String(64), nullable=False),
        sa.Column("cron", sa.String(100), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
        sa.Column("look_ms", sa.BigInteger()),
        sa.Column("last_due_ms", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("live_run", sa.String(160), nullable=False),
        sa.Column("live_digest", sa.String(64), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("stopped_by", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("passed_ms", sa.BigInteger(), nullable=False),
        sa.Column("passed_why", sa.String(200), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("repository_id", "audit", name="pk_audit_schedules"),
    )
    op.add_column("effects", sa.Column("note", sa.String(200)))
    op.create_index("ix_audit_schedules_look_ms", "audit_schedules", ["look_ms"])
    op.create_index("ix_audit_schedules_live_run", "audit_schedules", ["live_run"])
