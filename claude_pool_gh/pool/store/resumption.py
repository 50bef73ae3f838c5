"""Lets a chain go on that has stopped early, or runs one that has ended once more."""

from __future__ import annotations

from dataclasses import replace

from claude_pool_gh.pool.model.errors import NotUnderReview
from claude_pool_gh.pool.model.outcomes import FAILURES
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.states import APPROVAL, RESTART, ChainState
from claude_pool_gh.pool.store import approvals, cap_uses, chains, continuation
from claude_pool_gh.pool.store.chains import ChainRow, NewChain
from claude_pool_gh.storage import Transaction


def resume(
    tx: Transaction, chain_id: str, new_id: str, now_ms: int, *, budget: int | None = None
) -> str:
    """Let a chain go on: one that ended early as a new chain, `new_id`, which begins with what the old one finished.

    Returns the id of the chain that goes on. `budget`: microdollars of the new chain and of each of its tasks, in place
    of the old one's. Raises UnknownChain, CapReached; NotUnderReview for one that has nothing to go on with.
    """
    chains.lock(tx, chain_id)
    chain = chains.get(tx, chain_id)
    if chain.state is ChainState.parked and chain.parked_for == RESTART:
        approvals.go_on(tx, chain_id, now_ms)
        return chain_id
    if chain.state in (ChainState.queued, ChainState.running):
        return chain_id
    if chain.parked_for == APPROVAL:
        raise NotUnderReview(f"{chain_id} waits for approval: approve or reject it")
    if not can_resume(tx, chain):
        raise NotUnderReview(f"{chain_id} did not end early: nothing is left to continue")
    _start(tx, _again(tx, chain, new_id, budget, chain.plan.workspace), now_ms)
    continuation.take_over(tx, chain, new_id, now_ms)
    return new_id


def can_resume(tx: Transaction, chain: ChainRow) -> bool:
    """True where a chain ended before its end, and left something to go on with."""
    early = chain.outcome is not None and chain.outcome.verdict in FAILURES
    return early and continuation.can_go_on(tx, chain)


def repeat(
    tx: Transaction, chain_id: str, new_id: str, now_ms: int, *, workspace: WorkspaceSpec
) -> str:
    """Run a chain that has ended once more, from its beginning and on `workspace`, as `new_id`.

    Returns that id. Raises UnknownChain, CapReached, NotUnderReview for one that has not ended.
    """
    chain = chains.get(tx, chain_id)
    if chain.state is not ChainState.done:
        where = f"waits for {chain.parked_for}" if chain.parked_for else f"is {chain.state}"
        raise NotUnderReview(f"{chain_id} has not ended: it {where}")
    _start(tx, _again(tx, chain, new_id, None, workspace), now_ms)
    return new_id


def _again(
    tx: Transaction, chain: ChainRow, new_id: str, budget: int | None, workspace: WorkspaceSpec
) -> NewChain:
    limits, caps = chain.plan.limits, chain.caps
    if budget is not None:
        limits = limits.model_copy(update={"task": budget, "chain": budget})
        caps = replace(caps, task=budget, chain=budget)
    return NewChain(
        id=new_id,
        plan=chain.plan.model_copy(update={"limits": limits, "workspace": workspace}),
        account=chain.account,
        caps=caps,
        labels=chain.labels,
        pool=chains.pool_of(tx, chain.id),
        priority=chain.priority,
        tags=chains.tags_of(tx, [chain.id]).get(chain.id, ()),
    )


def _start(tx: Transaction, new: NewChain, now_ms: int) -> None:
    cap_uses.ensure_affordable(tx, new.account, new.caps, now_ms)
    chains.add(tx, new, now_ms)
