"""when an ended chain or a written effect was trimmed, and indexes of those that were not"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_UNTRIMMED = "trimmed_ms IS NULL"
_ENDED = f"{_UNTRIMMED} AND ended_ms IS NOT NULL"


def upgrade() -> None:
    for table, columns, where in (
        ("chains", ["ended_ms"], _ENDED),
        ("effects", ["state", "changed_ms"], _UNTRIMMED),
    ):
        op.add_column(table, sa.Column("trimmed_ms", sa.BigInteger()))
        own = sa.text(where)
        op.create_index(f"ix_{table}_whole", table, columns, sqlite_where=own, postgresql_where=own)
    op.add_column("chains", sa.Column("packed_tasks", sa.JSON()))
