"""The pool: what a script, or a bot, does with agents on slots.

Each method says what it means and which errors it raises; how it is done is in the modules beside this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from claude_pool_gh.pool import (
    decisions,
    live_records,
    lookups,
    opening,
    scaling,
    submission,
)
from claude_pool_gh.pool.administration import Administration
from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import Isolation, PoolConfig, SlotConfig, TaskOverrides
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.ports import Agent, Clock, HostStep, Observer, Workspaces
from claude_pool_gh.pool.model.records import (
    ChainProgress,
    ChainResult,
    StepResult,
    TaskFilter,
    TaskRecord,
    TaskResult,
)
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.run.agent_run import check_agent
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.run.feed import LIMIT, Subscription
from claude_pool_gh.pool.run.folders import SharedFolder
from claude_pool_gh.pool.store import addresses, chains, listing, queries
from claude_pool_gh.storage import Database, Transaction


@arguments.checked_methods
class Pool(Administration):
    """Agents on slots. Open one with `Pool.open`; its methods may be called from every task of the same event loop."""

    def __init__(self, core: Core, library: RecipeLibrary) -> None:
        """`open` makes the parts, and brings them to life."""
        super().__init__(core)
        self.library = library

    @classmethod
    @asynccontextmanager
    @arguments.checked
    async def open(  # noqa: PLR0913 - all optional, by name: a builder in one call
        cls,
        agent: Agent,
        *,
        name: str = chains.MAIN,
        slots: int | Sequence[SlotConfig] = 1,
        config: PoolConfig | None = None,
        state: Path | str | None = None,
        store: str | Database | None = None,
        workspaces: Workspaces | None = None,
        library: RecipeLibrary | None = None,
        host_steps: Mapping[str, HostStep] | None = None,
        observer: Observer | None = None,
        clock: Clock | None = None,
    ) -> AsyncIterator[Pool]:
        """Open a pool for the length of the block.

        With a `state` or `store`, what is unfinished at the block's end goes on when that is next opened. Without one
        the block first waits for it; where an exception ends the block, it is cancelled, and a warning says how much.

        `name`: workers on one store share the chains of a name and a folder, and leave all others alone. `slots`: how
        many, or what each decides for itself. `state`: folder for the store and the slots' conversations; without one
        they last as long as the pool. `store`: `postgresql://...` or `sqlite:///...` in place of the folder's own.
        `workspaces`: where agents work, by default in the current folder. `library`: skills and workflows by name.

        Raises TypeError and ValueError for arguments that cannot hold, ScalingRefused for a number of slots outside
        `config.scaling`, PoolError where another process runs tasks from the same SQLite file.
        """
        check_agent(agent)
        wishes = opening.PoolOptions(
            name=name,
            slots=scaling.configs(slots),
            config=config or PoolConfig(),
            state=state,
            store=store,
            workspaces=workspaces or SharedFolder(Path.cwd()),
            library=library or RecipeLibrary(),
            host_steps=host_steps or {},
            observer=observer or opening.Nobody(),
            clock=clock or SystemClock(),
        )
        scaling.check_bounds(wishes.config, len(wishes.slots))
        async with opening.opened(agent, wishes) as core:
            yield cls(core, wishes.library)

    # ---- one task

    async def run(  # noqa: PLR0913 - all optional, by name
        self,
        prompt: str,
        *,
        config: TaskOverrides | None = None,
        tags: Sequence[str] = (),
        priority: int = 0,
        role: str | None = None,
        resume: str | None = None,
        review: bool = False,
        max_rejections: int = 3,
        isolation: Isolation | None = None,
    ) -> TaskResult:
        """Run one task and wait for its end. When the caller gives up waiting, the task is cancelled.

        The arguments are those of `submit`.
        """
        new = submission.lone(
            self._core,
            prompt,
            config=config,
            tags=tags,
            priority=priority,
            role=role,
            resume=resume,
            review=review,
            max_rejections=max_rejections,
            isolation=isolation,
        )
        (result,) = await submission.see_through(self._core, submission.add(self._core, [new]))
        return result

    async def submit(  # noqa: PLR0913 - all optional, by name
        self,
        prompt: str,
        *,
        config: TaskOverrides | None = None,
        tags: Sequence[str] = (),
        priority: int = 0,
        role: str | None = None,
        resume: str | None = None,
        review: bool = False,
        max_rejections: int = 3,
        isolation: Isolation | None = None,
    ) -> TaskId:
        """Queue one task durably and return its id.

        `priority`: lower goes first. `role`: only on a slot that has it. `resume`: go on with the conversation of an
        earlier task, whose `TaskResult.session_id` this is, on its slot if that is still here. `review`: a success
        waits for `approve` or `reject`; the rejection with the number `max_rejections` fails it, those before run it
        again. `isolation`: where it works, by default as `PoolConfig.worktree_isolation`
        says.

        Raises PoolShutdown; CapReached when the pool's money is spent, or the task's own cap is less than any run with
        its model needs; ValueError for settings that cannot hold, or no such `resume`; TypeError for values of another
        type.
        """
        new = submission.lone(
            self._core,
            prompt,
            config=config,
            tags=tags,
            priority=priority,
            role=role,
            resume=resume,
            review=review,
            max_rejections=max_rejections,
            isolation=isolation,
        )
        return TaskId(*await submission.add(self._core, [new]))

    async def result(self, task_id: TaskId) -> TaskResult | None:
        """The result of a task, also when it was cancelled; None while it has not ended. Raises UnknownTask."""
        return (await lookups.task(self._core, task_id, instead="chain_result")).result

    async def wait(self, task_id: TaskId, *, timeout_secs: float | None = None) -> TaskResult:
        """Wait until a task has ended, or waits for approval. Raises UnknownTask, TimeoutError, PoolShutdown."""
        async with asyncio.timeout(timeout_secs):
            return await submission.wait(self._core, task_id)

    async def cancel(self, task_id: TaskId) -> bool:
        """End a task; what it said and cost is kept. False when it had ended already.

        Raises UnknownTask, PartOfChain for a task of a chain, which `cancel_chain` ends as a whole.
        """
        return await decisions.cancel(self._core, lambda tx: addresses.lone_task(tx, task_id))

    async def task(self, task_id: TaskId) -> TaskRecord:
        """One task. Raises UnknownTask."""
        return await lookups.task(self._core, task_id, instead="chain_progress")

    async def tasks(
        self,
        wanted: TaskFilter | None = None,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> list[TaskRecord]:
        """The tasks that a filter lets through, oldest first, as they were at one moment.

        `limit`: at most so many, the first of those that follow the task with the id `after`, the last one of the page
        before. Raises UnknownTask where that is gone, ValueError for a limit below 1.
        """
        every = wanted or TaskFilter()
        return await self.database.read(
            lambda tx: listing.tasks(tx, every, limit=limit, after=after)
        )

    async def transcript(self, task_id: TaskId) -> list[Any]:
        """The transcript of a task's last attempt, in order, redacted: entries with `what` and `text`.

        Empty while it runs. Raises UnknownTask.
        """
        return await lookups.transcript(self._core, task_id)

    async def fan_out(
        self,
        prompts: Sequence[str],
        *,
        config: TaskOverrides | None = None,
        tags: Sequence[str] = (),
    ) -> list[TaskResult]:
        """Run every prompt as a task of its own; their results in the order of the prompts, failed ones among them.

        Raises as `submit`, and then runs none.
        """
        new = [submission.lone(self._core, prompt, config=config, tags=tags) for prompt in prompts]
        return await submission.see_through(self._core, submission.add(self._core, new))

    # ---- review

    async def approve(self, task_id: TaskId | ChainId) -> None:
        """A task, or a chain's step, that waits for approval is good; a chain goes on.

        Raises NotUnderReview, UnknownTask, PartOfChain for one of several tasks of a step.
        """
        await decisions.approve(self._core, task_id)

    async def reject(self, task_id: TaskId | ChainId, feedback: str) -> bool:
        """Reject it: it runs again with all feedback so far.

        False when this was the rejection with the number `max_rejections`: then it has failed. Raises as `approve`.
        """
        return await decisions.reject(self._core, task_id, feedback)

    async def go_on(self, chain_id: ChainId) -> None:
        """Let a chain go on that asks before it spends again on a run whose process died. Raises NotUnderReview."""
        await decisions.go_on(self._core, chain_id)

    # ---- chains

    async def submit_chain(
        self,
        steps: Sequence[ChainStep],
        *,
        args: Mapping[str, Any] | None = None,
        options: ChainOptions | None = None,
    ) -> ChainId:
        """Check a chain whole, queue it durably, and return its id. Raises RecipeError, PoolShutdown, CapReached."""
        (chain_id,) = await self.fan_out_chains([steps], args=args, options=options)
        return chain_id

    async def fan_out_chains(
        self,
        every: Sequence[Sequence[ChainStep]],
        *,
        args: Mapping[str, Any] | None = None,
        options: ChainOptions | None = None,
    ) -> list[ChainId]:
        """Queue several chains, all or, where one is faulty, none; their ids in the order given."""
        self._core.check_open()
        new = self._core.orders.chains(every, args or {}, options or ChainOptions())
        return [ChainId(each) for each in await submission.add(self._core, new)]

    async def submit_workflow(
        self,
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        options: ChainOptions | None = None,
    ) -> ChainId:
        """Queue a workflow from the library as a chain. Raises RecipeError for a faulty one or wrong arguments."""
        self._core.check_open()
        new = self._core.orders.workflow(name, args or {}, options or ChainOptions())
        return ChainId(*await submission.add(self._core, [new]))

    async def chain_progress(self, chain_id: ChainId | TaskId) -> ChainProgress:
        """The progress of a chain, with what its agents say at this moment. Raises UnknownChain."""
        progress = await self.database.read(lambda tx: queries.chain_progress(tx, chain_id))
        return live_records.with_words(self.live, progress)

    async def chain_result(self, chain_id: ChainId) -> ChainResult | None:
        """The result of a chain; None while it has not ended. Raises UnknownChain."""
        return await lookups.chain_result(self._core, chain_id)

    async def chain_steps(self, chain_id: ChainId) -> tuple[StepResult, ...]:
        """The results of the steps of a chain that have ended so far, or wait for approval. Raises UnknownChain."""
        return await lookups.chain_steps(self._core, chain_id)

    async def wait_chain(
        self, chain_id: ChainId, *, timeout_secs: float | None = None
    ) -> ChainResult | None:
        """Wait until a chain has ended, and return how; None when it waits for somebody.

        Raises UnknownChain, TimeoutError, PoolShutdown.
        """
        async with asyncio.timeout(timeout_secs):
            return await lookups.wait_chain(self._core, chain_id)

    async def cancel_chain(self, chain_id: ChainId) -> bool:
        """End a chain at once, whatever of it runs; finished steps keep their results. False when it had ended.

        Raises UnknownChain.
        """
        return await decisions.cancel(
            self._core, lambda tx: addresses.chain(tx, chain_id, instead="cancel")
        )

    async def chains(
        self, *, unfinished: bool = False, limit: int | None = None, after: str | None = None
    ) -> list[ChainProgress]:
        """Every chain, oldest first, lone tasks left out, as they were at one moment.

        `limit` and `after`: a page, as in `tasks`. Raises UnknownChain where `after` is gone.
        """

        def read(tx: Transaction) -> list[ChainProgress]:
            return listing.progress(tx, unfinished=unfinished, limit=limit, after=after)

        return [live_records.with_words(self.live, each) for each in await self.database.read(read)]

    # ---- events

    def events(
        self, chain_id: ChainId | TaskId | None = None, *, limit: int = LIMIT
    ) -> Subscription:
        """The events in this process from now on: `async for event in pool.events()`; see `events`.

        `chain_id`: only of this chain, or lone task, until it has ended, here or elsewhere. `limit`: how many events
        wait at most; of a subscriber that is slower the oldest are dropped, and `Missed` says how many. Ends when the
        pool is closed. Raises PoolShutdown for a closed pool and, while it is iterated, UnknownChain.
        """
        self._core.check_open()
        return lookups.events(self._core, chain_id, limit)
