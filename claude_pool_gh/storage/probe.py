"""Whether a database answers."""

from __future__ import annotations

import sqlalchemy as sa

from claude_pool_gh.storage.database import Transaction


def answers(tx: Transaction) -> None:
    """Ask for nothing: raises the database's error where it does not answer."""
    tx.execute(sa.text("SELECT 1")).scalar_one()
