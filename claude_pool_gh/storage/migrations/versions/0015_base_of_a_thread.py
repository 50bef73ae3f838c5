"""the branch that a pull request goes into, as events told last: a review speaks of the base that was read"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("threads", sa.Column("base", sa.String(255)))
