"""Carries a chain, one step at a time, each time from what is stored.

`carry` can be called again after any crash: finished steps are read, not run; a task that was running when its
process died is settled at its upper bound and starts a new attempt, or the chain asks first. Everything it learns it
stores in the transaction in which it proves that it still holds the chain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.pool.model.errors import (
    CapReached,
    PoolError,
    PoolShutdown,
    StepFailed,
    Superseded,
)
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, OnFailure, Step
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.model.states import APPROVAL, ON_THE_WAY, ChainState, StepState
from claude_pool_gh.pool.run import step_tasks
from claude_pool_gh.pool.run.attempt_end import EndedTask
from claude_pool_gh.pool.run.contained import CANCELLED, EndedItself
from claude_pool_gh.pool.run.host_steps import called
from claude_pool_gh.pool.run.planned_task import PlannedTask
from claude_pool_gh.pool.run.running import CarriedChain, RunningChains
from claude_pool_gh.pool.run.task_planning import is_skipped, planned_tasks_of
from claude_pool_gh.pool.run.task_runner import TaskRunner
from claude_pool_gh.pool.run.troubles import despite_trouble
from claude_pool_gh.pool.store import cap_uses, chains, ledger, steps
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.pool.store.incomplete import WITHHELD, is_told_less
from claude_pool_gh.pool.store.queue import Claim
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.pool.store.template_values import values_of
from claude_pool_gh.storage import Transaction

logger = logging.getLogger(__name__)

_MONEY_SECONDS: Final = 1.0
"""Between two looks whether another process has let money go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRunner:
    """Carries chains in this process."""

    attempts: TaskRunner
    live: RunningChains
    host_steps: Mapping[str, HostStep]

    def begin(self, tx: Transaction, claim: Claim) -> CarriedChain:
        """Begin a chain in the transaction that takes it up, where nothing has to be waited for."""
        held = self.live.new(claim.chain_id, claim.generation)
        if not self.attempts.slots.closing.is_set():
            held.taken_up = self._begin(tx, held, chains.claimed(tx, claim))
            held.begun = held.taken_up is not None
            self.attempts.observer.changed(tx, claim.chain_id)
        return held

    async def carry(self, held: CarriedChain) -> None:
        """Bring a chain to rest: done, or parked. Returns early when another worker has taken it over."""
        try:
            await self._carry(held)
        finally:
            self.attempts.slots.not_coming(held.chain_id)

    async def _carry(self, held: CarriedChain) -> None:
        chain_id = held.chain_id
        with self.live.carrying(held):
            try:
                # Each step has its own number of troubles: those of a long chain do not add up.
                while await despite_trouble(
                    lambda: self._advance(held),
                    chain_id,
                    delay=self.attempts.config.retry_delay_secs,
                    but=(Superseded, PoolShutdown),
                ):
                    pass
            except (Superseded, PoolShutdown) as why:
                logger.info(
                    "left a chain: %s", why, extra={"action": "chain_left", "chain": chain_id}
                )
            except Exception:
                # Some faults are in the chain itself: it is not tried for ever.
                logger.exception("chain broke", extra={"action": "chain_broke", "chain": chain_id})
                await self._give_up(held)
            held.forget_all()

    async def _advance(self, held: CarriedChain) -> bool:
        """Do the first unfinished step. True while there is more to do."""
        chain = await self._open(held)
        if chain is None or chain.state is not ChainState.running:
            return False
        position = chain.next_step
        if position is None:
            await self._finish(held, None, Outcome(verdict=Verdict.answered))
            return False
        step, record = chain.plan.steps[position], chain.steps[position]
        try:
            return await self._do(held, chain, step, record)
        except (Superseded, PoolShutdown):
            raise
        except PoolError as error:
            logger.warning(
                "step failed: %s", error, extra={"action": "step_failed", "chain": chain.id}
            )
            await self._finish(held, record, _failure(error, step.name))
            return False

    async def _open(self, held: CarriedChain) -> ChainRow | None:
        """The chain as it now is, begun where it was queued; it waits here for money that others may let go."""
        if held.taken_up is not None:
            chain, held.taken_up = held.taken_up, None
            return chain
        if held.begun:
            chain = await self.attempts.database.read(
                lambda tx: chains.get(tx, held.chain_id), forever=True
            )
            if chain.state is ChainState.running and not chain.cancel_requested:
                return chain
        while True:
            freed = self.live.freed
            began = await self.attempts.write(
                held, lambda tx: self._begin(tx, held, chains.get(tx, held.chain_id))
            )
            if began is not None:
                held.begun = True
                return began
            self.attempts.slots.not_coming(held.chain_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(_MONEY_SECONDS):
                    await freed.wait()

    def _begin(self, tx: Transaction, held: CarriedChain, chain: ChainRow) -> ChainRow | None:
        """None while the money for it is set aside for others who may not need it all."""
        chain_id, held.laid_out = held.chain_id, None
        now = self.attempts.clock.now_ms()
        if chain.state not in ON_THE_WAY:
            return chain
        if chain.cancel_requested:
            chains.finish(tx, chain, Outcome(verdict=Verdict.cancelled), now)
            return chains.get(tx, chain_id)
        if chain.state is ChainState.running:
            return chain
        if self.attempts.slots.closing.is_set():
            raise PoolShutdown("the pool takes no more work")
        try:
            ledger.ensure_reserved(tx, chain_id, chain.account, chain.caps, now)
        except CapReached as refusal:
            if cap_uses.could_be_freed(tx, chain.account, chain.caps, now):
                return None
            chains.finish(
                tx, chain, Outcome(verdict=Verdict.out_of_budget, reason=str(refusal)), now
            )
            return chains.get(tx, chain_id)
        begun = chains.begin(tx, chain, now)
        held.laid_out = step_tasks.first_tasks(tx, held, begun, now)
        return begun

    async def _do(self, held: CarriedChain, chain: ChainRow, step: Step, record: StepRow) -> bool:
        values = values_of(chain)
        if record.state is StepState.pending and is_skipped(step, values):
            await self.attempts.write(
                held, lambda tx: steps.skip(tx, record, self.attempts.clock.now_ms())
            )
            return True
        match step:
            case HostCall():
                return await self._call_host(held, chain, step, record)
            case AgentRun() | Branches():
                if is_told_less(chain, step):
                    raise StepFailed(WITHHELD, ours=True, anew=True)
                units = planned_tasks_of(chain, step, record, values)
                return await self._run_agents(held, chain, step, record, units)

    async def _call_host(
        self, held: CarriedChain, chain: ChainRow, step: HostCall, record: StepRow
    ) -> bool:
        now = self.attempts.clock.now_ms
        self.attempts.slots.not_coming(chain.id)
        if record.state is StepState.pending:
            await self.attempts.write(held, lambda tx: steps.begin(tx, record, now()))
        answer = await self._host_answer(held, chain, step)
        if answer is None:
            return True  # the next look ends the chain
        parks = step.gate and not isinstance(answer, Finish)

        def store(tx: Transaction) -> None:
            if answer.commit is not None:
                answer.commit(tx)
            if parks:
                steps.present(tx, record, answer.result)
                chains.park(tx, chains.get(tx, chain.id), APPROVAL)
            else:
                steps.complete(tx, record, answer.result, now())
            if isinstance(answer, Finish):
                chains.finish(tx, chains.get(tx, chain.id), answer.outcome, now())

        await self.attempts.write(held, store)
        return not parks and not isinstance(answer, Finish)

    async def _host_answer(
        self, held: CarriedChain, chain: ChainRow, step: HostCall
    ) -> Done | Finish | None:
        """The result of a step of the host's; None where the chain was cancelled meanwhile."""
        context = HostStepContext(chain.id, chain.plan, chain.results)
        work = asyncio.ensure_future(called(step.call, self.host_steps[step.call], context))
        stop = asyncio.create_task(held.stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when="FIRST_COMPLETED")
            if work.cancelled():  # by nobody here
                raise EndedItself(CANCELLED)
            return work.result() if work.done() else None
        finally:
            stop.cancel()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _run_agents(
        self,
        held: CarriedChain,
        chain: ChainRow,
        step: AgentRun | Branches,
        record: StepRow,
        units: Sequence[PlannedTask],
    ) -> bool:
        now = self.attempts.clock.now_ms
        waiting = step_tasks.laid_out(held, record)
        if waiting is None:
            waiting = await self.attempts.write(
                held, lambda tx: step_tasks.lay_out(tx, held, chain, record, units, now())
            )
        held.forget([unit.task_id for unit in units])
        if waiting is None:
            return False

        def collect(tx: Transaction, only: EndedTask | None = None) -> bool:
            return step_tasks.collect(tx, held, chain, step, record, now(), only=only)

        if len(units) == 1 and len(waiting) == 1:  # its end is the step's, in one transaction
            told = await self.attempts.run(held, chain, units[0], waiting[0], at_its_end=collect)
            if told is not None:
                return told
        else:
            await self._run_beside(held, chain, step, waiting, units)
        return await self.attempts.write(held, collect)

    async def _run_beside(
        self,
        held: CarriedChain,
        chain: ChainRow,
        step: AgentRun | Branches,
        waiting: Sequence[TaskRow],
        units: Sequence[PlannedTask],
    ) -> None:
        room = asyncio.Semaphore(step.at_once or max(1, len(units)))

        async def run(task: TaskRow) -> None:
            async with room:
                await self.attempts.run(held, chain, units[task.shard], task)

        # Where the step is to fail anyway, nothing more is paid for.
        fails = step.on_failure is OnFailure.fail and any(unit.fault for unit in units)
        await _all_of([run(task) for task in waiting if not fails or units[task.shard].fault])

    async def _give_up(self, held: CarriedChain) -> None:
        chain = await self.attempts.database.read(
            lambda tx: chains.get(tx, held.chain_id), forever=True
        )
        position = chain.next_step
        record = None if position is None else chain.steps[position]
        broken = StepFailed("an error on our side that did not go away", ours=True)
        with suppress(Superseded):
            await self._finish(held, record, _failure(broken, ""))

    async def _finish(self, held: CarriedChain, step: StepRow | None, outcome: Outcome) -> None:
        def store(tx: Transaction) -> None:
            chain, now = chains.get(tx, held.chain_id), self.attempts.clock.now_ms()
            if step is not None and any(
                s.id == step.id and s.state is StepState.running for s in chain.steps
            ):
                steps.fail(tx, step, now)
            chains.finish(tx, chain, outcome, now)

        await self.attempts.write(held, store)


async def _all_of(work: list[Coroutine[Any, Any, None]]) -> None:
    """Run all, each to its own end whatever becomes of the others, and raise then what one of them raised.

    Only where another worker has the chain all end at once: what they would still pay for is paid there.
    """
    errors: list[Exception] = []

    async def run(each: Coroutine[Any, Any, None]) -> None:
        try:
            await each
        except Superseded:
            raise
        except Exception as error:  # noqa: BLE001 - raised below, when all have ended
            errors.append(error)

    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(run(each))
    except BaseExceptionGroup as gone:
        raise gone.exceptions[0] from None
    if errors:  # a pool that closes leaves the chain as it is; so nobody gives it up for another one's trouble
        raise next((error for error in errors if isinstance(error, PoolShutdown)), errors[0])


def _failure(error: PoolError, step: str) -> Outcome:
    if isinstance(error, StepFailed):
        return Outcome(
            verdict=Verdict.failed, reason=error.reason, ours=error.ours, anew=error.anew
        )
    return Outcome(verdict=Verdict.failed, reason=f"step {step}: {error}")
