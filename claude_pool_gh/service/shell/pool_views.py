"""The output of `claude-pool-gh pool`: an overview of the pool, and its chains, with whole ids."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from claude_pool_gh.pool.model.config import Frozen
from claude_pool_gh.pool.model.records import ChainProgress, PoolStatus, SlotRecord
from claude_pool_gh.reports.figures import dollars, minutes
from claude_pool_gh.service.console import results


class ListedChain(Frozen):
    """A chain as `pool list` shows it. Money is in microdollars, times in milliseconds since the epoch."""

    chain_id: str
    workflow: str
    state: str
    """`queued`, `running`, `parked`, `completed`, `failed`, `cancelled`, or `interrupted` where its process is gone."""
    waits_for: str | None
    """Of a parked chain: `approval` or `restart`."""
    step: str | None
    """Where it is."""
    finished_steps: int
    total_steps: int
    cost_microdollars: int
    created_ms: int
    verdict: str | None
    """How it ended."""
    reason: str
    next_command: str | None
    """What decides on it, or lets it go on."""
    state_dir: str | None
    """The folder of its store."""


class PoolOverview(Frozen):
    """The output of `pool status --json`."""

    status: PoolStatus
    slots: tuple[SlotRecord, ...]
    unfinished: tuple[ChainProgress, ...]


def print_chains(chains: Sequence[ListedChain]) -> None:
    """Print a table of chains; an id is never cut."""
    table = Table("chain", "workflow", "state", "steps", "cost", "age", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[0].min_width = max((len(each.chain_id) for each in chains), default=0)
    for each in chains:
        table.add_row(
            each.chain_id,
            each.workflow,
            _state(each),
            f"{each.finished_steps} of {each.total_steps}",
            dollars(each.cost_microdollars),
            minutes(max(0, int(time.time() * 1000) - each.created_ms)),
        )
    results().print(table)


def print_overview(seen: PoolOverview) -> None:
    """Print slots, tasks, unfinished chains and money."""
    status = seen.status
    spent = f"{dollars(status.total_spend_microdollars)} spent, {dollars(status.reserved_microdollars)} reserved"
    budget = status.budget_microdollars
    cap = "" if budget is None else f", cap {dollars(budget)} a month"
    counts = (
        f"tasks: {status.running_tasks} running, {status.pending_tasks} waiting, "
        f"{status.pending_review_tasks} awaiting approval, {status.completed_tasks} completed, "
        f"{status.failed_tasks} failed, {status.cancelled_tasks} cancelled"
    )
    parts: list[Text | Table] = [Text(spent + cap), Text(counts)]
    if seen.slots:
        parts.append(_slots(seen.slots))
    if seen.unfinished:
        parts.append(_unfinished(seen.unfinished))
    results().print(Group(*parts))


def _state(chain: ListedChain) -> str:
    if chain.waits_for:
        return f"waits for {chain.waits_for} ({chain.step})"
    if chain.verdict:
        return f"{chain.verdict}: {chain.reason}" if chain.reason else chain.verdict
    return f"{chain.state} ({chain.step})" if chain.step else chain.state


def _slots(slots: Sequence[SlotRecord]) -> Table:
    table = Table("slot", "state", "task", "done", "cost", "role", title=f"{len(slots)} slots")
    table.title_justify = "left"
    for slot in slots:
        table.add_row(
            slot.id,
            slot.state.value,
            slot.current_task or "",
            str(slot.tasks_completed),
            dollars(slot.cost_microdollars),
            slot.config.role or "",
        )
    return table


def _unfinished(chains: Sequence[ChainProgress]) -> Table:
    table = Table("chain", "state", "step", "finished", "cost", title="unfinished chains")
    table.title_justify = "left"
    table.columns[0].no_wrap = True
    table.columns[0].min_width = max(len(chain.chain_id) for chain in chains)
    for chain in chains:
        state = f"waits for {chain.waits_for}" if chain.waits_for else chain.status.value
        table.add_row(
            chain.chain_id,
            state,
            chain.current_step_name or "",
            f"{chain.completed_steps} of {chain.total_steps}",
            dollars(chain.cost_microdollars),
        )
    return table
