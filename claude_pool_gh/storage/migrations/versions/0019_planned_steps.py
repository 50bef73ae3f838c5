"""the steps of plans, once for all chains that have the same ones"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "planned_steps",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_planned_steps"),
    )
    # Chains that are there keep their steps in their plan, and long values that are plain text are read as before:
    # rewriting them all at once would keep a large server from starting for minutes.
    op.add_column("chains", sa.Column("steps_digest", sa.String(64)))
    op.create_index("ix_chains_steps_digest", "chains", ["steps_digest"])
