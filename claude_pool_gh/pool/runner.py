"""Runs a chain, one step at a time, each time from what is stored.

`advance` can be called again after any crash: finished steps are read, not run; a task that was running when its
process died is settled at its upper bound and starts a new attempt. Everything it learns it stores in the same
transaction in which it tells the observer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from claude_pool_gh.pool import chains, ledger
from claude_pool_gh.pool.chains import ChainRecord, StepRecord, TaskRecord
from claude_pool_gh.pool.errors import CapReached, PoolError, StepFailed
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.plan import AgentRun, HostCall, Plan
from claude_pool_gh.pool.ports import (
    Agent,
    AgentOutcome,
    AgentTask,
    Clock,
    Done,
    Ending,
    Finish,
    HostStep,
    HostStepContext,
    Observer,
    Workspaces,
)
from claude_pool_gh.pool.render import look_up, render
from claude_pool_gh.pool.slots import Slots
from claude_pool_gh.pool.states import ChainState, TaskState
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

MOST_GENERATIONS: Final = 5
"""A chain that broke this often for unknown reasons is given up."""

MOST_ATTEMPTS: Final = 4
"""A task whose process died this often is given up: something in it kills the server."""

LEAST_FOR_A_TASK: Final = 20_000
"""Two cents: with less, not even one small answer can be paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Everything a chain needs to run in this process."""

    database: Database
    agent: Agent
    workspaces: Workspaces
    slots: Slots
    host_steps: Mapping[str, HostStep]
    observer: Observer
    clock: Clock
    retry_delay: float = 2.0

    async def advance(self, chain_id: str) -> bool:
        """Do the first unfinished step of a chain. True while there is more to do."""
        chain = await self.database.transact(lambda tx: self._open(tx, chain_id))
        if chain.state is not ChainState.running:
            return False
        position = chain.next_step
        if position is None:
            await self._finish(chain, None, Outcome(verdict=Verdict.answered))
            return False
        try:
            return await self._do(chain, position)
        except PoolError as error:
            logger.warning("step failed: %s", error, extra={"action": "step_failed", "chain": chain_id})
            await self._finish(chain, chain.steps[position], _failure(error))
            return False
        except Exception as error:
            # The engine hands the chain over again, but not for ever: some faults are in the chain itself.
            if chain.generation < MOST_GENERATIONS:
                raise
            logger.exception("chain given up", extra={"action": "chain_given_up", "chain": chain_id})
            broken = StepFailed(f"an error on our side ({type(error).__name__})", ours=True)
            await self._finish(chain, chain.steps[position], _failure(broken))
            return False

    def _open(self, tx: Transaction, chain_id: str) -> ChainRecord:
        chain = chains.get(tx, chain_id)
        if chain.cancel_requested and chain.state in (ChainState.queued, ChainState.running):
            chains.finish(tx, chain, Outcome(verdict=Verdict.cancelled), self.clock.now_ms())
        elif chain.state is ChainState.queued:
            chains.begin(tx, chain, self.clock.now_ms())
        else:
            return chain
        self.observer.changed(tx, chain_id)
        return chains.get(tx, chain_id)

    async def _do(self, chain: ChainRecord, position: int) -> bool:
        step, record = chain.plan.steps[position], chain.steps[position]
        match step:
            case HostCall():
                return await self._call_host(chain, step, record)
            case AgentRun():
                return await self._run_agents(chain, step, record)

    async def _call_host(self, chain: ChainRecord, step: HostCall, record: StepRecord) -> bool:
        await self._begin_step(chain, record)
        context = HostStepContext(chain.id, chain.plan, chain.results)
        answer = await self.host_steps[step.call](context)

        def store(tx: Transaction) -> None:
            chains.complete_step(tx, record, answer.result, self.clock.now_ms())
            if answer.commit is not None:
                answer.commit(tx)
            if isinstance(answer, Finish):
                outcome = Outcome.model_validate(answer.outcome)
                chains.finish(tx, chains.get(tx, chain.id), outcome, self.clock.now_ms())
            self.observer.changed(tx, chain.id)

        await self.database.transact(store)
        return isinstance(answer, Done)

    async def _run_agents(self, chain: ChainRecord, step: AgentRun, record: StepRecord) -> bool:
        items = _items(chain, step)
        await self._begin_step(chain, record)
        waiting = await self.database.transact(lambda tx: self._lay_out(tx, chain, step, items))
        async with asyncio.TaskGroup() as group:
            for task in waiting:
                group.create_task(self._run_task(chain, step, task, items[task.shard], len(items)))
        await self.database.transact(lambda tx: self._collect(tx, chain, record))
        return True

    async def _begin_step(self, chain: ChainRecord, record: StepRecord) -> None:
        def store(tx: Transaction) -> None:
            chains.begin_step(tx, record, self.clock.now_ms())
            self.observer.changed(tx, chain.id)

        await self.database.transact(store)

    def _lay_out(
        self, tx: Transaction, chain: ChainRecord, step: AgentRun, items: list[Any]
    ) -> list[TaskRecord]:
        """Make the step's tasks, and give back to `pending` those whose process died under them."""
        for shard, item in enumerate(items):
            title = render(step.title or step.name, _values(chain, item))
            chains.add_task(tx, chain.id, step, shard, title, self.clock.now_ms())
        for task in chains.tasks_of(tx, chain.id, step.name):
            if task.state is TaskState.running and task.attempt >= MOST_ATTEMPTS:
                reason = f"the server died {task.attempt} times while this ran"
                chains.end_task(
                    tx, task, AgentOutcome(ending=Ending.failed, reason=reason), self.clock.now_ms()
                )
            elif task.state is TaskState.running:
                chains.return_task(tx, task, self.clock.now_ms())
        self.observer.changed(tx, chain.id)
        return [t for t in chains.tasks_of(tx, chain.id, step.name) if t.state is TaskState.pending]

    async def _run_task(
        self, chain: ChainRecord, step: AgentRun, task: TaskRecord, item: Any, siblings: int
    ) -> None:
        """Run one task to its end, again where another attempt may succeed."""
        for attempts_left in range(step.retries, -1, -1):
            async with self.slots.lease() as slot:
                outcome, task = await self._attempt(chain, step, task, item, siblings, slot)
            again = outcome.retryable and attempts_left > 0 and task.attempt < MOST_ATTEMPTS
            await self.database.transact(
                partial(self._end, chain=chain, task=task, outcome=outcome, again=again)
            )
            if not again:
                return
            await asyncio.sleep(self.retry_delay * 2 ** (step.retries - attempts_left))
            task = (await self.database.read(lambda tx: chains.tasks_of(tx, chain.id, step.name)))[task.shard]

    async def _attempt(
        self, chain: ChainRecord, step: AgentRun, task: TaskRecord, item: Any, siblings: int, slot: int
    ) -> tuple[AgentOutcome, TaskRecord]:
        def begin(tx: Transaction) -> tuple[TaskRecord, str | None]:
            started = chains.begin_task(tx, task, slot, self.clock.now_ms())
            refusal = self._reserve(tx, chain, step, started, siblings)
            self.observer.changed(tx, chain.id)
            return started, refusal

        started, refusal = await self.database.transact(begin)
        if refusal is not None:
            return AgentOutcome(ending=Ending.out_of_budget, reason=refusal), started
        try:
            work = _agent_task(chain, step, started, item)
            async with self.workspaces.lease(started.run_id, slot, chain.plan.workspace) as workspace:
                return await self.agent.run(work, workspace.folder), started
        except Exception as error:  # around one slot's task: whatever broke, slot and money come back
            logger.exception("run broke", extra={"action": "run_broke", "task": started.run_id})
            reason = f"the run could not be set up ({type(error).__name__})"
            return AgentOutcome(ending=Ending.failed, reason=reason, retryable=True), started

    def _reserve(
        self, tx: Transaction, chain: ChainRecord, step: AgentRun, task: TaskRecord, siblings: int
    ) -> str | None:
        """Set the task's money aside; the refusal to show when that cannot be."""
        at_once = min(siblings, self.slots.count)
        most = task_budget(chain.plan, step, at_once, ledger.used_by_step(tx, chain.id, step.name))
        try:
            ledger.reserve_task(
                tx, task.run_id, chain.id, step.name, most=most, least=LEAST_FOR_A_TASK,
                now_ms=self.clock.now_ms(),
            )  # fmt: skip
        except CapReached as refusal:
            return str(refusal)
        return None

    def _end(
        self, tx: Transaction, *, chain: ChainRecord, task: TaskRecord, outcome: AgentOutcome, again: bool
    ) -> None:
        if again:
            chains.return_task(tx, task, self.clock.now_ms())
        else:
            chains.end_task(tx, task, outcome, self.clock.now_ms())
        self.observer.changed(tx, chain.id)

    def _collect(self, tx: Transaction, chain: ChainRecord, record: StepRecord) -> None:
        """The step's result: every task's outcome, in the order of the items."""
        result = [
            {"title": task.title, "task": task.id} | (task.outcome or {})
            for task in chains.tasks_of(tx, chain.id, record.name)
        ]
        chains.complete_step(tx, record, result, self.clock.now_ms())
        self.observer.changed(tx, chain.id)

    async def _finish(self, chain: ChainRecord, step: StepRecord | None, outcome: Outcome) -> None:
        def store(tx: Transaction) -> None:
            now = chains.get(tx, chain.id)
            if step is not None and any(s.id == step.id and s.state is TaskState.running for s in now.steps):
                chains.fail_step(tx, step, self.clock.now_ms())
            chains.finish(tx, now, outcome, self.clock.now_ms())
            self.observer.changed(tx, chain.id)

        await self.database.transact(store)


