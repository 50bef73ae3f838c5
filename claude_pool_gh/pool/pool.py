"""The pool: what a script, or a bot, does with agents on slots."""

from __future__ import annotations

import asyncio
import itertools
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import Isolation, PoolConfig, SlotConfig, SlotMode, TaskOverrides
from claude_pool_gh.pool.model.errors import PoolShutdown, ScalingRefused, UnknownChain, UnknownSlot
from claude_pool_gh.pool.model.events import ChainFinished
from claude_pool_gh.pool.model.ids import ChainId, TaskId, checked, new_id
from claude_pool_gh.pool.model.plan import ALONE, AgentRun
from claude_pool_gh.pool.model.ports import Agent, Clock, HostStep, Observer, Workspaces
from claude_pool_gh.pool.model.records import (
    ChainProgress,
    ChainResult,
    DrainSummary,
    Load,
    PoolStatus,
    SlotFilter,
    SlotRecord,
    StepResult,
    TaskFilter,
    TaskRecord,
    TaskResult,
)
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.recipes.library import Shelf
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.run.agent_run import at_work, check_agent, least
from claude_pool_gh.pool.run.carrying import Carrying
from claude_pool_gh.pool.run.chain_factory import ChainOptions, Orders
from claude_pool_gh.pool.run.chain_runner import Runner
from claude_pool_gh.pool.run.dispatch_lock import dispatching_from
from claude_pool_gh.pool.run.dispatcher import Dispatcher
from claude_pool_gh.pool.run.feed import LIMIT, Feed, Subscription, end_of, recorded
from claude_pool_gh.pool.run.folders import SharedFolder
from claude_pool_gh.pool.run.queues import queue_on
from claude_pool_gh.pool.run.running import Live
from claude_pool_gh.pool.run.slots import Slot, Slots
from claude_pool_gh.pool.run.supervisor import Supervisor, may_restart
from claude_pool_gh.pool.run.task_runner import Attempts
from claude_pool_gh.pool.run.waiting import Waiting
from claude_pool_gh.pool.store import (
    addresses,
    approvals,
    cap_uses,
    chain_results,
    chains,
    context,
    listing,
    places,
    queries,
    queue,
    retention,
    slot_rows,
    task_records,
    tasks,
)
from claude_pool_gh.pool.store.chains import NewChain
from claude_pool_gh.pool.store.closed import CLOSED, CLOSED_AND_GONE, ClosedDatabase
from claude_pool_gh.pool.store.metrics import MetricsFilter, SessionMetrics, measure
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.storage.owners import new_owner
from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.storage.retries import passes

logger = logging.getLogger(__name__)
T = TypeVar("T")
_MEND_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.1
_AFTER_THE_DEADLINE: Final = 12.0
"""Seconds that a drain gives to what it has to end by force."""
_LAST_WORD: Final = 10.0
"""Seconds that a drain gives to the store for its summary, and a close to what is still to be written."""
_GIVING_UP: Final = 30.0
"""Seconds for which a caller that gives up is held until its tasks are cancelled in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a pool is put together from, besides its agent, slots and settings."""

    queue: str
    """Under which its chains are queued; see `places`."""
    kept: bool
    """Whether its store is there after its end."""
    worker: str
    home: Path
    workspaces: Workspaces
    shelf: Shelf
    host_steps: Mapping[str, HostStep]
    observer: Observer
    clock: Clock


