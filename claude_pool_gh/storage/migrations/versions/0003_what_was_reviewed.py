"""what a review was held against, and the commit at which a finding's lines hold"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rows that are there already are equal to nothing: their threads are read whole once more.
    op.add_column(
        "findings", sa.Column("head", sa.String(length=64), nullable=False, server_default="")
    )
    op.add_column(
        "reviewed", sa.Column("merge_base", sa.String(length=64), nullable=False, server_default="")
    )
    op.add_column(
        "reviewed", sa.Column("digest", sa.String(length=64), nullable=False, server_default="")
    )
