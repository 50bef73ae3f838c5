"""The spans of one trace: a delivery, its command, the chain, its steps and runs, and what was written to GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from claude_pool_gh.conversation.facts import ThreadFacts, chain_id_of, facts_of
from claude_pool_gh.conversation.intake.command_worker import Handled
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.service.monitoring.traces import Span

_FAILED: Final = frozenset({Verdict.failed, Verdict.quota})


def of_delivery(
    delivery: VerifiedDelivery, request: CommandRequest, begin_ms: int, end_ms: int
) -> Span:
    """A delivery, in the trace of one of its commands."""
    return Span(
        name="delivery",
        subject=chain_id_of(request),
        key=f"delivery:{delivery.guid}",
        parent="",
        begin_ms=begin_ms,
        end_ms=end_ms,
        attributes={"github.event": delivery.event, "github.delivery": delivery.guid},
    )


def of_command(request: CommandRequest, handled: Handled, begin_ms: int, end_ms: int) -> Span:
    """The handling of a command, from its reading to its answer."""
    chain = {"pool.chain": handled.chain_id} if handled.chain_id else {}
    outcome = handled.answer.partition("\n")[0].partition(":")[0]
    return Span(
        name="command",
        subject=chain_id_of(request),
        key=f"command:{chain_id_of(request)}",
        parent=f"delivery:{request.delivery}" if request.delivery else "",
        begin_ms=begin_ms,
        end_ms=end_ms,
        attributes={
            "pool.where": f"{request.thread.repository.full_name}#{request.thread.number}",
            "pool.outcome": outcome,
            **chain,
        },
        failed=outcome == "given up",
    )


def of_chain(chain: ChainRow, spent: int) -> Iterator[Span]:
    """A chain that has ended, and its steps. `spent`: microdollars."""
    thread = facts_of(chain.plan.context, ThreadFacts).thread
    outcome = chain.outcome.verdict if chain.outcome else None
    yield Span(
        name="chain",
        subject=chain.id,
        key=f"chain:{chain.id}",
        parent=f"command:{chain.id}",
        begin_ms=chain.created_ms,
        end_ms=chain.ended_ms or chain.created_ms,
        attributes={
            "pool.chain": chain.id,
            "pool.verb": chain.plan.verb,
            "pool.where": f"{thread.repository.full_name}#{thread.number}",
            "pool.outcome": str(outcome or ""),
            "pool.usd": spent / 1_000_000,
        },
        failed=outcome in _FAILED,
    )
    for step in chain.steps:
        if step.started_ms is not None and step.ended_ms is not None:
            yield Span(
                name="step",
                subject=chain.id,
                key=f"step:{step.name}",
                parent=f"chain:{chain.id}",
                begin_ms=step.started_ms,
                end_ms=step.ended_ms,
                attributes={"pool.step": step.name, "pool.outcome": str(step.state)},
                failed=step.state is StepState.failed,
            )


def of_run(task: TaskRow, spent: int) -> Span:
    """One run of an agent that has ended. `spent`: microdollars."""
    ending = str((task.outcome or {}).get("ending", task.state))
    end_ms = task.ended_ms or task.created_ms
    return Span(
        name="run",
        subject=task.chain_id,
        key=f"run:{task.run_id}",
        parent=f"step:{task.step}",
        begin_ms=task.started_ms or end_ms,
        end_ms=end_ms,
        attributes={
            "pool.run": task.run_id,
            "pool.step": task.step,
            "pool.model": task.model,
            "pool.outcome": ending,
            "pool.usd": spent / 1_000_000,
        },
        failed=ending not in (Ending.completed, Ending.cancelled),
    )


def of_effect(row: EffectRow, outcome: str, begin_ms: int, end_ms: int) -> Span | None:
    """One try to write something to GitHub; None for what belongs to no chain or command."""
    if row.cause is None:
        return None
    number = getattr(row.effect, "number", None)
    where = row.repository.full_name + (f"#{number}" if isinstance(number, int) else "")
    return Span(
        name="effect",
        subject=row.cause.partition(":")[2],
        key=f"effect:{row.key}:{row.version}:{row.tries}",
        parent=row.cause,
        begin_ms=begin_ms,
        end_ms=end_ms,
        attributes={
            "pool.effect": row.effect.kind,
            "pool.where": where,
            "pool.outcome": outcome,
            "pool.tries": row.tries,
        },
        failed=outcome == "refused",
    )
