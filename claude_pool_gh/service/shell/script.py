"""`claude-pool-gh run` and `chain`: a pool for one command, on this machine, in this folder."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.agent.powers import CONFINED
from claude_pool_gh.local import Pool, recipes
from claude_pool_gh.pool.model.config import Isolation, PoolConfig, ScalingConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import PoolError, RecipeError
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.records import ChainProgress, ChainResult, TaskResult
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.workflows import Workflow, parse_workflow
from claude_pool_gh.pool.recipes.yaml_file import no_such
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.service.flags import in_flags
from claude_pool_gh.service.plain import echo_json
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell import stores
from claude_pool_gh.service.shell.files import is_file
from claude_pool_gh.service.shell.following import Followed, follow, print_result
from claude_pool_gh.service.shell.script_options import ScriptOptions
from claude_pool_gh.service.shell.terminal import Terminal, print_answer, print_note
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.unsaved import uncommitted_files

POOL_PREFIX: Final = "script:"
"""How the names of pools begin that a command opens; a folder's name follows."""
_NAMED_FILES: Final = 3
"""Uncommitted files that a note names."""


async def run(wishes: ScriptOptions, prompt: str, overrides: TaskOverrides) -> int:
    """Run one prompt and print the answer. The exit code: 0 when it was done."""
    async with opened(wishes) as pool:
        terminal = Terminal(pool)
        await _name_unsaved(wishes.folder, wishes.isolation)
        task_id = await pool.submit(prompt, config=overrides, isolation=wishes.isolation)
        try:
            async with terminal.watching(task_id, title=prompt):
                result = await pool.wait(task_id)
        except asyncio.CancelledError:
            await pool.cancel(task_id)
            terminal.note(f"stopped; {_cost(await pool.wait(task_id))} was spent")
            raise
    if wishes.as_json:
        echo_json(result.model_dump_json(indent=2))
    elif result.success:
        print_answer(result.output)
    elif said := _unfinished(result):
        terminal.note(f"what it had said until then:\n{said}")
    terminal.note(in_flags(_bill(result)))
    return 0 if result.success else 1


async def chain(wishes: ScriptOptions, name: str, args: dict[str, str], *, approve: bool) -> int:
    """Run a workflow, from a file or by name, and print what came of it.

    The exit code: 0 when it was done, 2 when it waits for approval, else 1.
    """
    here = wishes.folder.absolute()
    library = library_of(here, trusted=wishes.trusted)
    with in_shell_words():
        workflow = _shelved(library, name)
    await stores.remove_old(here)
    state = wishes.state or stores.new_state(here)
    try:
        result = await _followed(replace(wishes, state=state), workflow, library, args, approve)
    finally:
        if stores.is_own(state):
            await stores.tidy(state)
    return print_result(result, as_json=wishes.as_json)


async def _followed(
    wishes: ScriptOptions,
    workflow: Workflow,
    library: RecipeLibrary,
    args: dict[str, str],
    approve: bool,
) -> ChainResult | ChainProgress:
    async with opened(wishes, library=library) as pool:
        here = wishes.folder.absolute()
        await _name_unsaved(here, _isolation(wishes, workflow))
        options = ChainOptions(isolation=wishes.isolation, budget_usd=wishes.budget_usd)
        chain_id = await pool.submit_workflow(workflow.name, args, options=options)
        steps = tuple(step.name for step in workflow.steps)
        followed = Followed(chain_id, workflow.name, steps, wishes.as_json)
        return await follow(pool, followed, approve=approve)


@asynccontextmanager
async def opened(
    wishes: ScriptOptions, name: str = "", library: RecipeLibrary | None = None
) -> AsyncIterator[Pool]:
    """Open a pool as the command line asks for it. Raises ClickException, in a shell's words."""
    settings = wishes.settings
    config = PoolConfig(
        model=settings.model,
        idle_timeout_secs=settings.idle_timeout,
        scaling=ScalingConfig(max_slots=max(ScalingConfig().max_slots, wishes.slots)),
        **_asked(wishes),
    )
    agent, here = agent_of(settings, trusted=wishes.trusted), wishes.folder.absolute()
    with in_shell_words():
        async with Pool.open(
            agent,
            folder=here,
            name=name or f"{POOL_PREFIX}{here}",
            library=library or library_of(here, trusted=wishes.trusted),
            slots=wishes.slots,
            config=config,
            state=wishes.state,
        ) as pool:
            yield pool


