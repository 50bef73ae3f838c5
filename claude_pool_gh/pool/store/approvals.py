"""The decisions of a person about work that waits for approval."""

from __future__ import annotations

from claude_pool_gh.pool.model.errors import NotUnderReview
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.states import APPROVAL, RESTART, ChainState, StepState
from claude_pool_gh.pool.store import chains, steps
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.storage import Transaction


def approve(tx: Transaction, chain_id: str, now_ms: int) -> None:
    """Approve what the chain waits with: it goes on. Raises NotUnderReview, CapReached."""
    chain, step = _waiting(tx, chain_id)
    steps.approve(tx, step, chain_id, now_ms)
    if step.name == chain.plan.steps[-1].name:
        chains.finish(tx, chains.get(tx, chain_id), Outcome(verdict=Verdict.answered), now_ms)
    else:
        chains.unpark(tx, chain, now_ms)


def reject(tx: Transaction, chain_id: str, feedback: str, now_ms: int) -> bool:
    """Reject it: the step runs again with all feedback so far. False when it was rejected once too often.

    The first line of the feedback is a person's; what follows it is for the agent alone.

    Raises NotUnderReview, CapReached.
    """
    chain, step = _waiting(tx, chain_id)
    planned = next(each for each in chain.plan.steps if each.name == step.name)
    most, first = planned.max_rejections, planned.again_from or step.name
    count = len(next(each for each in chain.steps if each.name == first).rejections) + 1
    last = count >= most
    if last or first == step.name:
        steps.reject(tx, step, chain_id, feedback, now_ms, last=last)
    else:
        steps.send_back(tx, chain, first, step, feedback)
    if last:
        said, _, _ = feedback.partition("\n")
        reason = f"rejected {count} of {most} times; the last feedback: {said}"
        chains.finish(
            tx, chains.get(tx, chain_id), Outcome(verdict=Verdict.failed, reason=reason), now_ms
        )
    else:
        chains.unpark(tx, chain, now_ms)
    return not last


def go_on(tx: Transaction, chain_id: str, now_ms: int) -> None:
    """Let a chain go on whose process died, and which asks before it spends again.

    Raises NotUnderReview, CapReached.
    """
    chains.lock(tx, chain_id)
    chain = chains.get(tx, chain_id)
    if chain.state is not ChainState.parked or chain.parked_for != RESTART:
        raise NotUnderReview(f"{chain_id} does not wait to be continued; it is {_where(chain)}")
    chains.unpark(tx, chain, now_ms)


def _waiting(tx: Transaction, chain_id: str) -> tuple[ChainRow, StepRow]:
    chains.lock(tx, chain_id)
    chain = chains.get(tx, chain_id)
    step = next((step for step in chain.steps if step.state is StepState.pending_review), None)
    if chain.state is not ChainState.parked or chain.parked_for != APPROVAL or step is None:
        raise NotUnderReview(f"{chain_id} does not wait for approval; it is {_where(chain)}")
    return chain, step


def _where(chain: ChainRow) -> str:
    return f"parked for {chain.parked_for}" if chain.parked_for else chain.state.value
