"""Makes chains of what a caller asks for: a prompt, steps, or a workflow from the shelf. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from pydantic import Field

from claude_pool_gh.pool.chains import NewChain
from claude_pool_gh.pool.config import Frozen, PoolConfig, microdollars
from claude_pool_gh.pool.errors import RecipeError
from claude_pool_gh.pool.ids import new_id
from claude_pool_gh.pool.kitchen import Kitchen, expand
from claude_pool_gh.pool.ledger import Account, Caps
from claude_pool_gh.pool.plan import AgentRun, Isolation, Limits, OnRestart, Plan, Step
from claude_pool_gh.pool.shelf import Shelf
from claude_pool_gh.pool.skills import Skill
from claude_pool_gh.pool.workflows import ChainStep, Written, bind

ALONE: Final = "task"
"""Name of the one step of a lone task."""


class ChainOptions(Frozen):
    """What a chain is told besides its steps."""

    tags: tuple[str, ...] = ()
    """Found again by these."""
    priority: int = 0
    """Lower goes first."""
    isolation: Isolation | None = None
    """Where its agents work. Default: as `PoolConfig.worktree_isolation` says."""
    budget_usd: Annotated[float, Field(gt=0)] | None = None
    """Most that the chain may cost, in dollars. Default: `PoolConfig.chain_budget_usd`."""
    on_restart: OnRestart = OnRestart.rerun
    """What becomes of a run whose process died under it."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Turns what callers ask for into chains."""

    config: PoolConfig
    shelf: Shelf
    hosts: frozenset[str]

    def lone(
        self, prompt: str, run: AgentRun, *, tags: Sequence[str], priority: int, place: int, now_ms: int,
        isolation: Isolation | None = None,
    ) -> NewChain:  # fmt: skip
        """A chain of one step, for one task."""
        cap = microdollars(_first(run.overrides.max_budget_usd, self.config.task_budget_usd))
        patience = self.config.slot_assignment_timeout_secs
        # The text comes in as a value: what a caller writes in braces is no placeholder.
        plan = self._plan("task", (run,), {"prompt": prompt}, cap, cap, ChainOptions(isolation=isolation))
        return NewChain(
            id=new_id("task"),
            kind="task",
            plan=plan,
            account=_nobody_in_particular(),
            caps=Caps(task=cap, chain=cap, pool=self.config.budget_microdollars),
            priority=priority,
            place=place,
            deadline_ms=None if patience is None else now_ms + int(patience * 1000),
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
        """A chain of a workflow from the shelf. Raises RecipeError."""
        file = self.shelf.workflow(name)
        recipe, values = file.workflow, bind(file.workflow.arguments, dict(args), f"workflow {name}")
        steps = self._expanded(replace(file.written, arguments=frozenset(values)))
        own = {
            "isolation": options.isolation or recipe.isolation,
            "budget_usd": recipe.budget_usd if options.budget_usd is None else options.budget_usd,
            "on_restart": recipe.on_restart if options.on_restart is OnRestart.rerun else options.on_restart,
        }
        return self._chain(name, steps, values, options.model_copy(update=own), 0)

    def _expanded(self, written: Written) -> tuple[Step, ...]:
        if not written.steps:
            raise RecipeError(f"{written.source} has no steps")
        return expand(written, Kitchen(skills=self._skills(written), hosts=self.hosts))

    def _skills(self, written: Written) -> dict[str, Skill]:
        every = [(step, part) for step in written.steps for part in (step, *(step.branches or ()))]
        found = {}
        for step, part in every:
            if part.skill is not None:
                try:
                    found[part.skill] = self.shelf.skill(part.skill)
                except RecipeError as error:
                    raise written.error(step, str(error)) from error
        return found

    def _chain(
        self, verb: str, steps: tuple[Step, ...], values: dict[str, Any], options: ChainOptions, place: int
    ) -> NewChain:
        cap = microdollars(_first(options.budget_usd, self.config.chain_budget_usd))
        task = min(cap, microdollars(self.config.task_budget_usd))
        return NewChain(
            id=new_id("chain"),
            plan=self._plan(verb, steps, values, task, cap, options),
            account=_nobody_in_particular(),
            caps=Caps(task=task, chain=cap, pool=self.config.budget_microdollars),
            priority=options.priority,
            place=place,
            tags=options.tags,
        )

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
            workspace={"isolation": options.isolation or usual},
            context=values,
            on_restart=options.on_restart,
        )


def _first(asked: float | None, default: float) -> float:
    """What was asked for, else the default: nothing is decided by whether a number is zero."""
    return default if asked is None else asked


def _nobody_in_particular() -> Account:
    """A script's tasks belong to no thread, user or repository: only the pool's own cap holds for them together."""
    return Account(thread="", user="", repository="")
