"""what each task was really asked"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of tasks that are there already nobody knows it any more: they show their template.
    op.add_column("tasks", sa.Column("prompt", sa.Text(), nullable=True))
    op.add_column("tasks", sa.Column("asked", sa.Text(), nullable=True))
