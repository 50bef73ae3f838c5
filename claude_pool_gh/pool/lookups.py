"""Answers what a pool's user asks of one task or chain; an id of the wrong kind is refused with what takes it."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model.events import ChainFinished
from claude_pool_gh.pool.model.records import ChainResult, StepResult, TaskRecord
from claude_pool_gh.pool.run.feed import Subscription, end_of
from claude_pool_gh.pool.store import addresses, chain_results, chains, task_records, tasks
from claude_pool_gh.storage import Transaction


async def task(core: Core, task_id: str, *, instead: str) -> TaskRecord:
    """One task. `instead`: the method that takes a chain's id."""

    def read(tx: Transaction) -> TaskRecord:
        addresses.chain_of_task(tx, task_id, instead=instead)
        return task_records.task(tx, task_id)

    return await core.database.read(read)


async def transcript(core: Core, task_id: str) -> list[Any]:
    """See `Pool.transcript`."""

    def read(tx: Transaction) -> list[Any]:
        addresses.chain_of_task(tx, task_id, instead="tasks(TaskFilter(chain_id=...))")
        return tasks.transcript(tx, task_id)

    return await core.database.read(read)


async def chain_result(core: Core, chain_id: str) -> ChainResult | None:
    """See `Pool.chain_result`."""

    def read(tx: Transaction) -> ChainResult | None:
        return chain_results.chain_result(tx, addresses.chain(tx, chain_id, instead="result"))

    return await core.database.read(read)


async def chain_steps(core: Core, chain_id: str) -> tuple[StepResult, ...]:
    """See `Pool.chain_steps`."""

    def read(tx: Transaction) -> tuple[StepResult, ...]:
        return chain_results.step_results(tx, addresses.chain(tx, chain_id, instead="task"))

    return await core.database.read(read)


async def wait_chain(core: Core, chain_id: str) -> ChainResult | None:
    """The result of a chain, once it has ended; None once it waits for somebody."""
    await core.database.read(lambda tx: addresses.chain(tx, chain_id, instead="wait"))
    await core.waiting.rest(chain_id)
    return await core.database.read(
        lambda tx: chain_results.chain_result(tx, chain_id), forever=True
    )


def events(core: Core, chain_id: str | None, limit: int) -> Subscription:
    """See `Pool.events`."""
    if chain_id is None:
        return core.feed.subscribe(Subscription(limit))

    async def ended() -> ChainFinished | None:
        if chain_id in core.live.held:
            return None
        return end_of(await core.database.read(lambda tx: chains.get(tx, chain_id)))

    return core.feed.subscribe(Subscription(limit, chain_id, ended))
