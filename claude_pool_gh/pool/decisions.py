"""The decisions of a person, or a program, about work that is queued, runs or waits: approve, reject, go on, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import addresses, approvals, chains
from claude_pool_gh.storage import Transaction

T = TypeVar("T")


async def approve(core: Core, given: str) -> None:
    """See `Pool.approve`."""
    await _decide(
        core, given, lambda tx, chain_id: approvals.approve(tx, chain_id, core.clock.now_ms())
    )


async def reject(core: Core, given: str, feedback: str) -> bool:
    """See `Pool.reject`."""
    now = core.clock.now_ms
    return await _decide(
        core, given, lambda tx, chain_id: approvals.reject(tx, chain_id, feedback, now())
    )


async def go_on(core: Core, chain_id: str) -> None:
    """See `Pool.go_on`."""

    def decide(tx: Transaction, _chain_id: str) -> None:
        addresses.chain(tx, chain_id, instead="approve or reject")
        approvals.go_on(tx, chain_id, core.clock.now_ms())

    await _decide(core, chain_id, decide)


async def cancel(core: Core, named: Callable[[Transaction], str]) -> bool:
    """End the chain that `named` finds, and all that runs of it. False when it had ended already."""

    def request(tx: Transaction) -> tuple[str, bool]:
        chain_id = named(tx)
        before = chains.get(tx, chain_id).state
        if chains.request_cancel(tx, chain_id, core.clock.now_ms()):
            core.observer.changed(tx, chain_id)
        return chain_id, before is not ChainState.done

    chain_id, was_open = await core.write(request)
    core.live.stop(chain_id)
    core.waiting.wake(chain_id)
    return was_open


async def _decide(core: Core, given: str, decision: Callable[[Transaction, str], T]) -> T:
    def decide(tx: Transaction) -> tuple[str, T]:
        chain_id = addresses.decided(tx, given)
        result = decision(tx, chain_id)
        core.observer.changed(tx, chain_id)
        return chain_id, result

    chain_id, result = await core.write(decide)
    core.waiting.wake(chain_id)
    core.dispatcher.wake()
    return result
