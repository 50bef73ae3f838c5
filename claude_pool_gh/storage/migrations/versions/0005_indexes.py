"""indexes for what the caps, the queue and its sweeps ask"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_chains_account_repository", "chains", ["account_repository", "created_ms"])
    op.create_index("ix_chains_account_user", "chains", ["account_user", "created_ms"])
    op.create_index("ix_chains_carried", "chains", ["state", "owner"])
    op.create_index("ix_chains_deadline", "chains", ["state", "deadline_ms"])
    op.create_index("ix_reservations_level", "reservations", ["level", "created_ms"])
