"""`claude-pool-gh show`: what happened in a chain, for the operator."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console
from rich.table import Table

from claude_pool_gh.pool.model.errors import UnknownChain
from claude_pool_gh.pool.store import chains, costs, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.terminal import plain
from claude_pool_gh.storage import Database, Transaction, for_people, migrations
from claude_pool_gh.storage.errors import DatabaseError, reason


async def show(settings: Settings, chain_id: str, step: str | None) -> None:
    """Print a chain, or the transcripts of one of its steps. Everything in it was redacted when it was stored."""
    database = open_to_look(settings.database)
    console = Console(highlight=False, markup=False)
    try:
        if step is None:
            await database.read(lambda tx: _print_chain(console, tx, chains.get(tx, chain_id)))
        else:
            await database.read(lambda tx: _print_step(console, tx, chains.get(tx, chain_id), step))
    except UnknownChain as error:
        raise click.ClickException(
            f"{error} in {settings.state_dir}; the tracking comment's last line names it"
        ) from error
    finally:
        database.close()


def open_to_look(url: str) -> Database:
    """A pool's database that is there already. Raises ClickException for none, or one that cannot be reached."""
    try:
        database = Database.open_existing(url)
        try:
            if migrations.current(database.engine) is not None:
                return database
        except BaseException:
            database.close()
            raise
        database.close()
        raise FileNotFoundError(f"there is no pool's database at {for_people(url)}")  # noqa: TRY301 - said once, below
    except FileNotFoundError as error:
        raise click.ClickException(f"{error}; name its folder with --state-dir") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except DatabaseError as error:
        raise click.ClickException(
            f"the database at {for_people(url)} cannot be read: {reason(error)}"
        ) from error


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
        console.print(f"transcripts: claude-pool-gh show {chain.id} --step NAME   (NAME: {names})")


def _print_step(console: Console, tx: Transaction, chain: ChainRow, step: str) -> None:
    found = tasks.of_chain(tx, chain.id, step)
    if not found:
        names = ", ".join(record.name for record in chain.steps)
        raise click.ClickException(f"no agent ran in step {step!r}; steps: {names}")
    for task in found:
        console.rule(f"{task.step}: {task.title} ({_ending(task)})")
        for entry in tasks.transcript(tx, task.id):
            console.print(f"{entry['what']:>10}  {_indented(entry['text'])}")


def _ending(task: TaskRow) -> str:
    outcome: dict[str, Any] = task.outcome or {}
    return f"{outcome.get('ending', task.state)} {outcome.get('reason', '')}".strip()


def _took(task: TaskRow) -> str:
    return _time(task.started_ms, task.ended_ms)


def _time(started_ms: int | None, ended_ms: int | None) -> str:
    return "" if started_ms is None or ended_ms is None else duration(ended_ms - started_ms)


def _indented(text: str) -> str:
    # A file of a pull request must not drive the operator's terminal.
    return plain(text).replace("\n", "\n" + " " * 12)
