"""Sets an attempt's money aside, inside what its task, its step and its chain may cost."""

from __future__ import annotations

from dataclasses import dataclass

from claude_pool_gh.pool.model.config import microdollars
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.plan import AgentRun, Plan
from claude_pool_gh.pool.model.ports import Agent, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.run import agent_run
from claude_pool_gh.pool.run.planned_task import PlannedTask
from claude_pool_gh.pool.store import costs, ledger
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Transaction


@dataclass(frozen=True, slots=True)
class SpendingLimit:
    """Microdollars up to which a run may come by itself, and all runs of its step together."""

    task: int
    step: int | None


def reserve(
    tx: Transaction,
    agent: Agent,
    chain: ChainRow,
    unit: PlannedTask,
    task: TaskRow,
    work: AgentTask,
    *,
    slots: int,
    now_ms: int,
) -> SpendingLimit | AgentOutcome:
    """Set the attempt's money aside; the most that it may come to, or how the task ends where that cannot be.

    `slots`: how many runs this process can have beside each other.
    """
    try:
        least = agent_run.least(agent, work)
    except ValueError as error:
        return AgentOutcome(ending=Ending.failed, reason=str(error))
    at_once = min(unit.siblings, max(1, slots))
    used, cap = ledger.used_by_step(tx, chain.id, task.step), task_cap(chain.plan, unit.run)
    # Its first attempt begins here: nothing was spent before.
    rest = cap - (costs.cost_of_task(tx, task.id, task.attempt)[0] if task.attempt > 1 else 0)
    share = step_share(chain.plan, unit.run)
    most = min(
        rest, max(task_budget(chain.plan, unit.run, at_once, used), min(least, share - used))
    )
    refusal: CapReached | None = None
    if rest < least:
        refusal = CapReached("task", cap, max(0, rest), least)
    elif most < least <= ledger.left_in(tx, chain.id):
        refusal = CapReached("step", share, most, least)
    else:
        try:
            granted = ledger.reserve_task(
                tx, task.run_id, chain.id, task.step, most=most, least=least, now_ms=now_ms
            )
            if granted < most and not agent_run.is_metered(agent):
                # It may spend without asking: then no cap is exceeded only if all of it is set aside before.
                most = ledger.extend(tx, task.run_id, most, most, now_ms, beside=slots)
        except CapReached as reached:
            refusal = reached
    if refusal is not None:
        return AgentOutcome(ending=Ending.out_of_budget, reason=str(refusal))
    # One that reserves as it goes takes more when it needs it, of what the tasks beside it leave.
    return SpendingLimit(rest, share) if agent_run.is_metered(agent) else SpendingLimit(most, None)


def task_cap(plan: Plan, step: AgentRun) -> int:
    """Most microdollars that one task of a step may cost in all its attempts."""
    own = step.overrides.max_budget_usd
    return plan.limits.task if own is None else microdollars(own)


def step_share(plan: Plan, step: AgentRun) -> int:
    """Microdollars that all tasks of a step may use together."""
    return int(plan.limits.chain * step.share)


def task_budget(plan: Plan, step: AgentRun, at_once: int, used: int) -> int:
    """Microdollars that one task of a step may use.

    An equal part of the step's share of the chain for each of the `at_once` tasks that run beside each other; what
    they leave is there for those after them, down to nothing.
    """
    share = step_share(plan, step)
    return max(0, min(task_cap(plan, step), share // max(1, at_once), share - used))
