"""a lone task has its row from its submission on: those that were submitted before, and have none, get theirs"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_AT_ONCE = 500
_chains = sa.table(
    "chains",
    sa.column("id"),
    sa.column("kind"),
    sa.column("state"),
    sa.column("outcome", sa.JSON),
    sa.column("created_ms"),
    sa.column("ended_ms"),
)
_tasks = sa.table(
    "tasks",
    sa.column("id"),
    sa.column("chain_id"),
    sa.column("step"),
    sa.column("shard"),
    sa.column("title"),
    sa.column("state"),
    sa.column("attempt"),
    sa.column("model"),
    sa.column("outcome", sa.JSON(none_as_null=True)),
    sa.column("created_ms"),
    sa.column("ended_ms"),
)
_ENDINGS = {"cancelled": "cancelled", "out_of_budget": "out_of_budget"}


def upgrade() -> None:
    tx, own = (
        op.get_bind(),
        sa.select(_tasks.c.id).where(_tasks.c.chain_id == _chains.c.id).exists(),
    )
    without = (
        sa.select(_chains)
        .where(_chains.c.kind == "task", ~own)
        .order_by(_chains.c.id)
        .limit(_AT_ONCE)
    )
    while rows := tx.execute(without).all():
        tx.execute(_tasks.insert(), [_row(chain) for chain in rows])


def _row(chain: Any) -> dict[str, Any]:
    """The row of a task whose chain has not begun, or ended before it did."""
    verdict = (chain.outcome or {}).get("verdict", "")
    ending = _ENDINGS.get(verdict, "failed")
    outcome = (
        None
        if chain.outcome is None
        else {"ending": ending, "reason": chain.outcome.get("reason", "")}
    )
    ended = "cancelled" if verdict == "cancelled" else "failed"
    return {
        "id": chain.id,
        "chain_id": chain.id,
        "step": "task",
        "shard": 0,
        "title": "task",
        "state": ended if chain.state == "done" else "pending",
        "attempt": 0,
        "model": "",
        "outcome": outcome,
        "created_ms": chain.created_ms,
        "ended_ms": chain.ended_ms,
    }