def task_budget(plan: Plan, step: AgentRun, at_once: int, used: int) -> int:
    """Microdollars that one task of a step may use.

    An equal part of the step's share of the chain for each of the `at_once` tasks that run beside each other; what
    they leave is there for those after them, down to nothing.
    """
    share = int(plan.limits.chain * step.share)
    return max(0, min(plan.limits.task, share // max(1, at_once), share - used))


def _failure(error: PoolError) -> Outcome:
    if isinstance(error, StepFailed):
        return Outcome(verdict=Verdict.failed, reason=error.reason, ours=error.ours)
    return Outcome(verdict=Verdict.failed, reason=str(error))


def _items(chain: ChainRecord, step: AgentRun) -> list[Any]:
    if step.each is None:
        return [{}]
    found = look_up(step.each, chain.results)
    if not isinstance(found, list):
        raise StepFailed(f"step {step.name} wants a list at {step.each}")
    return found


def _values(chain: ChainRecord, item: Any) -> dict[str, Any]:
    return {"steps": chain.results, "item": item, "args": chain.plan.context}


def _agent_task(chain: ChainRecord, step: AgentRun, task: TaskRecord, item: Any) -> AgentTask:
    return AgentTask(
        id=task.id,
        attempt=task.attempt,
        system=render(step.system, {"args": chain.plan.context, "steps": chain.results}),
        prompt=render(step.prompt, _values(chain, item)),
        tools=step.tools,
        model=step.model,
        effort=step.effort,
        turns=step.turns,
        schema=step.output,
        wall_seconds=chain.plan.limits.wall_seconds,
        idle_seconds=chain.plan.limits.idle_seconds,
    )
