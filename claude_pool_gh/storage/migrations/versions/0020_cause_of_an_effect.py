"""the chain or command that an effect is wanted for, by which its trace is found"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("effects", sa.Column("cause", sa.String(80)))
