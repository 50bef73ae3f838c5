"""Takes from chains that ended long ago what only their own runs needed. What they said and cost stays.

A review keeps its result, findings and money; the claims on the way there stood in the results of steps, in the
outcomes of tasks and once more in what the next agents were asked.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from pydantic import ValidationError

from claude_pool_gh.pool.model.outcomes import FAILURES
from claude_pool_gh.pool.model.plan import HostCall, Step
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, packed_tasks
from claude_pool_gh.pool.store.chains import FINISHED, StepRow
from claude_pool_gh.pool.store.retention import PRUNED
from claude_pool_gh.pool.store.tables import chain_scopes, reservations, whole
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import steps as step_rows
from claude_pool_gh.storage import Transaction, one_at_a_time

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 10
"""Chains, each of dozens of rows: others' transactions wait meanwhile."""
_C: Final = chain_rows.c
_R: Final = reservations.c
_SCOPED: Final = sa.select(chain_scopes.c.chain_id).where(chain_scopes.c.chain_id == _C.id).exists()


def trim(tx: Transaction, pool: str, before_ms: int) -> int:
    """Trim some of a pool's chains that ended before a moment; returns how many, 0 when none is left.

    Nothing is taken from a chain that may go on, nor from one of a script, whose results are all that it was for.
    """
    one_at_a_time(tx, "prune")  # two would sum up the same money twice
    ended = sa.and_(
        _C.pool == pool,
        _C.kind != PRUNED,
        _C.state == ChainState.done,
        _C.ended_ms < before_ms,
    )
    own = sa.select(_C.id, _SCOPED.label("scoped")).where(whole(), ended).order_by(_C.ended_ms)
    scoped = {row.id: bool(row.scoped) for row in tx.execute(own.limit(_AT_ONCE))}
    for chain_id in (chain_id for chain_id, is_so in scoped.items() if is_so):
        try:
            chain = chains.get(tx, chain_id)
        except (
            ValidationError
        ) as error:  # of an odd version, and no reason to keep all others whole
            logger.warning(
                "a chain that cannot be read is not trimmed",
                extra={"action": "not_trimmed", "chain": chain_id, "reason": type(error).__name__},
            )
            continue
        if chain.outcome is not None and chain.outcome.verdict not in FAILURES:
            led_on = on_the_way(chain.plan.steps, chain.steps)
            # An empty list says that there was nothing to do.
            emptied = step_rows.c.id.in_([step.id for step in led_on if step.result])
            tx.execute(step_rows.update().where(emptied).values(result=sa.null()))
            packed_tasks.pack(tx, chain.id, [step.name for step in led_on])
            _sum_up(tx, chain.id)
    tx.execute(chain_rows.update().where(_C.id.in_(scoped)).values(trimmed_ms=before_ms))
    return len(scoped)


def on_the_way(plan: Sequence[Step], records: Sequence[StepRow]) -> list[StepRow]:
    """The finished steps up to the last one of an agent, but for a chain's last: they only led on. Pure.

    What the host made of the agents' answers comes after them, and is what reports show.
    """
    finished = [place for place, each in enumerate(records) if each.state in FINISHED]
    of_agents = [place for place in finished if not isinstance(plan[place], HostCall)]
    end = min(of_agents[-1] + 1, finished[-1]) if of_agents else 0
    return [records[place] for place in finished if place < end]


def _sum_up(tx: Transaction, chain_id: str) -> None:
    """Replace what the runs of a chain reserved, and what each request cost, by one sum of each step and model."""
    own = sa.and_(_R.chain_id == chain_id, _R.settled.is_not(None))
    bound = sa.func.max(sa.cast(_R.upper_bound, sa.Integer))
    costs = sa.select(
        *(sa.func.min(_R.id), _R.step, _R.model, sa.func.sum(_R.settled), bound),
        *(sa.func.min(_R.created_ms), sa.func.max(_R.settled_ms)),
    ).where(own, _R.level == "request")
    sums: list[dict[str, Any]] = [
        {
            "id": first,
            "level": "request",
            "chain_id": chain_id,
            "parent_id": chain_id,
            "step": step,
            "model": model,
            "reserved": int(cost),
            "settled": int(cost),
            "upper_bound": bool(only_bound),
            "created_ms": created_ms,
            "settled_ms": settled_ms,
        }
        for first, step, model, cost, only_bound, created_ms, settled_ms in tx.execute(
            costs.group_by(_R.step, _R.model)
        ).all()
    ]
    tx.execute(reservations.delete().where(own, _R.level.in_(("request", "task"))))
    if sums:
        tx.execute(reservations.insert(), sums)
