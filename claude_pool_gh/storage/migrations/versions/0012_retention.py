"""when an effect last changed, and indexes for retention and for the sums of caps"""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KEPT = "transcript IS NOT NULL OR prompt IS NOT NULL"


def upgrade() -> None:
    op.add_column(
        "effects", sa.Column("changed_ms", sa.BigInteger(), nullable=False, server_default="0")
    )
    effects = sa.table("effects", sa.column("changed_ms"))
    # When the old ones changed nobody knows: their time begins now.
    op.get_bind().execute(effects.update().values(changed_ms=int(time.time() * 1000)))
    op.create_index("ix_effects_changed_ms", "effects", ["state", "changed_ms"])
    op.create_index("ix_deliveries_received_ms", "deliveries", ["received_ms"])
    op.create_index("ix_chains_ended", "chains", ["state", "ended_ms"])
    op.create_index("ix_patches_created_ms", "patches", ["created_ms"])
    op.create_index(
        "ix_tasks_kept",
        "tasks",
        ["chain_id"],
        sqlite_where=sa.text(_KEPT),
        postgresql_where=sa.text(_KEPT),
    )
    op.drop_index("ix_chain_scopes_key", "chain_scopes")
    op.create_index("ix_chain_scopes_key", "chain_scopes", ["kind", "key", "chain_id"])
    op.drop_index("ix_reservations_level", "reservations")
    op.create_index(
        "ix_reservations_level",
        "reservations",
        ["level", "created_ms", "chain_id", "settled", "reserved"],
    )
