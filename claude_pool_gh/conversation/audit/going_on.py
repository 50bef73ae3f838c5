"""Finds the audit that ended before it told its result, with parts that were read: the next one begins with those."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from claude_pool_gh.config.model import Audit
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.store import chains, continuation, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.storage import Transaction

_FIND: Final = "find"


def left_by(
    tx: Transaction, ended: Iterable[str], plan: Plan, is_own: Callable[[ChainRow], bool]
) -> ChainRow | None:
    """The run that one with this plan goes on with; None where it begins anew.

    `ended`: chains that are over, the newest first. Of the audit's own, which `is_own` tells, only the newest counts.
    """
    for chain_id in ended:
        chain = chains.get(tx, chain_id)
        if is_own(chain):
            return chain if fits(chain, plan) and can_go_on(tx, chain) else None
    return None


def fits(before: ChainRow, plan: Plan) -> bool:
    """True where a plan asks agents for what an earlier run asked them for, and has no money for more. Pure."""
    return _asks(before.plan) == _asks(plan) and not _reaches_further(plan, before)


def can_go_on(tx: Transaction, chain: ChainRow) -> bool:
    """True where an audit was ended before its result was stored, and has read something that is not lost.

    A step of the host's that was cancelled refuses nothing, whichever it was.
    """
    planned = chain.results.get("plan")
    if chain.outcome is None or "gather" in chain.results or not isinstance(planned, dict):
        return False
    found = tasks.of_chain(tx, chain.id, _FIND)
    if "shards" not in planned or not any(each.state is TaskState.completed for each in found):
        return False
    return chain.outcome.verdict is Verdict.cancelled or continuation.can_go_on(tx, chain)


def what_is_read(settings: Audit) -> dict[str, Any]:
    """The part of an audit's settings that decides what it reads and how, whatever it may cost and when it starts."""
    return settings.model_dump(exclude={"slots", "budget", "schedule", "code_scanning"})


def _asks(plan: Plan) -> list[dict[str, Any]]:
    return [step.model_dump(mode="json", exclude={"at_once"}) for step in plan.steps]


def _reaches_further(plan: Plan, before: ChainRow) -> bool:
    """True where there is more money than before, and the plan of then left something out for want of it."""
    planned = before.results.get("plan") or {}
    left_out = bool(planned.get("plan", {}).get("beyond"))
    return left_out and plan.limits.chain > before.plan.limits.chain
