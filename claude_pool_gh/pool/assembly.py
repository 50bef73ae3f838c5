"""Puts a pool together from its agent, its slots, its settings and its store. Nothing runs yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig, SlotMode
from claude_pool_gh.pool.model.ids import new_id
from claude_pool_gh.pool.model.ports import Agent, Clock, HostStep, Observer, Workspaces
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.run.agent_run import least
from claude_pool_gh.pool.run.chain_carrier import ChainCarrier
from claude_pool_gh.pool.run.chain_factory import ChainFactory
from claude_pool_gh.pool.run.chain_runner import ChainRunner
from claude_pool_gh.pool.run.chain_waiters import ChainWaiters
from claude_pool_gh.pool.run.dispatcher import Dispatcher
from claude_pool_gh.pool.run.feed import Feed
from claude_pool_gh.pool.run.queues import queue_on
from claude_pool_gh.pool.run.running import RunningChains
from claude_pool_gh.pool.run.slots import Slot, Slots
from claude_pool_gh.pool.run.supervisor import Supervisor, may_restart
from claude_pool_gh.pool.run.task_runner import TaskRunner
from claude_pool_gh.pool.store import slot_rows
from claude_pool_gh.storage import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolParts:
    """The parts of a pool, besides its agent, slots and settings."""

    database: Database
    queue: str
    """Under which its chains are queued; see `places`."""
    kept: bool
    """Whether its store is there after its end."""
    worker: str
    home: Path
    """Where slots keep their conversations."""
    workspaces: Workspaces
    library: RecipeLibrary
    host_steps: Mapping[str, HostStep]
    observer: Observer
    clock: Clock


def assemble(
    agent: Agent, slots: Mapping[str, SlotConfig], config: PoolConfig, parts: PoolParts
) -> Core:
    """Join the parts; `opening` brings them to life."""

    def retired(slot: Slot) -> None:
        """Note in the store that a slot is gone for good."""
        stop = partial(slot_rows.stop, slot_ids=[slot.heir or slot.id])
        core.background_writes.run(core.database.transact(stop, forever=True))

    ephemeral = config.slot_mode is SlotMode.ephemeral
    places = Slots(
        [Slot(name, own) for name, own in slots.items()],
        renewed=(lambda slot: Slot(slot.heir or new_id("slot"), slot.config))
        if ephemeral
        else None,
        retired=retired,
        revivable=lambda slot: may_restart(config, slot),
    )
    database, live, feed = parts.database, RunningChains(), Feed()
    waiting = ChainWaiters(database, kept=parts.kept)
    core = Core(
        config=config,
        database=database,
        queue=parts.queue,
        kept=parts.kept,
        worker=parts.worker,
        started_ms=parts.clock.now_ms(),
        workspaces=parts.workspaces,
        observer=parts.observer,
        clock=parts.clock,
        orders=ChainFactory(
            config, parts.library, frozenset(parts.host_steps), partial(least, agent)
        ),
        slots=places,
        live=live,
        feed=feed,
        waiting=waiting,
        dispatcher=_dispatcher(agent, config, parts, places, live, feed, waiting),
        supervisor=Supervisor(database, places, config),
    )
    return core


def _dispatcher(
    agent: Agent,
    config: PoolConfig,
    parts: PoolParts,
    slots: Slots,
    live: RunningChains,
    feed: Feed,
    waiting: ChainWaiters,
) -> Dispatcher:
    attempts = TaskRunner(
        database=parts.database,
        agent=agent,
        workspaces=parts.workspaces,
        slots=slots,
        observer=parts.observer,
        feed=feed,
        clock=parts.clock,
        worker=parts.worker,
        config=config,
        home=parts.home / "slots",
    )
    runner = ChainRunner(attempts=attempts, live=live, host_steps=parts.host_steps)
    return Dispatcher(
        database=parts.database,
        queue=queue_on(parts.database, parts.clock, parts.worker, parts.queue),
        events=ChainCarrier(runner, slots, waiting, parts.observer, feed),
        live=live,
        clock=parts.clock,
        at_most=config.max_chains,
    )