def agent_of(settings: Settings, *, trusted: bool) -> ClaudeAgent:
    """The agent of a pool in a shell, with the key of whoever runs the command."""
    # Ends of runs are told here, with their reason; the SDK logs them a second time, with a traceback.
    logging.getLogger("claude_agent_sdk").setLevel(logging.CRITICAL)
    return ClaudeAgent(
        key=settings.anthropic_api_key.get_secret_value() or None,
        base_url=settings.anthropic_base_url,
        proxy=settings.proxy,
        trusted=trusted,
        patience_seconds=settings.model_patience,
    )


def library_of(folder: Path, *, trusted: bool) -> RecipeLibrary:
    """The recipes for agents in a folder: of a skill's tools they get those that they can have."""
    return replace(recipes(folder), skill_tools=None if trusted else CONFINED)


@contextmanager
def in_shell_words() -> Iterator[None]:
    """Errors of the pool in the block are told with flags in place of the library's settings."""
    try:
        yield
    except (PoolError, ValueError) as error:
        raise click.ClickException(in_flags(str(error))) from error


def _asked(wishes: ScriptOptions) -> dict[str, Any]:
    """The settings that the command line or the environment decides; the others stay at the pool's own default."""
    wall = wishes.settings.wall_timeout if wishes.timeout_secs is None else wishes.timeout_secs
    asked: dict[str, Any] = {} if wall is None else {"timeout_secs": wall}
    if wishes.effort is not None:
        asked["effort"] = wishes.effort
    if wishes.budget_usd is not None:
        asked |= {"task_budget_usd": wishes.budget_usd, "chain_budget_usd": wishes.budget_usd}
    return asked


def _isolation(wishes: ScriptOptions, workflow: Workflow) -> Isolation | None:
    """The isolation in which a workflow's agents work: a flag goes before the file."""
    own = workflow.isolation
    return wishes.isolation or (None if own is None else Isolation(own))


async def _name_unsaved(folder: Path, isolation: Isolation | None) -> None:
    """Tell which changes agents will not see, where they work on copies."""
    if isolation in (None, Isolation.none):
        return
    with suppress(WorktreeError):  # no repository: the pool says so when it makes a copy
        await name_unsaved(folder)


async def name_unsaved(root: Path, *, but: Path | None = None) -> None:
    """Tell which changes agents who work on copies of the last commit do not see. Raises WorktreeError.

    `root`: of a repository's working folder. `but`: a folder of ours, of which nothing is told.
    """
    files = [
        each
        for each in await uncommitted_files(root.absolute())
        if but is None or not (root.absolute() / each).is_relative_to(but.absolute())
    ]
    if files:
        named = ", ".join(files[:_NAMED_FILES]) + (", …" if len(files) > _NAMED_FILES else "")
        many = "1 uncommitted file is" if len(files) == 1 else f"{len(files)} uncommitted files are"
        print_note(f"{many} not seen by agents, who work on copies of the last commit: {named}")


def _shelved(library: RecipeLibrary, name: str) -> Workflow:
    """A workflow from a file, which is added to the library, or by its name there."""
    file = Path(name)
    if is_file(file):
        workflow = parse_workflow(file.read_text("utf-8"), name).workflow
        library.add(workflow)
        return workflow
    if file.suffix in (".yml", ".yaml"):
        raise click.ClickException(f"there is no file {name}")
    if name not in library.workflow_names():
        raise click.ClickException(no_such("workflow", name, _names_for_a_shell(library)))
    workflow = library.workflow(name).workflow
    if host := next((step.host for step in workflow.steps if step.host), None):
        raise click.ClickException(
            f"the workflow {name} has the step `{host}` of the bot's, which is not there in a shell: "
            f'`claude-pool-gh rehearse "/pool {name}"` shows here what it does'
        )
    return workflow


def _names_for_a_shell(library: RecipeLibrary) -> list[str]:
    """The workflows that need no steps of the bot's; a faulty one is among them, and says so when it is run."""
    found = []
    for name in library.workflow_names():
        with suppress(RecipeError):
            if any(step.host for step in library.workflow(name).workflow.steps):
                continue
        found.append(name)
    return found


def _unfinished(result: TaskResult) -> str:
    """The words of an agent before its run was ended: no answer, but paid for. Why it failed stands in the bill."""
    return "" if result.ending is Ending.failed or result.output == result.reason else result.output


def _bill(result: TaskResult) -> str:
    end = "" if result.success else f"{result.ending.value}: {result.reason}; "
    kept = f", kept as commit {result.commit}" if result.commit else ""
    return f"{end}{_cost(result)}, {duration(result.elapsed_ms)}, {result.model}{kept}"


def _cost(result: TaskResult | ChainResult) -> str:
    cost = (
        result.cost_microdollars
        if isinstance(result, TaskResult)
        else result.total_cost_microdollars
    )
    return dollars(cost, upper_bound=result.upper_bound)
