"""`claude-pool-gh show`: what happened in a chain, for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.table import Table

from claude_pool_gh.pool.model.config import Frozen
from claude_pool_gh.pool.model.errors import UnknownChain
from claude_pool_gh.pool.model.records import StepResult
from claude_pool_gh.pool.store import chain_results, chains, costs, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.service.console import Console, results
from claude_pool_gh.service.existing_database import existing_database
from claude_pool_gh.service.plain import echo_json
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Transaction


class ShownRun(Frozen):
    """One run of an agent, as `show --json` prints it. Times are in milliseconds since the epoch."""

    id: str
    step: str
    title: str
    state: str
    attempt: int
    started_ms: int | None
    ended_ms: int | None
    ended: str
    """How it ended, and why."""
    transcript: tuple[dict[str, Any], ...] | None = None
    """Entries with `what` and `text`; None where no step was named."""


class ShownChain(Frozen):
    """A chain as `show --json` prints it. Money is in microdollars."""

    chain_id: str
    verb: str
    state: str
    verdict: str | None
    reason: str
    cost_microdollars: int
    upper_bound: bool
    """Whether the cost is only known to be no more than this."""
    steps: tuple[StepResult, ...]
    runs: tuple[ShownRun, ...]


async def show(
    settings: Settings, chain_id: str, step: str | None, *, as_json: bool = False
) -> None:
    """Print a chain, or the transcripts of one of its steps. Everything in it was redacted when it was stored."""
    database = existing_database(settings.database)
    console = results()
    try:
        if as_json:
            shown = await database.read(lambda tx: _shown(tx, chains.get(tx, chain_id), step))
            echo_json(shown.model_dump_json(indent=2))
        elif step is None:
            await database.read(lambda tx: _print_chain(console, tx, chains.get(tx, chain_id)))
        else:
            await database.read(lambda tx: _print_step(console, tx, chains.get(tx, chain_id), step))
    except UnknownChain as error:
        raise click.ClickException(
            f"{error} in {settings.state_dir}; the tracking comment's last line names it"
        ) from error
    finally:
        database.close()


def _shown(tx: Transaction, chain: ChainRow, step: str | None) -> ShownChain:
    spent, upper_bound = costs.cost_of(tx, chain.id)
    results = chain_results.step_results(tx, chain.id)
    found = tasks.of_chain(tx, chain.id) if step is None else _of_step(tx, chain, step)
    return ShownChain(
        chain_id=chain.id,
        verb=chain.plan.verb,
        state=chain.state,
        verdict=chain.outcome.verdict if chain.outcome else None,
        reason=chain.outcome.reason if chain.outcome else "",
        cost_microdollars=spent,
        upper_bound=upper_bound,
        steps=tuple(each for each in results if step in (None, each.name)),
        runs=tuple(
            ShownRun(
                id=task.id,
                step=task.step,
                title=task.title,
                state=task.state,
                attempt=task.attempt,
                started_ms=task.started_ms,
                ended_ms=task.ended_ms,
                ended=_ending(task),
                transcript=None if step is None else tuple(tasks.transcript(tx, task.id)),
            )
            for task in found
        ),
    )


def _of_step(tx: Transaction, chain: ChainRow, step: str) -> Sequence[TaskRow]:
    """The runs of one step. Raises ClickException where none ran."""
    found = tasks.of_chain(tx, chain.id, step)
    if not found:
        names = ", ".join(record.name for record in chain.steps)
        raise click.ClickException(f"no agent ran in step {step!r}; steps: {names}")
    return found


def _print_chain(console: Console, tx: Transaction, chain: ChainRow) -> None:
    spent, upper_bound = costs.cost_of(tx, chain.id)
    verdict = (
        f"{chain.outcome.verdict} {chain.outcome.reason}".strip() if chain.outcome else chain.state
    )
    console.print(
        f"{chain.id}  {chain.plan.verb}  {verdict}  {dollars(spent, upper_bound=upper_bound)}"
    )
    table = Table("step", "run", "state", "attempt", "time", "what came of it")
    runs = tasks.of_chain(tx, chain.id)
    for record in chain.steps:
        table.add_row(
            record.name, "", str(record.state), "", _time(record.started_ms, record.ended_ms), ""
        )
        for task in (each for each in runs if each.step == record.name):
            table.add_row(
                "", task.title, str(task.state), str(task.attempt), _took(task), _ending(task)
            )
    console.print(table)
    names = ", ".join(dict.fromkeys(task.step for task in runs))
    if names:
        console.print(
            f"transcripts: claude-pool-gh show {chain.id} --step NAME   (NAME: {names})",
            soft_wrap=True,
        )


def _print_step(console: Console, tx: Transaction, chain: ChainRow, step: str) -> None:
    for task in _of_step(tx, chain, step):
        console.rule(f"{task.step}: {task.title} ({_ending(task)})")
        for entry in tasks.transcript(tx, task.id):
            console.print(f"{entry['what']:>10}  {_indented(entry['text'])}", soft_wrap=True)


def _ending(task: TaskRow) -> str:
    outcome: dict[str, Any] = task.outcome or {}
    return f"{outcome.get('ending', task.state)} {outcome.get('reason', '')}".strip()


def _took(task: TaskRow) -> str:
    return _time(task.started_ms, task.ended_ms)


def _time(started_ms: int | None, ended_ms: int | None) -> str:
    return "" if started_ms is None or ended_ms is None else duration(ended_ms - started_ms)


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * 12)
