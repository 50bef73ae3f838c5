"""Watches the ledger from inside its database: at every single change, no sum may be above its cap.

The rows do not say it afterwards: what is set aside grows while it is needed, and a row holds only the last amount.
"""

from __future__ import annotations

from claude_pool_gh.storage import Transaction

_TABLE = "CREATE TABLE IF NOT EXISTS passed (cap TEXT, used INTEGER, of INTEGER)"
_USED = "(SELECT coalesce(sum(coalesce(settled, reserved)), 0) FROM reservations WHERE {where})"
_TRIGGER = """
CREATE TRIGGER IF NOT EXISTS {name}_{moment} AFTER {event} ON reservations WHEN {when} AND {used} > {limit}
BEGIN INSERT INTO passed VALUES ({cap}, {used}, {limit}); END
"""
_EVENTS = {"made": "INSERT", "changed": "UPDATE OF reserved, settled"}


def begin(tx: Transaction, budget: int) -> None:
    """Watch from now on, in every process that opens this file, also after this one has died."""
    tx.exec_driver_sql(_TABLE)
    for moment, event in _EVENTS.items():
        common = {"moment": moment, "event": event}
        tx.exec_driver_sql(
            _TRIGGER.format(
                name="watch_pool",
                when="NEW.level = 'chain'",
                used=_USED.format(where="level = 'chain'"),
                limit=budget,
                cap="'pool'",
                **common,
            )
        )
        parent = "(SELECT reserved FROM reservations WHERE id = NEW.parent_id)"
        tx.exec_driver_sql(
            _TRIGGER.format(
                name="watch_parent",
                when="NEW.parent_id IS NOT NULL",
                limit=parent,
                cap="NEW.parent_id",
                used=_USED.format(where="parent_id = NEW.parent_id"),
                **common,
            )
        )
