"""The tasks of trimmed chains, all of one chain in one value: a tenth of what rows with their indexes take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.store.tables import chains, tasks
from claude_pool_gh.storage import Transaction

LED_ON: Final = ("text", "structured", "command", "exit_code", "stderr")
"""Of a task's outcome, what a later step went on with. How it ended, and what it looked at, is not in it."""

_C: Final = chains.c
_FORGOTTEN: Final = ("prompt", "asked", "transcript", "session_id")
_KEPT: Final = tuple(column for column in tasks.c if column.name not in _FORGOTTEN)
_OWN: Final = (
    sa.select(*_KEPT)
    .where(tasks.c.chain_id == sa.bindparam("wanted"))
    .order_by(tasks.c.created_ms, tasks.c.shard)
)
_PACKED: Final = sa.select(_C.id, _C.packed_tasks).where(
    _C.id.in_(sa.bindparam("several", expanding=True)), _C.packed_tasks.is_not(sa.null())
)


def pack(tx: Transaction, chain_id: str, led_on: Sequence[str]) -> None:
    """Keep a chain's tasks in the chain. Those of the steps `led_on` lose what they answered."""
    packed = []
    for row in tx.execute(_OWN, {"wanted": chain_id}).mappings():
        forgotten = LED_ON if row["step"] in led_on else ()
        outcome = {
            name: value for name, value in (row["outcome"] or {}).items() if name not in forgotten
        }
        packed.append(dict(row) | {"outcome": outcome or None})
    tx.execute(chains.update().where(_C.id == chain_id).values(packed_tasks=packed))
    tx.execute(tasks.delete().where(tasks.c.chain_id == chain_id))


def of_chains(tx: Transaction, chain_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The packed tasks of those of these chains that have any, in order."""
    rows = tx.execute(_PACKED, {"several": list(chain_ids)})
    return {row.id: row.packed_tasks for row in rows}
