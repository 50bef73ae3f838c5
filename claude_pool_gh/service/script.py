"""`claude-pool-gh run` and `chain`: a pool for one command, on this machine, in this folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.local import Pool
from claude_pool_gh.pool.model.config import (
    PoolConfig,
    ScalingConfig,
    TaskOverrides,
    microdollars,
)
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.records import (
    ChainProgress,
    ChainResult,
    PoolStatus,
    SlotFilter,
    SlotRecord,
    TaskResult,
)
from claude_pool_gh.pool.recipes.workflows import Workflow, parse_workflow
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.store import listing, pool_cap, queries
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.service.flags import in_flags
from claude_pool_gh.service.script_options import ScriptOptions
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.show import open_to_look
from claude_pool_gh.service.terminal import Terminal, overview
from claude_pool_gh.storage import Transaction


async def run(wishes: ScriptOptions, prompt: str, overrides: TaskOverrides) -> int:
    """Run one prompt and print the answer. The exit code: 0 when it was done."""
    async with _pool(wishes) as pool:
        task_id = await pool.submit(prompt, config=overrides, isolation=wishes.isolation)
        terminal = Terminal(pool)
        async with terminal.watching(task_id, title=prompt):
            result = await pool.wait(task_id)
    _answer(terminal, _json(result) if wishes.as_json else _said(result.output, result))
    terminal.note(in_flags(_bill(result)))
    return 0 if result.success else 1


async def chain(wishes: ScriptOptions, name: str, args: dict[str, str], *, approve: bool) -> int:
    """Run a workflow, from a file or by name, and print what came of it. The exit code: 0 when it was done."""
    async with _pool(wishes) as pool:
        workflow = _shelved(pool, name)
        options = ChainOptions(isolation=wishes.isolation, budget_usd=wishes.budget_usd)
        chain_id = await pool.submit_workflow(workflow.name, args, options=options)
        return await _follow(pool, wishes, chain_id, workflow, approve=approve)


async def _follow(
    pool: Pool, wishes: ScriptOptions, chain_id: ChainId, workflow: Workflow, *, approve: bool
) -> int:
    terminal = Terminal(pool)
    while True:
        async with terminal.watching(
            chain_id, title=workflow.name, steps=[step.name for step in workflow.steps]
        ):
            result = await pool.wait_chain(chain_id)
        if result is not None:
            break
        if not await _decide(pool, terminal, chain_id, approve=approve):
            terminal.note(f"{chain_id} waits for approval; no decision was made")
            return 2
    _answer(terminal, _json(result) if wishes.as_json else _said(result.final_output, result))
    for line in _steps(result):
        terminal.note(in_flags(line))
    return 0 if result.success else 1


def _said(output: str, result: TaskResult | ChainResult) -> str:
    """What an agent said, also where it was stopped. Why it failed is no answer: that stands in the bill."""
    failed = isinstance(result, TaskResult) and result.ending is Ending.failed
    return "" if failed or (not result.success and output == result.reason) else output


def _answer(terminal: Terminal, text: str) -> None:
    if text:
        terminal.answer(text)


async def _decide(pool: Pool, terminal: Terminal, chain_id: ChainId, *, approve: bool) -> bool:
    """Let the person at the terminal approve or reject what a chain waits with. False when nobody does either."""
    progress = await pool.chain_progress(chain_id)
    if progress.waits_for != "approval":
        await pool.go_on(chain_id)
        return True
    commit = (
        f"\n\nThe files as they would be: git show {progress.review_commit}"
        if progress.review_commit
        else ""
    )
    terminal.show_work((progress.review_output or "") + commit, progress.current_step_name or "")
    if approve:
        await pool.approve(chain_id)
        return True
    if not terminal.interactive:
        return False
    said = await asyncio.to_thread(
        click.prompt, "Approve? [y]es, or what should be different", default="y", err=True
    )
    if said.strip().lower() in ("y", "yes"):
        await pool.approve(chain_id)
    else:
        await pool.reject(chain_id, said)
    return True


@asynccontextmanager
async def _pool(wishes: ScriptOptions) -> AsyncIterator[Pool]:
    settings = wishes.settings
    config = PoolConfig(
        model=settings.model,
        idle_timeout_secs=settings.idle_timeout,
        scaling=ScalingConfig(max_slots=max(ScalingConfig().max_slots, wishes.slots)),
        **_asked(wishes),
    )
    agent = ClaudeAgent(
        key=settings.anthropic_api_key.get_secret_value() or None,
        base_url=settings.anthropic_base_url,
        trusted=wishes.trusted,
        patience_seconds=settings.model_patience,
    )
    here = wishes.folder.absolute()
    try:
        async with Pool.open(
            agent,
            folder=here,
            name=f"script:{here}",
            slots=wishes.slots,
            config=config,
            state=wishes.state,
        ) as pool:
            yield pool
    except (PoolError, ValueError) as error:
        raise click.ClickException(in_flags(str(error))) from error


def _asked(wishes: ScriptOptions) -> dict[str, float]:
    """What the command line or the environment decides; what neither names stays at the pool's own default."""
    wall = wishes.settings.wall_timeout if wishes.timeout_secs is None else wishes.timeout_secs
    asked = {} if wall is None else {"timeout_secs": wall}
    if wishes.budget_usd is not None:
        asked |= {"task_budget_usd": wishes.budget_usd, "chain_budget_usd": wishes.budget_usd}
    return asked


def _shelved(pool: Pool, name: str) -> Workflow:
    """A workflow from a file, which is put on the shelf, or by its name there."""
    file = Path(name)
    if not file.is_file():
        return pool.library.workflow(name).workflow
    workflow = parse_workflow(file.read_text("utf-8"), name).workflow
    pool.library.add(workflow)
    return workflow


def _bill(result: TaskResult) -> str:
    end = "" if result.success else f"{result.ending.value}: {result.reason}; "
    cost = dollars(result.cost_microdollars, upper_bound=result.upper_bound)
    kept = f", kept as commit {result.commit}" if result.commit else ""
    return f"{end}{cost}, {duration(result.elapsed_ms)}, {result.model}{kept}"


def _steps(result: ChainResult) -> list[str]:
    end = f"{result.verdict}: {result.reason}" if result.reason else result.verdict
    kept = f", kept as commit {result.commit}" if result.commit else ""
    lines = [
        f"{end}, {dollars(result.total_cost_microdollars, upper_bound=result.upper_bound)}{kept}"
    ]
    for step in result.steps:
        what = "skipped" if step.skipped else "done" if step.success else "failed"
        lines.append(
            f"  {step.name}: {what}, {dollars(step.cost_microdollars, upper_bound=step.upper_bound)}"
        )
    return lines


async def status(settings: Settings) -> None:
    """Print slots, tasks, chains and money of a pool's store, whoever works on it.

    The cap is the one that its newest work counts against; of a script's store, which has none, none is shown.
    """
    database = open_to_look(settings.database)
    try:

        def read(tx: Transaction) -> tuple[PoolStatus, list[SlotRecord], list[ChainProgress]]:
            chains = listing.progress(tx, unfinished=True)
            budget = (
                _cap(settings) if "budget_usd" in settings.model_fields_set else pool_cap.newest(tx)
            )
            return (
                queries.status(tx, budget=budget, shutdown=False),
                queries.slots(tx, SlotFilter()),
                chains,
            )

        Console(highlight=False).print(overview(*await database.read(read)))
    finally:
        database.close()


def _cap(settings: Settings) -> int | None:
    return None if settings.budget_usd is None else microdollars(settings.budget_usd)


def _json(result: Any) -> str:
    return str(result.model_dump_json(indent=2))
