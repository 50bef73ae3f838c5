"""Runs one task to its end: a slot, money, a folder, an agent; again where another attempt may succeed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from claude_pool_gh.pool.model.config import PoolConfig, SlotMode, resolve
from claude_pool_gh.pool.model.errors import (
    NoSlotAvailable,
    PoolError,
    PoolShutdown,
    RecipeError,
    Superseded,
)
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.ports import (
    Agent,
    AgentChannel,
    AgentOutcome,
    CapturedChange,
    Clock,
    Conversation,
    Ending,
    Observer,
    WorkspaceRequest,
    Workspaces,
)
from claude_pool_gh.pool.model.render import render
from claude_pool_gh.pool.model.states import Move
from claude_pool_gh.pool.model.texts import cleaned
from claude_pool_gh.pool.recipes import prompting
from claude_pool_gh.pool.run import attempt_end, attempt_money
from claude_pool_gh.pool.run.conversation_address import session_of, slot_of
from claude_pool_gh.pool.run.feed import Feed, recorded
from claude_pool_gh.pool.run.lent_folder import run_in_folder
from claude_pool_gh.pool.run.planned_task import PlannedTask, prompt_of
from claude_pool_gh.pool.run.retrying import may_recover, may_retry, most_attempts
from claude_pool_gh.pool.run.run_budget import StoredRunBudget
from claude_pool_gh.pool.run.running import AttemptResult, CarriedChain, RunningTask
from claude_pool_gh.pool.run.slots import Slot, SlotRequest, Slots, StoppedWaiting
from claude_pool_gh.pool.run.troubles import despite_trouble
from claude_pool_gh.pool.store import chains, context, slot_rows, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.causes import acting_for

logger = logging.getLogger(__name__)
T = TypeVar("T")
AtItsEnd = Callable[[Transaction, attempt_end.EndedTask], bool]

_LONGEST_DELAY: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunner:
    """Everything that one task needs to run in this process."""

    database: Database
    agent: Agent
    workspaces: Workspaces
    slots: Slots
    observer: Observer
    feed: Feed
    clock: Clock
    worker: str
    config: PoolConfig
    home: Path
    """Where slots keep their conversations."""

    async def write(self, held: CarriedChain, work: Callable[[Transaction], T]) -> T:
        """One transaction for a chain, as its newest carrier; the observer is told in it.

        Whoever carries a chain waits for the database for as long as it is away: what it has to write is paid for.
        """

        def fenced(tx: Transaction) -> T:
            held.cancel_requested = chains.hold(tx, held.chain_id, held.generation)
            with acting_for(f"chain:{held.chain_id}"):
                result = work(tx)
                self.observer.changed(tx, held.chain_id)
            return result

        answer, moves = await self.database.transact(recorded(fenced), forever=True)
        self.tell(held.chain_id, moves)
        return answer

    def tell(self, chain_id: str, moves: Sequence[Move]) -> None:
        """Tell whoever listens what a transaction for a chain has moved, once it is committed."""
        try:
            self.observer.committed()
        except Exception:  # it is written: nobody may take this for a write that failed
            logger.exception(
                "observer broke", extra={"action": "observer_broke", "chain": chain_id}
            )
        self.feed.publish(moves)

    async def run(
        self,
        held: CarriedChain,
        chain: ChainRow,
        unit: PlannedTask,
        task: TaskRow,
        *,
        at_its_end: AtItsEnd | None = None,
    ) -> bool | None:
        """Run one pending task to its end.

        `at_its_end`: what else is written in the transaction that ends the task. Returns what it returned, or None
        where it was not called, or failed: then the task's end is written without it.
        """
        error = str((task.outcome or {}).get("reason", "")) if not unit.rejections else ""
        if unit.fault:
            await self._fail_unstarted(held, unit, unit.fault)
            return None
        recovering, wanted = False, await self._keeper(unit.run.resume)
        for retries_left in range(unit.run.retries, -2, -1):
            try:
                async with self._slot(held, chain, unit, task, wanted) as slot:
                    with held.answering_for(task.next_run_id):
                        prompt = prompt_of(unit, task, error, recovering=recovering)
                        outcome, task, work = await self._attempt(
                            held, chain, unit, task, slot, prompt
                        )
                        held.open[task.run_id] = AttemptResult(outcome, work)
                        recovered = recovering
                        recovering = not recovered and may_recover(unit.run, outcome, retries_left)
                        again = recovering or (
                            not recovered and may_retry(unit.run, outcome, retries_left)
                        )
                        most = most_attempts(unit.run, unit.rejections)
                        again = again and task.attempt < most and not held.stop.is_set()
                        again, told = await self._end(
                            held,
                            chain,
                            task,
                            outcome,
                            work,
                            slot,
                            again=again,
                            at_its_end=at_its_end,
                        )
            except (NoSlotAvailable, StoppedWaiting) as why:
                ending = Ending.cancelled if isinstance(why, StoppedWaiting) else Ending.failed
                outcome = AgentOutcome(ending=ending, reason=str(why))
                await self.write(
                    held, partial(self._end_unstarted, task_id=unit.task_id, outcome=outcome)
                )
                return None
            except RecipeError as missing:  # a text that cannot be filled: nothing has begun
                await self._fail_unstarted(held, unit, str(missing))
                return None
            if not again:
                return told
            error = outcome.reason
            if not recovering:
                await self._pause(held, unit.run.retries - retries_left)
            task = await self.database.read(lambda tx: tasks.get(tx, unit.task_id), forever=True)
        return None

    async def _fail_unstarted(self, held: CarriedChain, unit: PlannedTask, reason: str) -> None:
        outcome = AgentOutcome(ending=Ending.failed, reason=reason)
        await self.write(held, partial(self._end_unstarted, task_id=unit.task_id, outcome=outcome))

    def _end_unstarted(self, tx: Transaction, *, task_id: str, outcome: AgentOutcome) -> None:
        tasks.end_unstarted(tx, tasks.get(tx, task_id), outcome, self.clock.now_ms())

    async def _keeper(self, resume: str | None) -> str | None:
        """The slot on which a conversation goes on; None for any.

        That of its address, if it is here. Else the process that had this slot is gone: what it kept is found by its
        session id, if the store knows of any such, and goes on wherever a slot is free.
        """
        slot, session = slot_of(resume), session_of(resume)
        if slot is None or session is None or any(each.id == slot for each in self.slots.all):
            return slot
        return None if await self.database.read(lambda tx: tasks.has_session(tx, session)) else slot

    def _slot(
        self,
        held: CarriedChain,
        chain: ChainRow,
        unit: PlannedTask,
        task: TaskRow,
        wanted: str | None,
    ) -> AbstractAsyncContextManager[Slot]:
        own = next(
            (s.config.slot_assignment_timeout_secs for s in self.slots.all if s.id == wanted), None
        )
        patience = own or self.config.slot_assignment_timeout_secs
        need = SlotRequest(
            priority=chain.priority,
            role=unit.run.role,
            slot=wanted,
            patience=patience,
            since=(chain.created_ms, chain.place),
            ticket=chain.id,
        )
        # What was done before is not taken from the patience: a lone task's first attempt alone has waited since.
        waited = (
            self.clock.now_ms() - chain.created_ms
            if chain.kind == "task" and not task.attempt
            else 0
        )
        seconds = None if patience is None else max(0.0, patience - waited / 1000)
        return self.slots.lease(need, seconds=seconds, stop=held.stop)

    async def _pause(self, held: CarriedChain, failures: int) -> None:
        """Before a retry; it ends early when there will be none, or not in this process: no library's pause does."""
        seconds = min(_LONGEST_DELAY, self.config.retry_delay_secs * 2**failures)
        signs = [asyncio.create_task(event.wait()) for event in (held.stop, self.slots.closing)]
        try:
            await asyncio.wait(signs, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for sign in signs:
                sign.cancel()

    async def _attempt(
        self,
        held: CarriedChain,
        chain: ChainRow,
        unit: PlannedTask,
        task: TaskRow,
        slot: Slot,
        prompt: str,
    ) -> tuple[AgentOutcome, TaskRow, CapturedChange | None]:
        limits = chain.plan.limits
        config = resolve(
            self.config,
            slot.config,
            unit.run.overrides,
            wall_seconds=limits.wall_seconds,
            idle_seconds=limits.idle_seconds,
        )

        # What another agent said, or a file holds, is part of them.
        system, prompt = cleaned(render(unit.run.system, unit.values)), cleaned(prompt)
        asked = render(unit.run.prompt, unit.values)

        work = prompting.agent_task(
            task.id,
            task.attempt + 1,
            system=system,
            prompt=prompt,
            more_system="",
            config=config,
            conversation=self._conversation(slot, unit.run),
        )

        def begin(
            tx: Transaction,
        ) -> tuple[
            TaskRow,
            attempt_money.SpendingLimit | AgentOutcome,
            dict[str, str],
            CapturedChange | None,
        ]:
            started = tasks.begin(
                tx, task, slot.id, config.model, self.clock.now_ms(), prompt=prompt, asked=asked
            )
            slot_rows.occupy(tx, slot.id, self.worker, slot.config, started.id)
            most = attempt_money.reserve(
                tx,
                self.agent,
                chain,
                unit,
                started,
                work,
                slots=self.slots.count,
                now_ms=self.clock.now_ms(),
            )
            return started, most, context.everything(tx), attempt_end.work_before(tx, chain, task)

        started, most, shared, start = await self.write(held, begin)
        if isinstance(most, AgentOutcome):
            return attempt_end.with_settings(chain, most), started, None
        if held.cancel_requested:  # it was asked for before anybody here could be told
            held.stop.set()
            return AgentOutcome(ending=Ending.cancelled), started, None
        more_system = prompting.more_system(config.system_prompt, slot.config, shared)
        work = replace(
            work,
            more_system=more_system,
            budget_microdollars=most.task,
            step_microdollars=most.step,
        )
        line = AgentChannel(
            stop=held.stop, run_budget=StoredRunBudget(self.database, self.clock, work)
        )
        line.heard = partial(self.feed.spoke, chain.id, started.id, line)
        live = RunningTask(started.id, started.step, slot.id, started.started_ms or 0, line)
        with held.running(live):
            wanted = WorkspaceRequest(
                run_id=started.run_id,
                slot=slot.id,
                spec=chain.plan.workspace,
                start=start,
                base_dir=self._base_dir,
                writes=config.writes,
            )
            outcome, kept = await run_in_folder(self.agent, self.workspaces, work, wanted, live)
        if work.conversation is None:  # nothing was kept that could go on
            outcome = replace(outcome, session_id=None)
        slot.broken = outcome.broken
        return attempt_end.with_settings(chain, outcome), started, kept

    @property
    def _base_dir(self) -> Path | None:
        wanted = self.config.worktree_base_dir
        return None if wanted is None else Path(wanted)

    def _conversation(self, slot: Slot, run: AgentRun) -> Conversation | None:
        if self.config.slot_mode is SlotMode.ephemeral:
            return None
        return Conversation(home=self.home / slot.id, resume=session_of(run.resume))

    async def _end(
        self,
        held: CarriedChain,
        chain: ChainRow,
        task: TaskRow,
        outcome: AgentOutcome,
        work: CapturedChange | None,
        slot: Slot,
        *,
        again: bool,
        at_its_end: AtItsEnd | None,
    ) -> tuple[bool, bool | None]:
        """Write how an attempt ended: whether there is another, and what `at_its_end` has returned.

        What was paid for is not bought again because it cannot be written: the write is tried again, and a result that
        the database will not take at all ends its task.
        """
        attempt = attempt_end.Attempt(
            chain=chain,
            task=task,
            slot=slot,
            worker=self.worker,
            is_ephemeral=self.config.slot_mode is SlotMode.ephemeral,
        )
        store = partial(attempt.store, clock=self.clock)
        if outcome.ending is Ending.completed:
            slot.restarts = 0
        if at_its_end is not None and not again:
            told = await self._end_with(
                held, partial(store, outcome=outcome, work=work, again=False), at_its_end
            )
            if told is not None:
                return False, told
        try:
            await despite_trouble(
                lambda: self.write(held, partial(store, outcome=outcome, work=work, again=again)),
                task.run_id,
                delay=self.config.retry_delay_secs,
                but=(PoolError,),
            )
        except PoolError:
            raise
        except Exception as error:  # noqa: BLE001 - logged each time; whatever it is, the task has ended
            lost = attempt_end.not_storable(outcome, error)
            await self.write(held, partial(store, outcome=lost, work=None, again=False))
            return False, None
        return again, None

    async def _end_with(
        self,
        held: CarriedChain,
        store: Callable[[Transaction], attempt_end.EndedTask | None],
        at_its_end: AtItsEnd,
    ) -> bool | None:
        """Write both in one transaction. None where that failed: nothing is written, and each has its own try."""

        def both(tx: Transaction) -> bool:
            ended = store(tx)
            assert ended is not None  # noqa: S101 - there is no other attempt
            return at_its_end(tx, ended)

        try:
            return await self.write(held, both)
        except (Superseded, PoolShutdown):
            raise
        except Exception:
            logger.exception(
                "written apart", extra={"action": "written_apart", "chain": held.chain_id}
            )
            return None
