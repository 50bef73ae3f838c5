"""The rows that one attempt at a task leaves in the store, and the work that the next one begins with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from claude_pool_gh.pool.model.ids import new_id
from claude_pool_gh.pool.model.ports import AgentOutcome, CapturedChange, Clock, Ending
from claude_pool_gh.pool.run.slots import Slot
from claude_pool_gh.pool.store import slot_rows, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Transaction


@dataclass(frozen=True, slots=True)
class EndedTask:
    """A task as it has ended in this transaction, and what its last attempt has changed."""

    row: TaskRow
    work: CapturedChange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a task, on the slot that it holds."""

    chain: ChainRow
    task: TaskRow
    slot: Slot
    worker: str
    is_ephemeral: bool
    """Whether another slot takes this one's place, so that no conversation goes on there."""

    def store(
        self,
        tx: Transaction,
        *,
        outcome: AgentOutcome,
        work: CapturedChange | None,
        again: bool,
        clock: Clock,
    ) -> EndedTask | None:
        """Store its outcome and work, give the slot back, and end the task unless there is another attempt.

        Returns the task as it has ended.
        """
        now, task, slot = clock.now_ms(), self.task, self.slot
        tasks.keep(tx, task, outcome, work, now)
        ended: EndedTask | None = None
        if again:
            cost = tasks.give_back(tx, task, now, outcome)
        else:
            gated = self.chain.plan.is_gated(task.step)
            cost, row = tasks.end_and_tell(tx, task, outcome, now, review=gated)
            ended = EndedTask(row, work)
        slot_rows.vacate(
            tx,
            slot.id,
            self.worker,
            slot.config,
            completed=outcome.ending is Ending.completed,
            broken=slot.broken,
            cost=cost,
            session_id=outcome.session_id,
        )
        if self.is_ephemeral and not slot.broken:
            slot.heir = slot_rows.replace(tx, slot.id, new_id("slot"))
        return ended


def not_storable(outcome: AgentOutcome, error: Exception) -> AgentOutcome:
    """The rest of an outcome that the database does not take: that there was one."""
    reason = f"its result could not be stored ({type(error).__name__})"
    return AgentOutcome(
        ending=Ending.failed,
        reason=reason,
        operator=True,
        broken=outcome.broken,
        turns=outcome.turns,
        elapsed_ms=outcome.elapsed_ms,
        session_id=outcome.session_id,
        cost_microdollars=outcome.cost_microdollars,
    )


def with_settings(chain: ChainRow, outcome: AgentOutcome) -> AgentOutcome:
    """The outcome with the settings that would change it, where a script made the chain and money was short."""
    if outcome.ending is not Ending.out_of_budget or chain.caps.least is None:
        return outcome
    own = "PoolConfig.task_budget_usd" if chain.kind == "task" else "ChainOptions.budget_usd"
    caps = f"TaskOverrides.max_budget_usd, {own} and PoolConfig.budget_microdollars"
    return replace(outcome, reason=f"{outcome.reason}; its caps are set by {caps}")


def work_before(tx: Transaction, chain: ChainRow, task: TaskRow) -> CapturedChange | None:
    """The work that a run begins with: of a rejected attempt, what was rejected; else what the last step left."""
    if task.attempt and (own := tasks.kept_work(tx, task.run_id)) is not None:
        return own
    return None if chain.work is None else tasks.kept_work(tx, chain.work["run"])
