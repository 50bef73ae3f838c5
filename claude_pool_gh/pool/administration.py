"""The administration of a pool beside its work: shared context, slots, figures, retention, its end."""

from __future__ import annotations

from claude_pool_gh.pool import ending, live_records, pruning, scaling
from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.records import DrainSummary, Load, PoolStatus, SlotFilter, SlotRecord
from claude_pool_gh.pool.run.running import RunningChains
from claude_pool_gh.pool.store import context, queries
from claude_pool_gh.pool.store.metrics import MetricsFilter, SessionMetrics, measure
from claude_pool_gh.storage import Database


@arguments.checked_methods
class Administration:
    """The part of `Pool` that is neither task nor chain."""

    def __init__(self, core: Core) -> None:
        """Of an open pool's parts."""
        self._core, self.config = core, core.config

    @property
    def database(self) -> Database:
        """The database in which everything is stored. Of a pool that is closed, one that raises PoolShutdown."""
        return self._core.database

    @property
    def live(self) -> RunningChains:
        """The chains that run in this process now."""
        return self._core.live

    # ---- shared context

    async def set_context(self, key: str, value: str) -> None:
        """Tell every task that starts from now on. Raises ValueError where it is too long, or cannot be stored."""
        now = self._core.clock.now_ms
        await self.database.transact(lambda tx: context.put(tx, key, value, now()))

    async def get_context(self, key: str) -> str | None:
        """The value under a key; None when there is none."""
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
        return [live_records.with_folder(self.live, slot) for slot in found]

    async def configure_slot(self, slot_id: str, config: SlotConfig) -> None:
        """Change what one of this process's slots decides, from its next task on. Raises UnknownSlot."""
        self._core.check_open()
        await scaling.configure(self._core, slot_id, config)

    async def restart_slot(self, slot_id: str) -> None:
        """Put an errored slot back into service, however often it was restarted before.

        Raises UnknownSlot, IllegalTransition where it is not errored.
        """
        self._core.check_open()
        await scaling.restart(self._core, slot_id)

    async def scale_up(self, count: int, *, config: SlotConfig | None = None) -> list[str]:
        """More slots, which take what waits at once; returns their ids. Raises ScalingRefused, and then adds none."""
        self._core.check_open()
        return await scaling.up(self._core, count, config or SlotConfig())

    async def scale_down(self, count: int) -> list[str]:
        """Fewer slots, idle ones first; a busy one finishes its task, takes no other, and goes. Returns their ids.

        Raises ScalingRefused, and then removes none.
        """
        self._core.check_open()
        return scaling.down(self._core, count)

    async def set_target_slots(self, count: int) -> None:
        """As many slots as this. Raises ScalingRefused."""
        self._core.check_open()
        more = count - self._core.slots.count
        if more > 0:
            await scaling.up(self._core, more, SlotConfig())
        else:
            scaling.down(self._core, -more)

    # ---- the whole

    async def status(self) -> PoolStatus:
        """The pool at a glance."""
        budget, closing = self.config.budget_microdollars, self._core.closing
        return await self.database.read(
            lambda tx: queries.status(tx, budget=budget, shutdown=closing)
        )

    @property
    def load(self) -> Load:
        """The load of this process at this moment."""
        slots = self._core.slots
        return Load(
            slots=slots.count,
            busy=slots.busy,
            tasks_waiting=slots.waiting,
            chains_running=self._core.dispatcher.running,
        )

    async def metrics(self, wanted: MetricsFilter | None = None) -> SessionMetrics:
        """Sums over the tasks that a filter lets through; without one, over those made since the pool was opened."""
        started, now = self._core.started_ms, self._core.clock.now_ms
        asked = wanted or MetricsFilter(since_ms=started)
        measured = await self.database.read(lambda tx: queries.measured(tx, asked))
        return measure(measured, started_ms=started, now_ms=now())

    async def drain(self, deadline_secs: float = 60.0) -> DrainSummary:
        """Take no more work, let running tasks end, and end by force what still runs at the deadline.

        What had not begun stays queued in the store; where none is kept it is `lost`, and not waited for. Always
        returns, at the latest some 25 seconds after the deadline, also where the store does not answer: then the
        summary is not `known`. Raises PoolShutdown for a closed pool.
        """
        self._core.check_open()
        return await ending.drain(self._core, deadline_secs)

    async def hand_over(self, deadline_secs: float) -> int:
        """Take no more work, let running tasks end, and leave everything else to the store's other workers.

        What still runs at the deadline is not cancelled: it stays unfinished, and its step begins again elsewhere once
        this pool is closed. Returns how many chains that concerns.
        """
        self._core.check_open()
        return await ending.hand_over(self._core, deadline_secs)

    def wake(self) -> None:
        """Somebody else has queued a chain in the pool's database."""
        self._core.dispatcher.wake()

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
        return await pruning.prune(self._core, older_than_secs)

    async def apply_retention(
        self, wanted: pruning.PoolRetention, *, pause_secs: float = 0.0
    ) -> pruning.PoolPruned:
        """Delete what is older than wanted, a few rows in each transaction, with a pause after each.

        Other than `prune` also chains that belong to a scope, such as a bot's to a thread.
        """
        return await pruning.apply(self._core, wanted, pause_secs)
