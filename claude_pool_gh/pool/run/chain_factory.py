"""Makes chains of what a caller asks for: a prompt, steps, or a workflow from the library. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

from pydantic import Field, Strict

from claude_pool_gh.pool.model import schemas
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.config import (
    MOST_DOLLARS,
    AnyIsolation,
    Frozen,
    PoolConfig,
    SlotConfig,
    Strings,
    microdollars,
    resolve,
)
from claude_pool_gh.pool.model.errors import CapReached, RecipeError
from claude_pool_gh.pool.model.ids import new_id
from claude_pool_gh.pool.model.plan import (
    AgentRun,
    AnyOnRestart,
    Branches,
    HostCall,
    Isolation,
    Limits,
    OnRestart,
    Plan,
    Step,
    WorkspaceSpec,
)
from claude_pool_gh.pool.model.ports import AgentTask
from claude_pool_gh.pool.recipes import prompting
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.skills import Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep, Written, bind
from claude_pool_gh.pool.store.chains import NewChain

N = TypeVar("N", int, float)


class ChainOptions(Frozen):
    """The options of a chain besides its steps."""

    tags: Strings = ()
    """Found again by these."""
    priority: Annotated[int, Strict(), Field(ge=-1_000_000_000, le=1_000_000_000)] = 0
    """Lower goes first."""
    isolation: AnyIsolation | None = None
    """Where its agents work. Default: as `PoolConfig.worktree_isolation` says."""
    budget_usd: Annotated[float, Strict(), Field(gt=0, le=MOST_DOLLARS)] | None = None
    """Most that the chain may cost, in dollars. Default: `PoolConfig.chain_budget_usd`."""
    on_restart: AnyOnRestart = OnRestart.rerun
    """What becomes of a run whose process died under it."""


@dataclass(frozen=True, slots=True)
class ChainFactory:
    """Turns what callers ask for into chains."""

    config: PoolConfig
    library: RecipeLibrary
    hosts: frozenset[str]
    least: Callable[[AgentTask], int]
    """Microdollars that a run needs at the least, as its agent says; see `BudgetAware`."""

    def lone(
        self,
        prompt: str,
        run: AgentRun,
        *,
        tags: Sequence[str],
        priority: int,
        place: int,
        isolation: Isolation | None = None,
    ) -> NewChain:
        """A chain of one step, for one task."""
        cap = microdollars(_first(run.overrides.max_budget_usd, self.config.task_budget_usd))
        retries = _first(run.overrides.retries, self.config.retries)
        run = run.model_copy(update={"retries": retries})
        patience = self.config.slot_assignment_timeout_secs
        # The text comes in as a value: what a caller writes in braces is no placeholder.
        plan = self._plan(
            "task", (run,), {"prompt": prompt}, cap, cap, ChainOptions(isolation=isolation)
        )
        least = self._checked(run, cap, prompt)
        return NewChain(
            id=new_id("task"),
            kind="task",
            plan=plan,
            caps=Caps(task=cap, chain=cap, pool=self.config.budget_microdollars, least=least),
            priority=priority,
            place=place,
            patience_ms=None if patience is None else int(patience * 1000),
            tags=tuple(tags),
        )

    def chains(
        self, every: Sequence[Sequence[ChainStep]], args: Mapping[str, Any], options: ChainOptions
    ) -> list[NewChain]:
        """Chains of written steps. Raises RecipeError for the first that could not run."""
        made = []
        for number, steps in enumerate(every):
            source = "chain" if len(every) == 1 else f"chain {number}"
            written = Written(tuple(steps), frozenset(args), source)
            made.append(self._chain(source, self._expanded(written), dict(args), options, number))
        return made

    def workflow(self, name: str, args: Mapping[str, Any], options: ChainOptions) -> NewChain:
        """A chain of a workflow from the library. Raises RecipeError."""
        file = self.library.workflow(name)
        recipe, values = (
            file.workflow,
            bind(file.workflow.arguments, dict(args), f"workflow {name}"),
        )
        steps = self._expanded(replace(file.written, arguments=frozenset(values)))
        own = {
            "isolation": options.isolation or recipe.isolation,
            "budget_usd": recipe.budget_usd if options.budget_usd is None else options.budget_usd,
            "on_restart": recipe.on_restart
            if options.on_restart is OnRestart.rerun
            else options.on_restart,
        }
        return self._chain(name, steps, values, options.model_copy(update=own), 0)

    def _expanded(self, written: Written) -> tuple[Step, ...]:
        if not written.steps:
            raise RecipeError(f"{written.source} has no steps")
        return compile_steps(written, CompileScope(skills=self._skills(written), hosts=self.hosts))

    def _skills(self, written: Written) -> dict[str, Skill]:
        every = [(step, part) for step in written.steps for part in (step, *(step.branches or ()))]
        found = {}
        for step, part in every:
            if part.skill is not None:
                try:
                    found[part.skill] = self.library.skill(part.skill)
                except RecipeError as error:
                    raise written.error(step, str(error)) from error
        return found

    def _chain(
        self,
        verb: str,
        steps: tuple[Step, ...],
        values: dict[str, Any],
        options: ChainOptions,
        place: int,
    ) -> NewChain:
        cap = microdollars(_first(options.budget_usd, self.config.chain_budget_usd))
        task = min(cap, microdollars(self.config.task_budget_usd))
        runs = [run for step in steps for run in _runs(step)]
        # Each is checked, and the chain begins with what the first needs: its money grows with the steps.
        needs = [self._checked(run, _own_cap(run, task), run.prompt, cap) for run in runs]
        least = needs[0] if needs else 1
        return NewChain(
            id=new_id("chain"),
            plan=self._plan(verb, steps, values, task, cap, options),
            caps=Caps(task=task, chain=cap, pool=self.config.budget_microdollars, least=least),
            priority=options.priority,
            place=place,
            tags=tuple(options.tags),
        )

    def _checked(self, run: AgentRun, cap: int, prompt: str, chain: int | None = None) -> int:
        """The least money that a run needs. Raises CapReached where its own cap is less, ValueError for wrong settings.

        A slot may decide on another model; so the agent is asked again before each attempt.
        """
        schema = run.overrides.json_schema
        if schema is not None and (wrong := schemas.fault(schema)) is not None:
            raise ValueError(f"`json_schema` is no JSON Schema: {wrong}")
        config = resolve(
            self.config,
            SlotConfig(),
            run.overrides,
            wall_seconds=self.config.timeout_secs,
            idle_seconds=self.config.idle_timeout_secs,
        )
        task = prompting.agent_task(
            "",
            0,
            system=run.system,
            prompt=prompt,
            more_system="",
            config=config,
            conversation=None,
        )
        least = self.least(task)
        if chain is not None and chain < least:
            raise CapReached("chain", chain, chain, least, "ChainOptions.budget_usd")
        if cap < least:
            raise CapReached(
                "task",
                cap,
                cap,
                least,
                "TaskOverrides.max_budget_usd or PoolConfig.task_budget_usd",
            )
        return least

    def _plan(
        self,
        verb: str,
        steps: tuple[Step, ...],
        values: dict[str, Any],
        task: int,
        chain: int,
        options: ChainOptions,
    ) -> Plan:
        usual = Isolation.worktree if self.config.worktree_isolation else Isolation.none
        return Plan(
            verb=verb,
            steps=steps,
            limits=Limits(
                task=min(task, chain),
                chain=chain,
                wall_seconds=self.config.timeout_secs,
                idle_seconds=self.config.idle_timeout_secs,
            ),
            workspace=WorkspaceSpec(isolation=options.isolation or usual),
            context=values,
            on_restart=OnRestart(options.on_restart),
        )


def _first(asked: N | None, default: N) -> N:
    """The value that was asked for, else the default: nothing is decided by whether a number is zero."""
    return default if asked is None else asked


def _runs(step: Step) -> tuple[AgentRun, ...]:
    """The runs of agents that a step has."""
    match step:
        case AgentRun():
            return (step,)
        case Branches():
            return step.branches
        case HostCall():
            return ()


def _own_cap(run: AgentRun, usual: int) -> int:
    asked = run.overrides.max_budget_usd
    return usual if asked is None else microdollars(asked)
