"""Makes the plan of an audit's chain: what the repository's configuration says, the recipe's steps, the caps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.audits.stated import schemas
from claude_pool_gh.config import load as configuration
from claude_pool_gh.config.load import Configuration, Layer
from claude_pool_gh.config.model import Audit, Budget, RepositoryConfig
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.conversation.audit.steps import CALLS, NEEDS, beside
from claude_pool_gh.conversation.recipes.recipe_terms import READING
from claude_pool_gh.conversation.repository.guidance import guided
from claude_pool_gh.conversation.repository.recipe_resolver import skills_of
from claude_pool_gh.conversation.verb_names import verb_names
from claude_pool_gh.pool.model.config import MICRODOLLARS, microdollars
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan, Step, WorkspaceSpec
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.yaml_file import no_such
from claude_pool_gh.service.audit.options import AuditOptions
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.worktrees import history

VERB: Final = "audit"
_DEFAULTS: Final = Budget()
"""Caps that hold where the command line names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Everything that a repository's configuration and the command line decide together."""

    config: RepositoryConfig
    kind: str
    settings: Audit
    budget: int
    """Microdollars of the whole run."""
    task: int
    """Microdollars of one agent run."""


async def config_at(git_dir: Path, commit: str, defaults: Layer | None = None) -> RepositoryConfig:
    """The repository's configuration at a commit, over its organization's. Raises AuditRefused for a faulty one."""
    path = configuration.PATH
    found = await history.read_files(git_dir, commit, [path])
    layers = [Layer(path, found[path])] if path in found else []
    merged = configuration.merge([*([] if defaults is None else [defaults]), *layers], verb_names())
    if isinstance(merged, Configuration):
        return merged.value
    where = f"at commit {commit[:9]}" if merged.file == path else f"of {merged.file}"
    faults = "\n".join(f"{path}: {fault}" for fault in merged.faults)
    raise AuditRefused(f"the configuration {where} cannot be used:\n{faults}")


def decided(options: AuditOptions, config: RepositoryConfig) -> Decided:
    """The decisions on the audit that is asked for. Raises AuditRefused for one that there is not. Pure.

    Whoever runs the command pays: a repository may only lower what it costs, below the flags or the defaults.
    """
    name = options.audit
    settings = config.audits.get(name)
    if settings is None:
        if name not in KINDS:
            raise AuditRefused(no_such("audit", name, sorted({*KINDS, *config.audits})))
        settings = Audit()
    told = {} if options.slots is None else {"slots": options.slots}
    settings = settings.model_copy(update=told)
    most = _DEFAULTS.chain if options.most_usd is None else options.most_usd
    configured = config.budget.chain if settings.budget is None else settings.budget
    asked = options.budget_usd
    budget = microdollars(min(configured, most) if asked is None else asked)
    task = min(config.budget.task, _DEFAULTS.task)
    return Decided(
        config=config,
        kind=settings.kind or (name if name in KINDS else "defects"),
        settings=settings,
        budget=budget,
        task=min(microdollars(task), budget) if asked is None else budget,
    )


def steps_of(library: RecipeLibrary, options: AuditOptions, decided: Decided) -> tuple[Step, ...]:
    """The steps of the audit's recipe in full. Raises RecipeError for a faulty one."""
    settings, config = decided.settings, decided.config
    name = settings.workflow or f"audit-{decided.kind}"
    file = library.workflow(name)
    scope = CompileScope(
        skills={each: library.skill(each) for each in skills_of(file.workflow)},
        outputs=schemas(),
        hosts=CALLS,
        tools=READING,
        most_seconds=wall_seconds(options, config),
        most_usd=decided.task / MICRODOLLARS,
        model=options.model or config.model or options.settings.model,
        effort=options.effort or config.effort,
        turns=settings.turns,
    )
    steps = _by(options, guided(compile_steps(file.written, scope)))
    NEEDS.check(steps, f"the workflow {name}")
    return beside(steps, settings.slots)


def _by(options: AuditOptions, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with the operator's model and effort, also where a recipe of the repository names others."""
    asked = {"model": options.model, "effort": options.effort}
    told = {name: value for name, value in asked.items() if value is not None}
    return tuple(
        step.model_copy(update={"overrides": step.overrides.model_copy(update=told)})
        if isinstance(step, AgentRun)
        else step
        for step in steps
    )


def plan_of(
    options: AuditOptions,
    decided: Decided,
    steps: tuple[Step, ...],
    subject: Subject,
    workspace: WorkspaceSpec,
) -> Plan:
    """The plan of the chain that carries an audit. Pure."""
    return Plan(
        verb=VERB,
        steps=steps,
        limits=Limits(
            task=decided.task,
            chain=decided.budget,
            wall_seconds=wall_seconds(options, decided.config),
            idle_seconds=options.settings.idle_timeout,
        ),
        workspace=workspace,
        context=subject.model_dump(mode="json"),
    )


def wall_seconds(options: AuditOptions, config: RepositoryConfig) -> float:
    """Seconds that one agent run may take: a flag goes before the environment, and that before the configuration."""
    asked = options.timeout_secs or options.settings.wall_timeout
    return config.wall_minutes * 60.0 if asked is None else asked
