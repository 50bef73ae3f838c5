"""Makes a chain's steps of written ones: everything they refer to is looked up here, before the first one runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

from claude_pool_gh.pool.model import schemas
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import (
    placeholders,
    spoken_of,
)
from claude_pool_gh.pool.recipes.references import Known, Place, is_plain, unresolved, wrong
from claude_pool_gh.pool.recipes.skills import Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep, Written
from claude_pool_gh.pool.recipes.yaml_file import no_such

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileScope:
    """The names that written steps may refer to, and what holds where they are silent."""

    skills: Mapping[str, Skill] = field(default_factory=dict)
    outputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    tools: frozenset[str] | None = None
    """The tools that a step may have; a recipe cannot give itself others. None: any."""
    most_seconds: float | None = None
    """Longest `timeout_secs` that a step may ask for. None: any."""
    most_usd: float | None = None
    """Most dollars that a step may ask for with `budget_usd`. None: any."""
    model: str | None = None
    effort: str | None = None
    turns: int | None = None
    thread: frozenset[str] | None = None
    """What `{thread.NAME}` can name, where whoever asks for the steps puts it in; None: there is no thread."""
    results: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The names in the result of a host's step, by its call, as far as they are known."""


def compile_steps(written: Written, scope: CompileScope) -> tuple[Step, ...]:
    """The steps in full. Raises RecipeError, naming the step, for whatever could not run."""
    done: dict[str, Step] = {}
    for step in written.steps:
        done[step.name] = _compiled(written, step, scope, done)
    return tuple(done.values())


def faults_of(written: Written, scope: CompileScope) -> list[RecipeError]:
    """Whatever could not run, of each step the first; a faulty step is taken for one that could answer anything."""
    done: dict[str, Step] = {}
    found: list[RecipeError] = []
    for step in written.steps:
        try:
            done[step.name] = _compiled(written, step, scope, done)
        except RecipeError as error:
            found.append(error)
            done[step.name] = HostCall(name=step.name, call="unknown")
    return found


def _compiled(
    written: Written, step: ChainStep, scope: CompileScope, done: Mapping[str, Step]
) -> Step:
    if step.name in done:
        raise written.error(step, "another step has this name")
    if step.again_from is not None and step.again_from not in done:
        raise written.error(step, no_such("earlier step", step.again_from, list(done)))
    made = _step(written, step, scope, done)
    known = Known(
        skills=scope.skills,
        thread=scope.thread,
        arguments=written.arguments,
        earlier=done,
        results=scope.results,
    )
    if problem := unresolved(step, made, known):
        raise written.error(step, problem)
    return made


def _step(written: Written, step: ChainStep, scope: CompileScope, done: Mapping[str, Step]) -> Step:
    common: dict[str, Any] = {
        "name": step.name,
        "when": step.when,
        "gate": step.gate,
        "max_rejections": step.max_rejections,
        "again_from": step.again_from,
    }
    if step.host is not None:
        if step.host not in scope.hosts:
            raise written.error(step, no_such("host", step.host, sorted(scope.hosts)))
        return HostCall(call=step.host, **common)
    if step.branches is not None:
        names = [branch.name for branch in step.branches]
        if len(set(names)) != len(names):
            raise written.error(step, "two of its branches have the same name")
        runs = tuple(
            _run(written, step, branch, scope, {"name": branch.name}, done)
            for branch in step.branches
        )
        return Branches(branches=runs, at_once=step.at_once, on_failure=step.on_failure, **common)
    return _run(written, step, step, scope, common, done)


def _run(
    written: Written,
    at: ChainStep,
    step: ChainStep,
    scope: CompileScope,
    common: Mapping[str, Any],
    done: Mapping[str, Step],
) -> AgentRun:
    skill = _skill(written, at, step, scope)
    if skill is not None and is_plain(skill):
        skill = _with_its_braces(skill, written, step, done)
    system, prompt = ("", step.prompt or "") if skill is None else (skill.prompt, step.input)
    if skill is not None and not step.input:
        system, prompt = "", _with_unnamed(skill)
    return AgentRun(
        system=system,
        prompt=prompt,
        arguments=_arguments(written, at, step, skill),
        each=step.each,
        at_once=step.at_once,
        title=step.title,
        role=step.role,
        overrides=_overrides(written, at, step, skill, scope),
        share=step.share,
        output_vars=step.output_vars,
        retries=_first(_first(step.retries, step.config.retries), 1),
        recovery=step.recovery,
        on_failure=step.on_failure,
        **common,
    )