class Pool:
    """Agents on slots. Open one with `Pool.open`; its methods may be called from every task of the same event loop."""

    def __init__(
        self,
        agent: Agent,
        configs: Mapping[str, SlotConfig],
        config: PoolConfig,
        database: Database,
        parts: Parts,
    ) -> None:
        """Put the parts together; `open` makes them and brings them to life."""
        self.config, self.database, self.shelf = config, database, parts.shelf
        self._queue_name, self._workspaces = parts.queue, parts.workspaces
        clock, observer, host_steps = parts.clock, parts.observer, parts.host_steps
        self.live, self._feed = Live(), Feed()
        self._clock, self._observer, self._worker = clock, observer, parts.worker
        self._started_ms, self._closing = clock.now_ms(), False
        self._places = itertools.count()  # tells apart what is made in the same millisecond
        self._orders = Orders(config, parts.shelf, frozenset(host_steps), partial(least, agent))
        ephemeral = config.slot_mode is SlotMode.ephemeral
        self._slots = Slots(
            [Slot(name, own) for name, own in configs.items()],
            renewed=(lambda slot: Slot(slot.heir or new_id("slot"), slot.config)) if ephemeral else None,
            retired=self._retired,
            revivable=lambda slot: may_restart(config, slot),
        )
        attempts = Attempts(
            database=database,
            agent=agent,
            workspaces=parts.workspaces,
            slots=self._slots,
            observer=observer,
            feed=self._feed,
            clock=clock,
            worker=self._worker,
            config=config,
            home=parts.home / "slots",
        )
        self._kept, self._waiting = parts.kept, Waiting(database, kept=parts.kept)
        runner = Runner(attempts=attempts, live=self.live, host_steps=host_steps)
        self._dispatcher = Dispatcher(
            database=database,
            queue=queue_on(database, clock, self._worker, parts.queue),
            events=Carrying(runner, self._slots, self._waiting, observer, self._feed),
            live=self.live,
            clock=clock,
            at_most=config.max_chains,
        )
        self._supervisor = Supervisor(database, self._slots, config)
        self._errands: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
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
        shelf: Shelf | None = None,
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
        `workspaces`: where agents work, by default in the current folder. `shelf`: skills and workflows by name.

        Raises TypeError and ValueError for arguments that cannot hold, ScalingRefused for a number of slots outside
        `config.scaling`, PoolError where another process runs tasks from the same SQLite file.
        """
        check_agent(agent)
        arguments.settings("config", config, PoolConfig)
        config, clock = config or PoolConfig(), clock or SystemClock()
        configs = arguments.slots(slots)
        _check_bounds(config, len(configs))
        async with AsyncExitStack() as stack:
            home = (
                private_folder(Path(state)) if state is not None else Path(stack.enter_context(_temporary()))
            )
            database = _database(store, None if state is None else home, stack)
            stack.enter_context(dispatching_from(database))
            migrations.upgrade(database.engine)
            await stack.enter_async_context(at_work(agent, database, clock))
            worker = new_owner()
            names = await database.transact(lambda tx: slot_rows.register(tx, worker, configs))
            workspaces = workspaces or SharedFolder(Path.cwd())
            named = places.queue_of(name, workspaces.folder)
            await database.transact(lambda tx: places.adopt(tx, name, named))
            for folder, count in (await database.read(lambda tx: places.elsewhere(tx, name, named))).items():
                logger.warning(
                    "%s submitted to work in %s are unfinished: they go on when a pool is opened in that folder",
                    count, folder, extra={"action": "work_elsewhere"},
                )  # fmt: skip
            parts = Parts(
                queue=named,
                kept=state is not None or store is not None,
                worker=worker,
                home=home,
                workspaces=workspaces,
                shelf=shelf or Shelf(),
                host_steps=host_steps or {},
                observer=observer or _Nobody(),
                clock=clock,
            )
            pool = cls(agent, dict(zip(names, configs, strict=True)), config, database, parts)
            stack.push_async_callback(pool._close)
            await pool._dispatcher.launch()
            looking = pool._waiting.look_for_ever(pool._dispatcher.is_alone)
            loops = [pool._supervisor.watch(), looking, pool._mend_for_ever()]
            stack.push_async_callback(_cancel, [asyncio.create_task(loop) for loop in loops])
            if not parts.kept:
                await stack.enter_async_context(pool._to_the_end())
            yield pool

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

        async def submit() -> list[TaskId]:
            submitted = self.submit(
                prompt, config=config, tags=tags, priority=priority, role=role, resume=resume, review=review,
                max_rejections=max_rejections, isolation=isolation,
            )  # fmt: skip
            return [await submitted]

        (result,) = await self._see_through(submit())
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
        waits for `approve` or `reject`. `isolation`: where it works, by default as `PoolConfig.worktree_isolation`
        says.

        Raises PoolShutdown; CapReached when the pool's money is spent, or the task's own cap is less than any run with
        its model needs; ValueError for settings that cannot hold, or no such `resume`; TypeError for values of another
        type.
        """
        self._check_open()
        arguments.text("prompt", prompt)
        arguments.settings("config", config, TaskOverrides)
        tags = arguments.texts("tags", tags)
        arguments.whole("priority", priority)
        arguments.whole("max_rejections", max_rejections)
        arguments.yes_or_no("review", review)
        if role is not None:
            arguments.text("role", role)
        for part in () if resume is None else resume.partition("/")[::2]:
            checked(part)
        if resume is not None and self.config.slot_mode is SlotMode.ephemeral:
            raise ValueError("this pool's slots are ephemeral: they keep no conversation that could go on")
        run = AgentRun(
            name=ALONE, prompt="{args.prompt}", overrides=config or TaskOverrides(), role=role, resume=resume,
            gate=review, max_rejections=max_rejections,
        )  # fmt: skip
        now, place = self._clock.now_ms(), next(self._places)
        new = self._orders.lone(
            prompt, run, tags=tags, priority=priority, place=place, now_ms=now, isolation=isolation
        )
        (task_id,) = await self._add([new])
        return TaskId(task_id)

    async def result(self, task_id: TaskId) -> TaskResult | None:
        """How a task ended, also when it was cancelled; None while it has not. Raises UnknownTask."""
        return (await self._task(task_id, instead="chain_result")).result

    async def wait(self, task_id: TaskId, *, timeout_secs: float | None = None) -> TaskResult:
        """Wait until a task has ended, or waits for approval. Raises UnknownTask, TimeoutError, PoolShutdown."""
        asked = partial(addresses.chain_of_task, given=task_id, instead="wait_chain")
        chain_id = await self.database.read(asked, forever=True)
        async with asyncio.timeout(timeout_secs):
            if chain_id == task_id:  # a lone one: its money is back too
                await self._waiting.rest(chain_id)
            task = await self._seen(task_id)
            while task.result is None:
                await self._waiting.rest(task.chain_id)
                task = await self._seen(task_id)
                if task.result is None:  # its chain has parked before it ran
                    await asyncio.sleep(_LOOK_SECONDS)
        return task.result

    async def cancel(self, task_id: TaskId) -> bool:
        """End a task; what it said and cost is kept. False when it had ended already.

        Raises UnknownTask, PartOfChain for a task of a chain, which `cancel_chain` ends as a whole.
        """
        return await self._cancel(lambda tx: addresses.lone_task(tx, task_id))

    async def task(self, task_id: TaskId) -> TaskRecord:
        """One task. Raises UnknownTask."""
        return await self._task(task_id, instead="chain_progress")

    async def tasks(
        self, wanted: TaskFilter | None = None, *, limit: int | None = None, after: str | None = None
    ) -> list[TaskRecord]:
        """The tasks that a filter lets through, oldest first, as they were at one moment.

        `limit`: at most so many, the first of those that follow the task with the id `after`, the last one of the page
        before. Raises UnknownTask where that is gone, ValueError for a limit below 1.
        """
        every = wanted or TaskFilter()
        return await self.database.read(lambda tx: listing.tasks(tx, every, limit=limit, after=after))

    async def transcript(self, task_id: TaskId) -> list[Any]:
        """What happened in a task's last attempt, in order, redacted: entries with `what` and `text`.

        Empty while it runs. Raises UnknownTask.
        """

        def read(tx: Transaction) -> list[Any]:
            addresses.chain_of_task(tx, task_id, instead="tasks(TaskFilter(chain_id=...))")
            return tasks.transcript(tx, task_id)

        return await self.database.read(read)

    async def fan_out(
        self, prompts: Sequence[str], *, config: TaskOverrides | None = None, tags: Sequence[str] = ()
    ) -> list[TaskResult]:
        """Run every prompt as a task of its own; their results in the order of the prompts, failed ones among them.

        Raises as `submit`, and then runs none.
        """
        prompts, tags = arguments.texts("prompts", prompts), arguments.texts("tags", tags)
        arguments.settings("config", config, TaskOverrides)
        run = AgentRun(name=ALONE, prompt="{args.prompt}", overrides=config or TaskOverrides())
        now = self._clock.now_ms()
        new = [
            self._orders.lone(prompt, run, tags=tags, priority=0, place=next(self._places), now_ms=now)
            for prompt in prompts
        ]

        async def submit() -> list[TaskId]:
            return [TaskId(each) for each in await self._add(new)]

        return await self._see_through(submit())

    # ---- review

    async def approve(self, task_id: TaskId | ChainId) -> None:
        """A task, or a chain's step, that waits for approval is good; a chain goes on.

        Raises NotUnderReview, UnknownTask, PartOfChain for one of several tasks of a step.
        """
        await self._decide(
            task_id, lambda tx, chain_id: approvals.approve(tx, chain_id, self._clock.now_ms())
        )

    async def reject(self, task_id: TaskId | ChainId, feedback: str) -> bool:
        """It is not good: it runs again with all feedback so far. False when that was once too often, and it failed."""
        arguments.text("feedback", feedback)
        now = self._clock.now_ms
        return bool(await self._decide(task_id, lambda tx, c: approvals.reject(tx, c, feedback, now())))

    async def go_on(self, chain_id: ChainId) -> None:
        """Let a chain go on that asks before it spends again on a run whose process died. Raises NotUnderReview."""

        def decide(tx: Transaction, _chain_id: str) -> None:
            addresses.chain(tx, chain_id, instead="approve or reject")
            approvals.go_on(tx, chain_id, self._clock.now_ms())

        await self._decide(chain_id, decide)

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
        self._check_open()
        for steps in every:
            for step in steps:
                arguments.settings("every step", step, ChainStep)
        arguments.settings("options", options, ChainOptions)
        arguments.storable("args", args)
        added = await self._add(self._orders.chains(every, args or {}, options or ChainOptions()))
        return [ChainId(each) for each in added]

    async def submit_workflow(
        self, name: str, args: Mapping[str, Any] | None = None, *, options: ChainOptions | None = None
    ) -> ChainId:
        """Queue a workflow from the shelf as a chain. Raises RecipeError for a faulty one or wrong arguments."""
        self._check_open()
        arguments.settings("options", options, ChainOptions)
        arguments.storable("args", args)
        (chain_id,) = await self._add([self._orders.workflow(name, args or {}, options or ChainOptions())])
        return ChainId(chain_id)

    async def chain_progress(self, chain_id: ChainId | TaskId) -> ChainProgress:
        """How far a chain is, with what its agents say at this moment. Raises UnknownChain."""
        progress = await self.database.read(lambda tx: queries.chain_progress(tx, chain_id))
        return self._with_words(progress)

    async def chain_result(self, chain_id: ChainId) -> ChainResult | None:
        """How a chain ended; None while it has not. Raises UnknownChain."""

        def read(tx: Transaction) -> ChainResult | None:
            return chain_results.chain_result(tx, addresses.chain(tx, chain_id, instead="result"))

        return await self.database.read(read)

    async def chain_steps(self, chain_id: ChainId) -> tuple[StepResult, ...]:
        """What each step of a chain came to that has ended so far, or waits for approval. Raises UnknownChain."""

        def read(tx: Transaction) -> tuple[StepResult, ...]:
            return chain_results.step_results(tx, addresses.chain(tx, chain_id, instead="task"))

        return await self.database.read(read)

    async def wait_chain(self, chain_id: ChainId, *, timeout_secs: float | None = None) -> ChainResult | None:
        """Wait until a chain has ended, and return how; None when it waits for somebody.

        Raises UnknownChain, TimeoutError, PoolShutdown.
        """
        await self.database.read(lambda tx: addresses.chain(tx, chain_id, instead="wait"))
        async with asyncio.timeout(timeout_secs):
            await self._waiting.rest(chain_id)
            return await self.database.read(lambda tx: chain_results.chain_result(tx, chain_id), forever=True)

    async def cancel_chain(self, chain_id: ChainId) -> bool:
        """End a chain at once, whatever of it runs; finished steps keep their results. False when it had ended.

        Raises UnknownChain.
        """
        return await self._cancel(lambda tx: addresses.chain(tx, chain_id, instead="cancel"))

    async def chains(
        self, *, unfinished: bool = False, limit: int | None = None, after: str | None = None
    ) -> list[ChainProgress]:
        """Every chain, oldest first, lone tasks left out, as they were at one moment.

        `limit` and `after`: a page, as in `tasks`. Raises UnknownChain where `after` is gone.
        """
        found = await self.database.read(
            lambda tx: listing.progress(tx, unfinished=unfinished, limit=limit, after=after)
        )
        return [self._with_words(progress) for progress in found]

    async def prune(self, *, older_than_secs: float) -> int:
        """Delete this pool's tasks and chains that ended longer ago than this; returns how many of them.

        With them go their records, transcripts and patches: nobody can ask for them, or go on after them in a list.
        What they cost stays in `status` and in every cap. Chains that belong to a thread, as a bot's do, stay, with all
        that refers to them, and lose their transcripts. Raises ValueError for a negative time.
        """
        if older_than_secs < 0:
            raise ValueError(
                f"older_than_secs is {older_than_secs:g}: give the seconds that what ended is kept"
            )
        before, deleted = self._clock.now_ms() - int(older_than_secs * 1000), 0
        while some := await self.database.transact(lambda tx: retention.prune(tx, self._queue_name, before)):
            deleted += some
        await self.database.transact(lambda tx: retention.forget_transcripts(tx, self._queue_name, before))
        return deleted

    # ---- shared context

    async def set_context(self, key: str, value: str) -> None:
        """Tell every task that starts from now on. Raises ValueError where it is too long, or cannot be stored."""
        arguments.text("key", key)
        arguments.text("value", value)
        await self.database.transact(lambda tx: context.put(tx, key, value, self._clock.now_ms()))

    async def get_context(self, key: str) -> str | None:
        """What is told under a key; None when nothing is."""
        return await self.database.read(lambda tx: context.get(tx, key))

    async def delete_context(self, key: str) -> bool:
        """Tell it no more. False when it was not told."""
        return await self.database.transact(lambda tx: context.delete(tx, key))

    async def list_context(self) -> dict[str, str]:
        """All that is told, by key, in order."""
        return await self.database.read(context.everything)

    # ---- slots

    async def slots(self, wanted: SlotFilter | None = None) -> list[SlotRecord]:
        """The slots of every worker on the store that a filter lets through."""
        found = await self.database.read(lambda tx: queries.slots(tx, wanted or SlotFilter()))
        return [self._with_folder(slot) for slot in found]

    async def configure_slot(self, slot_id: str, config: SlotConfig) -> None:
        """Change what one of this process's slots decides, from its next task on. Raises UnknownSlot."""
        self._check_open()
        arguments.settings("config", config, SlotConfig)
        slot = self._slot(slot_id)
        await self.database.transact(lambda tx: slot_rows.configure(tx, slot_id, config))
        self._slots.configure(slot, config)

    async def restart_slot(self, slot_id: str) -> None:
        """Put an errored slot back into service, however often it was restarted before.

        Raises UnknownSlot, IllegalTransition where it is not errored.
        """
        self._check_open()
        await self._supervisor.restart(self._slot(slot_id))

    async def scale_up(self, count: int, *, config: SlotConfig | None = None) -> list[str]:
        """More slots, which take what waits at once; returns their ids. Raises ScalingRefused, and then adds none."""
        self._check_open()
        _check_bounds(self.config, self._slots.count + count)
        if count < 0:
            raise ScalingRefused("to have fewer slots, use scale_down")
        configs = [config or SlotConfig()] * count
        names = await self.database.transact(lambda tx: slot_rows.register(tx, self._worker, configs))
        try:
            _check_bounds(self.config, self._slots.count + count)  # another call may have been faster
        except ScalingRefused:
            await self.database.transact(lambda tx: slot_rows.remove(tx, names))
            raise
        self._slots.add(Slot(name, own) for name, own in zip(names, configs, strict=True))
        self._dispatcher.wake()
        return names

    async def scale_down(self, count: int) -> list[str]:
        """Fewer slots, idle ones first; a busy one finishes its task, takes no other, and goes. Returns their ids.

        Raises ScalingRefused, and then removes none.
        """
        self._check_open()
        if count < 0:
            raise ScalingRefused("to have more slots, use scale_up")
        _check_bounds(self.config, self._slots.count - count)
        return [slot.id for slot in self._slots.retire(count)]

    async def set_target_slots(self, count: int) -> None:
        """As many slots as this. Raises ScalingRefused."""
        more = count - self._slots.count
        if more > 0:
            await self.scale_up(more)
        else:
            await self.scale_down(-more)

    # ---- the whole

    def events(self, chain_id: ChainId | TaskId | None = None, *, limit: int = LIMIT) -> Subscription:
        """What happens in this process from now on: `async for event in pool.events()`; see `events`.

        `chain_id`: only of this chain, or lone task, until it has ended, here or elsewhere. `limit`: how many events
        wait at most; of a subscriber that is slower the oldest are dropped, and `Missed` says how many. Ends when the
        pool is closed. Raises PoolShutdown for a closed pool and, while it is iterated, UnknownChain.
        """
        self._check_open()
        if chain_id is None:
            return self._feed.subscribe(Subscription(limit))

        async def ended() -> ChainFinished | None:
            if chain_id in self.live.held:
                return None
            return end_of(await self.database.read(lambda tx: chains.get(tx, chain_id)))

        return self._feed.subscribe(Subscription(limit, chain_id, ended))

    async def status(self) -> PoolStatus:
        """The pool at a glance."""
        budget, closing = self.config.budget_microdollars, self._closing
        return await self.database.read(lambda tx: queries.status(tx, budget=budget, shutdown=closing))

    @property
    def load(self) -> Load:
        """What this process does at this moment."""
        return Load(
            slots=self._slots.count,
            busy=self._slots.busy,
            tasks_waiting=self._slots.waiting,
            chains_running=self._dispatcher.running,
        )

    async def metrics(self, wanted: MetricsFilter | None = None) -> SessionMetrics:
        """Sums over the tasks that a filter lets through; without one, over those made since the pool was opened."""
        asked = wanted or MetricsFilter(since_ms=self._started_ms)
        measured = await self.database.read(lambda tx: queries.measured(tx, asked))
        return measure(measured, started_ms=self._started_ms, now_ms=self._clock.now_ms())

    async def drain(self, deadline_secs: float = 60.0) -> DrainSummary:
        """Take no more work, let running tasks end, and end by force what still runs at the deadline.

        What had not begun stays queued in the store; where none is kept it is `lost`, and not waited for. Always
        returns, at the latest some 25 seconds after the deadline, also where the store does not answer: then the
        summary is not `known`. Raises PoolShutdown for a closed pool.
        """
        self._check_open()
        self._closing = True
        self._dispatcher.drain()
        self._slots.close()
        self.live.rouse()
        await self._until_still(deadline_secs)
        late = await self._end_late()
        try:
            async with asyncio.timeout(_LAST_WORD):
                return await self._summary(late)
        except Exception as error:
            if not (isinstance(error, TimeoutError) or passes(error)):
                raise
            logger.exception("drained without the store", extra={"action": "drained_unknown"})
            return DrainSummary(
                total_cost_microdollars=0, total_tasks_completed=0, cancelled=tuple(late), left_queued=0, known=False
            )  # fmt: skip
        finally:
            self._waiting.close()

    async def _summary(self, late: Sequence[str]) -> DrainSummary:
        gone = [slot.id for slot in self._slots.all if self.config.slot_mode is SlotMode.persistent]
        await self.database.transact(lambda tx: slot_rows.stop(tx, gone))
        completed, spent = await self.database.read(lambda tx: queries.done_since(tx, self._started_ms))
        unfinished = await self._left(parked=not self._kept)
        return DrainSummary(
            total_cost_microdollars=spent,
            total_tasks_completed=completed,
            cancelled=tuple(late),
            left_queued=len(unfinished) if self._kept else 0,
            lost=0 if self._kept else len(unfinished),
        )

    async def hand_over(self, deadline_secs: float) -> int:
        """Take no more work, let running tasks end, and leave everything else to the store's other workers.

        What still runs at the deadline is not cancelled: it stays unfinished, and its step begins again elsewhere once
        this pool is closed. Returns how many chains that concerns.
        """
        self._check_open()
        self._closing = True
        self._dispatcher.drain()
        self._slots.close()
        self.live.rouse()
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_secs):
                while self._dispatcher.running:
                    await self._dispatcher.let_go()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self.live.freed.wait(), _LOOK_SECONDS)
        await self._dispatcher.let_go()
        return self._dispatcher.running

    def wake(self) -> None:
        """Somebody else has queued a chain in the pool's database."""
        self._dispatcher.wake()

    # ---- inside

    async def _add(self, new: Sequence[NewChain]) -> list[str]:
        """Store chains, all or none, and let the engine know."""
        self._check_open()
        if self._closing:
            raise PoolShutdown("the pool takes no more work")
        new = await self._pinned(new)

        def store(tx: Transaction) -> None:
            now = self._clock.now_ms()
            for each in new[:1]:
                cap_uses.check_hope(tx, each.account, each.caps, now)
            for each in new:
                chains.add(tx, each, now)
                self._observer.changed(tx, each.id)

        _, moves = await self.database.transact(recorded(store))
        self._observer.committed()
        self._feed.publish(moves)
        self._dispatcher.wake()
        return [each.id for each in new]

    async def _see_through(self, adding: Coroutine[Any, Any, list[TaskId]]) -> list[TaskResult]:
        """The results of tasks that are being added; when their caller gives up, they are cancelled."""
        added = asyncio.create_task(adding)
        try:
            return await self._results(await asyncio.shield(added))
        except asyncio.CancelledError:
            await asyncio.shield(self._run_errand(self._give_up(added)))
            raise

    async def _results(self, ids: Sequence[TaskId]) -> list[TaskResult]:
        """The results of lone tasks, in the same order, once all are there; they are read together."""
        for task_id in ids:
            await self._waiting.rest(task_id)
        found = await self.database.read(lambda tx: listing.lone(tx, ids))
        return [task.result or await self.wait(task.id) for task in found]

    async def _give_up(self, added: asyncio.Task[list[TaskId]]) -> None:
        """End tasks that nobody waits for; those that have not begun never do. Raises nothing.

        What runs, and costs, is stopped first: that needs no store. The store is told in the same moment, of all of
        them at once, so that none gets another's slot.
        """
        try:
            ids = await added
        except Exception:  # noqa: BLE001 - there is nobody any more to whom it could be told, and nothing to end
            return
        for task_id in ids:
            self.live.stop(task_id)
        try:
            async with asyncio.timeout(_GIVING_UP):
                await self._cancel_all(ids)
        except Exception:
            told = {"action": "not_cancelled", "tasks": list(ids)}
            logger.exception("what nobody waits for is not cancelled in the store", extra=told)

    async def _cancel_all(self, ids: Sequence[str]) -> None:
        def request(tx: Transaction) -> None:
            for task_id in ids:
                with suppress(UnknownChain):  # it was deleted meanwhile
                    if chains.request_cancel(tx, task_id, self._clock.now_ms()):
                        self._observer.changed(tx, task_id)

        _, moves = await self.database.transact(recorded(request), forever=True)
        self._observer.committed()
        self._feed.publish(moves)
        for task_id in ids:
            self.live.stop(task_id)
            self._waiting.wake(task_id)

    async def _pinned(self, new: Sequence[NewChain]) -> list[NewChain]:
        """The same chains, each with where its agents will work as that stands now."""
        isolations = [each.plan.workspace.isolation or Isolation.none for each in new]
        pins = {each: await self._workspaces.pinned(each) for each in set(isolations)}
        plans = [
            each.plan.model_copy(update={"workspace": pins[isolation]})
            for each, isolation in zip(new, isolations, strict=True)
        ]
        return [
            replace(each, plan=plan, pool=self._queue_name) for each, plan in zip(new, plans, strict=True)
        ]

    async def _task(self, task_id: str, *, instead: str) -> TaskRecord:
        def read(tx: Transaction) -> TaskRecord:
            addresses.chain_of_task(tx, task_id, instead=instead)
            return task_records.task(tx, task_id)

        return await self.database.read(read)

    async def _decide(self, given: str, decision: Callable[[Transaction, str], T]) -> T:
        def decide(tx: Transaction) -> tuple[str, T]:
            chain_id = addresses.decided(tx, given)
            result = decision(tx, chain_id)
            self._observer.changed(tx, chain_id)
            return chain_id, result

        (chain_id, result), moves = await self.database.transact(recorded(decide))
        self._observer.committed()
        self._feed.publish(moves)
        self._waiting.wake(chain_id)
        self._dispatcher.wake()
        return result

    async def _seen(self, task_id: str) -> TaskRecord:
        """A task for somebody who waits for it, and so for the database too."""
        return await self.database.read(lambda tx: task_records.task(tx, task_id), forever=True)

    async def _cancel(self, named: Callable[[Transaction], str]) -> bool:
        def request(tx: Transaction) -> tuple[str, bool]:
            chain_id = named(tx)
            before = chains.get(tx, chain_id).state
            if chains.request_cancel(tx, chain_id, self._clock.now_ms()):
                self._observer.changed(tx, chain_id)
            return chain_id, before is not ChainState.done

        (chain_id, was_open), moves = await self.database.transact(recorded(request))
        self._observer.committed()
        self._feed.publish(moves)
        self.live.stop(chain_id)
        self._waiting.wake(chain_id)
        return was_open

    def _retired(self, slot: Slot) -> None:
        """A slot is gone for good."""
        stop = partial(slot_rows.stop, slot_ids=[slot.heir or slot.id])
        self._run_errand(self.database.transact(stop, forever=True))

    def _run_errand(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        errand = asyncio.create_task(work)
        self._errands.add(errand)
        errand.add_done_callback(self._errands.discard)
        return errand

    async def _end_errands(self) -> None:
        """Let them come to their end, and cancel those that wait for a store which does not answer."""
        errands = list(self._errands)
        if not errands:
            return
        _, late = await asyncio.wait(errands, timeout=_LAST_WORD)
        for errand in late:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)
        if late:
            logger.warning(
                "the store did not answer: %d of the pool's last writes are left undone", len(late),
                extra={"action": "errands_cancelled"},
            )  # fmt: skip

    async def _mend_for_ever(self) -> None:
        """Free the rows of slots whose last run ended where the database could not be written."""
        while True:
            await asyncio.sleep(_MEND_SECONDS)
            with suppress(Exception):
                await self.database.transact(
                    lambda tx: slot_rows.mend(tx, self._worker, self._slots.idle_ids)
                )

    def _slot(self, slot_id: str) -> Slot:
        found = next((slot for slot in self._slots.all if slot.id == slot_id), None)
        if found is None:
            raise UnknownSlot(f"this process has no slot {slot_id!r}")
        return found

    def _with_words(self, progress: ChainProgress) -> ChainProgress:
        """The progress with what its agents say, where they are here."""
        held = self.live.held.get(progress.chain_id)
        if held is None or not held.runs:
            return progress
        said = [run.line.partial for run in held.runs.values() if run.line.partial]
        return progress.model_copy(update={"current_step_partial_output": "\n".join(said)})

    def _with_folder(self, slot: SlotRecord) -> SlotRecord:
        """The record with where its agent works, where that is here."""
        run = None if slot.current_task is None else self.live.run_of(slot.current_task)
        return slot.model_copy(update={"worktree_path": str(run.folder)}) if run and run.folder else slot

    async def _until_still(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.live.held:
                    await self.live.freed.wait()

    async def _end_late(self) -> list[str]:
        """End by force whatever still runs an agent; what only waits for something leaves by itself."""
        late: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(_AFTER_THE_DEADLINE):
                while self.live.held:
                    freed = self.live.freed
                    running = [chain_id for chain_id, held in self.live.held.items() if held.runs]
                    for chain_id in set(running) - set(late):
                        late.append(chain_id)
                        self.live.stop(chain_id)  # needs no store
                        try:
                            await self._cancel(lambda _tx, chain_id=chain_id: chain_id)  # type: ignore[misc]
                        except Exception as error:
                            if not passes(error):
                                raise
                            logger.warning(
                                "a chain's end is not in the store: %s", error, extra={"chain": chain_id}
                            )
                    with suppress(TimeoutError):
                        await asyncio.wait_for(freed.wait(), _LOOK_SECONDS)
        return late

    async def _close(self) -> None:
        self._closing = True
        self._slots.close()
        await self._dispatcher.close()
        self._waiting.close()
        await self._waiting.gone()
        await self._end_errands()
        self._feed.close()
        self.database = ClosedDatabase(CLOSED if self._kept else CLOSED_AND_GONE)

    def _check_open(self) -> None:
        if isinstance(self.database, ClosedDatabase):
            raise PoolShutdown(CLOSED if self._kept else CLOSED_AND_GONE)

    async def _left(self, *, parked: bool) -> list[str]:
        return await self.database.read(
            lambda tx: queue.left(tx, self._queue_name, self._worker, parked=parked)
        )

    @asynccontextmanager
    async def _to_the_end(self) -> AsyncIterator[None]:
        """Around a block whose store is gone after it: nothing that was submitted in it is lost in silence."""
        try:
            yield
            if self._closing:  # it was drained, and the drain has told what is lost
                return
            self._closing = True
            while self._slots.count and (left := await self._left(parked=False)):
                await self._waiting.rest(left[0])
        except BaseException as why:
            await self._warn_of_loss(f"an exception ended the pool's block ({type(why).__name__})")
            raise
        await self._warn_of_loss("the pool's block has ended")

    async def _warn_of_loss(self, why: str) -> None:
        if lost := await self._left(parked=True):
            logger.warning(
                "%s: %d of what was submitted has not ended, is cancelled and lost, since the pool keeps nothing; "
                "with `state=...` it would go on later", why, len(lost), extra={"action": "work_lost"},
            )  # fmt: skip


class _Nobody:
    """An observer that wants to know nothing."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Nothing is noted."""

    def committed(self) -> None:
        """Nobody is told."""


def _check_bounds(config: PoolConfig, count: int) -> None:
    least, most = config.scaling.min_slots, config.scaling.max_slots
    if not least <= count <= most:
        raise ScalingRefused(f"{count} slots are not between {least} and {most}; see PoolConfig.scaling")


def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="claude-pool-", ignore_cleanup_errors=True)


def _database(store: str | Database | None, state: Path | None, stack: AsyncExitStack) -> Database:
    if isinstance(store, Database):
        return store
    if store is None and state is None:
        database = Database.temporary()
    else:
        database = Database.open(store or f"sqlite:///{(state or Path()).absolute()}/pool.sqlite")
    stack.callback(database.close)
    return database


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
