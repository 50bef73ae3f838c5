"""a thread's chains are found by a scope of its own, for those of a schedule do not count against the thread's cap"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        sa.text(
            "INSERT INTO chain_scopes (chain_id, kind, key) "
            "SELECT chain_id, 'conversation', key FROM chain_scopes WHERE kind = 'thread'"
        )
    )
    _accounts()


def _accounts() -> None:
    """Say the same in the accounts of chains, a page at a time."""
    tx = op.get_bind()
    chains = sa.table("chains", sa.column("id"), sa.column("account", sa.JSON))
    change = chains.update().where(chains.c.id == sa.bindparam("of_id"))
    page = sa.select(chains).order_by(chains.c.id).limit(500)
    last = ""
    while rows := tx.execute(page.where(chains.c.id > last)).all():
        last = rows[-1].id
        for row in rows:
            if row.account and "thread" in row.account:
                account = {"conversation": row.account["thread"], **row.account}
                tx.execute(change.values(account=account), {"of_id": row.id})