def _skill(written: Written, at: ChainStep, step: ChainStep, scope: CompileScope) -> Skill | None:
    if step.skill is None:
        return None
    if step.skill not in scope.skills:
        raise written.error(at, no_such("skill", step.skill, sorted(scope.skills)))
    return scope.skills[step.skill]


def _with_its_braces(
    skill: Skill, written: Written, step: ChainStep, done: Mapping[str, Step]
) -> Skill:
    """A plain skill in whose text only those placeholders are filled that lead somewhere; every other brace is text.

    What is plainly ours and misspelt stays, to be refused: an argument that there is not, an earlier step's name with a
    slip, an output that an earlier step has not.
    """
    place = Place(item=step.each is not None)

    def is_filled(path: str) -> bool:
        root, _, rest = path.partition(".")
        is_ours = root == "args" or (
            root == "steps" and bool(get_close_matches(rest.partition(".")[0], done, 1, 0.7))
        )
        return is_ours or wrong(path, place, written.arguments, done) is None

    return skill.model_copy(update={"prompt": spoken_of(skill.prompt, is_filled)})


def _with_unnamed(skill: Skill) -> str:
    """The skill's text, followed by the arguments that it does not name itself."""
    named = set(placeholders(skill.prompt))
    rest = [a.name for a in skill.arguments if f"args.{a.name}" not in named]
    return "\n\n".join([skill.prompt, *(f"{name}: {{args.{name}}}" for name in rest)])


def _arguments(
    written: Written, at: ChainStep, step: ChainStep, skill: Skill | None
) -> dict[str, str] | None:
    """The meaning of `{args.NAME}` in the step's texts: the skill's own arguments, where it declares any."""
    declared = () if skill is None else skill.arguments
    known = [argument.name for argument in declared]
    for name in step.arguments:
        if name not in known:
            raise written.error(at, no_such("argument", name, known))
    for argument in declared:
        if argument.required and not step.arguments.get(argument.name):
            raise written.error(at, f"skill {step.skill} needs the argument `{argument.name}`")
    return {name: step.arguments.get(name, "") for name in known} if declared else None


def _overrides(
    written: Written, at: ChainStep, step: ChainStep, skill: Skill | None, scope: CompileScope
) -> TaskOverrides:
    tools = step.tools if step.tools is not None else step.config.tools
    allowed = step.config.allowed_tools
    if tools is None and skill is not None and skill.allowed_tools:
        tools = skill.allowed_tools
        # What a skill's front matter lists needs no question: whoever put the skill there has answered it.
        allowed = (*skill.allowed_tools, *(allowed or ()))
    for tool in tools or ():
        if scope.tools is not None and tool not in scope.tools:
            raise written.error(at, no_such("tool", tool, sorted(scope.tools)))
    if scope.tools is not None and step.config.mcp_servers:
        raise written.error(at, "MCP servers are tools too, and none may be brought along here")
    given = {
        "tools": tools,
        "allowed_tools": allowed,
        "model": step.model or step.config.model or scope.model,
        "effort": step.effort or step.config.effort or scope.effort,
        "max_turns": step.turns or step.config.max_turns or scope.turns,
        "json_schema": _schema(written, at, step, scope),
        "max_budget_usd": _at_most(
            written,
            at,
            "budget_usd",
            _first(step.budget_usd, step.config.max_budget_usd),
            scope.most_usd,
        ),
        "timeout_secs": _at_most(
            written,
            at,
            "timeout_secs",
            _first(step.timeout_secs, step.config.timeout_secs),
            scope.most_seconds,
        ),
    }
    return TaskOverrides.model_validate(step.config.model_dump() | given)


def _first(own: T | None, other: T) -> T:
    return other if own is None else own


def _at_most(
    written: Written, at: ChainStep, name: str, asked: float | None, most: float | None
) -> float | None:
    """The number that a step asks for, unless that is more than its scope allows."""
    if asked is not None and most is not None and asked > most:
        raise written.error(at, f"`{name}` may be at most {most:g} here")
    return asked


def _schema(
    written: Written, at: ChainStep, step: ChainStep, scope: CompileScope
) -> dict[str, Any] | None:
    if not isinstance(step.output, str):
        own = step.output or step.config.json_schema
        if own is not None and (wrong := schemas.fault(own)) is not None:
            raise written.error(at, f"its output is no JSON Schema that can be used: {wrong}")
        return own
    if step.output not in scope.outputs:
        raise written.error(at, no_such("output", step.output, sorted(scope.outputs)))
    return scope.outputs[step.output]
