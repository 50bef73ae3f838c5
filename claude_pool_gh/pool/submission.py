"""Queues work, and sees it through for callers that wait for its results."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from claude_pool_gh.pool.core import LOOK_SECONDS, Core
from claude_pool_gh.pool.model.config import Isolation, SlotMode, TaskOverrides
from claude_pool_gh.pool.model.errors import PoolShutdown, UnknownChain
from claude_pool_gh.pool.model.ids import TaskId, is_safe
from claude_pool_gh.pool.model.plan import ALONE, AgentRun
from claude_pool_gh.pool.model.records import TaskRecord, TaskResult
from claude_pool_gh.pool.store import addresses, cap_uses, chains, listing, task_records
from claude_pool_gh.pool.store.chains import NewChain
from claude_pool_gh.storage import Transaction

logger = logging.getLogger(__name__)

GIVING_UP: Final = 30.0
"""Seconds for which a caller that gives up is held until its tasks are cancelled in the store."""


def lone(  # noqa: PLR0913 - all optional, by name
    core: Core,
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
) -> NewChain:
    """A lone task, ready to be added. Raises as `Pool.submit`."""
    core.check_open()
    if resume is not None:
        _check_resume(core, resume)
    if max_rejections < 1:
        raise ValueError(
            f"`max_rejections` is {max_rejections}: the rejection with this number fails the task"
        )
    run = AgentRun(
        name=ALONE,
        prompt="{args.prompt}",
        overrides=config or TaskOverrides(),
        role=role,
        resume=resume,
        gate=review,
        max_rejections=max_rejections,
    )
    return core.orders.lone(
        prompt,
        run,
        tags=tags,
        priority=priority,
        place=next(core.places),
        isolation=isolation,
    )


def _check_resume(core: Core, resume: str) -> None:
    """Raise ValueError for what names no conversation, and where none is kept."""
    slot, separator, session = resume.partition("/")
    if not (separator and is_safe(slot) and is_safe(session)):
        raise ValueError(
            f"`resume` is {resume[:80]!r}: give the `session_id` of an earlier TaskResult, such as 'slot-0/8c1d'"
        )
    if core.config.slot_mode is SlotMode.ephemeral:
        raise ValueError(
            "this pool's slots are ephemeral: they keep no conversation that could go on"
        )


async def add(core: Core, new: Sequence[NewChain]) -> list[str]:
    """Store chains, all or none, and let the dispatcher know. Raises PoolShutdown, CapReached."""
    core.check_open()
    if core.closing:
        raise PoolShutdown("the pool takes no more work")
    new = await _pinned(core, new)

    def store(tx: Transaction) -> None:
        now = core.clock.now_ms()
        for each in new[:1]:
            cap_uses.ensure_affordable(tx, each.account, each.caps, now)
        for each in new:
            chains.add(tx, each, now)
            core.observer.changed(tx, each.id)

    await core.write(store)
    core.dispatcher.wake()
    return [each.id for each in new]


async def see_through(core: Core, adding: Coroutine[Any, Any, list[str]]) -> list[TaskResult]:
    """The results of tasks that are being added; when their caller gives up, they are cancelled."""
    added = asyncio.create_task(adding)
    try:
        return await _results(core, await asyncio.shield(added))
    except asyncio.CancelledError:
        await asyncio.shield(core.background_writes.run(_give_up(core, added)))
        raise


async def wait(core: Core, task_id: str) -> TaskResult:
    """The result of a task, once it has ended. Raises UnknownTask, PoolShutdown."""
    asked = partial(addresses.chain_of_task, given=task_id, instead="wait_chain")
    chain_id = await core.database.read(asked, forever=True)
    if chain_id == task_id:  # a lone one: its money is back too
        await core.waiting.rest(chain_id)
    task = await _seen(core, task_id)
    while task.result is None:
        await core.waiting.rest(task.chain_id)
        task = await _seen(core, task_id)
        if task.result is None:  # its chain has parked before it ran
            await asyncio.sleep(LOOK_SECONDS)
    return task.result


async def _pinned(core: Core, new: Sequence[NewChain]) -> list[NewChain]:
    """The same chains, each with where its agents will work as that stands now."""
    isolations = [each.plan.workspace.isolation or Isolation.none for each in new]
    pins = {each: await core.workspaces.pinned(each) for each in set(isolations)}
    plans = [
        each.plan.model_copy(update={"workspace": pins[isolation]})
        for each, isolation in zip(new, isolations, strict=True)
    ]
    return [
        replace(each, plan=plan, pool=core.queue) for each, plan in zip(new, plans, strict=True)
    ]


async def _results(core: Core, ids: Sequence[str]) -> list[TaskResult]:
    """The results of lone tasks, in the same order, once all are there; they are read together."""
    await core.waiting.rest_all(ids)
    found = await core.database.read(lambda tx: listing.records(tx, ids))
    return [task.result or await wait(core, task.id) for task in found]


async def _seen(core: Core, task_id: str) -> TaskRecord:
    """A task for somebody who waits for it, and so for the database too."""
    return await core.database.read(lambda tx: task_records.task(tx, TaskId(task_id)), forever=True)


async def _give_up(core: Core, added: asyncio.Task[list[str]]) -> None:
    """End tasks that nobody waits for; those that have not begun never do. Raises nothing.

    What runs, and costs, is stopped first: that needs no store. The store is told in the same moment, of all of
    them at once, so that none gets another's slot.
    """
    try:
        ids = await added
    except Exception:  # noqa: BLE001 - there is nobody any more to whom it could be told, and nothing to end
        return
    with core.live.stopping(ids):
        try:
            async with asyncio.timeout(GIVING_UP):
                await _cancel_all(core, ids)
        except Exception:
            told = {"action": "not_cancelled", "tasks": list(ids)}
            logger.exception("what nobody waits for is not cancelled in the store", extra=told)


async def _cancel_all(core: Core, ids: Sequence[str]) -> None:
    def request(tx: Transaction) -> None:
        for task_id in ids:
            with suppress(UnknownChain):  # it was deleted meanwhile
                if chains.request_cancel(tx, task_id, core.clock.now_ms()):
                    core.observer.changed(tx, task_id)

    await core.write(request, forever=True)
    for task_id in ids:
        core.live.stop(task_id)
        core.waiting.wake(task_id)
