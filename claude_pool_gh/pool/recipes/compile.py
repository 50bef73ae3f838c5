"""Makes a chain's steps of written ones: everything they refer to is looked up here, before the first one runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import (
    look_alikes,
    placeholders,
    spoken_of,
    thread_fields,
)
from claude_pool_gh.pool.recipes.skills import Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep, Written
from claude_pool_gh.pool.recipes.yaml_file import nearest, no_such

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
    _check_references(written, step, made, scope, done)
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
    if skill is not None and _is_plain(skill):
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


def _is_plain(skill: Skill) -> bool:
    """True where a skill is of the open format alone, which knows no placeholders."""
    return not skill.arguments


def _with_its_braces(
    skill: Skill, written: Written, step: ChainStep, done: Mapping[str, Step]
) -> Skill:
    """A plain skill in whose text only those placeholders are filled that lead somewhere; every other brace is text.

    What is plainly ours and misspelt stays, to be refused: an argument that there is not, an earlier step's name with a
    slip, an output that an earlier step has not.
    """
    place = _Place(item=step.each is not None)

    def is_filled(path: str) -> bool:
        root, _, rest = path.partition(".")
        is_ours = root == "args" or (
            root == "steps" and bool(get_close_matches(rest.partition(".")[0], done, 1, 0.7))
        )
        return is_ours or _wrong(path, place, written.arguments, done) is None

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
        return step.output or step.config.json_schema
    if step.output not in scope.outputs:
        raise written.error(at, no_such("output", step.output, sorted(scope.outputs)))
    return scope.outputs[step.output]


def _check_references(
    written: Written,
    step: ChainStep,
    made: Step,
    scope: CompileScope,
    done: Mapping[str, Step],
) -> None:
    for path, place in _named(step, made, scope):
        problem = _wrong(path, place, written.arguments, done)
        if problem:
            raise written.error(step, problem)
    for run, own in _with_written(step, made):
        asked = [name for text in _own_texts(run, own, scope) for name in thread_fields(text)]
        if problem := _wrong_thread(asked, scope.thread):
            raise written.error(step, problem)


def _wrong_thread(asked: Sequence[str], known: frozenset[str] | None) -> str | None:
    """The fault in the parts of a thread that are asked for; None where all are there."""
    if known is None and asked:
        return f"`{{thread.{asked[0]}}}` is there only on GitHub, in a workflow of a pull request or an issue"
    wrong = next((name for name in asked if name not in (known or ())), None)
    return None if wrong is None else no_such("part of the thread", wrong, sorted(known or ()))


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of a path, and so what it may name."""

    arguments: Mapping[str, str] | None = None
    item: bool = False
    error: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The placeholders without a dot that can stand only in such places."""
        return (*(("item",) if self.item else ()), *(("error",) if self.error else ()))


def _with_written(step: ChainStep, made: Step) -> Iterator[tuple[AgentRun, ChainStep]]:
    """The runs of a step, each with what was written for it."""
    yield from zip(_runs(made), step.branches or (step,), strict=False)


def _own_texts(run: AgentRun, written: ChainStep, scope: CompileScope) -> Iterator[str]:
    """A run's texts without that of a plain skill, in which a misspelt placeholder is only text."""
    plain = written.skill is not None and _is_plain(scope.skills[written.skill])
    yield from (run.arguments or {}).values()
    yield from (run.title, run.recovery or "")
    if not (plain and not written.input):
        yield run.prompt
    if not plain:
        yield run.system


def _named(step: ChainStep, made: Step, scope: CompileScope) -> Iterator[tuple[str, _Place]]:
    """Every path that a step names, also one that is misspelt so that nothing would be put in its place."""
    if step.when is not None:
        yield step.when.value, _Place()
    for run, own in _with_written(step, made):
        if run.each is not None:
            yield f"steps.{run.each}", _Place()
        checked = set(_own_texts(run, own, scope))
        for text, place in _texts(run):
            yield from ((path, place) for path in placeholders(text))
            if text in checked:
                yield from ((alike, place) for alike, _ in look_alikes(text, place.words))


def _runs(made: Step) -> tuple[AgentRun, ...]:
    match made:
        case AgentRun():
            return (made,)
        case Branches():
            return made.branches
        case HostCall():
            return ()


def _texts(run: AgentRun) -> Iterator[tuple[str, _Place]]:
    """A run's templates."""
    outer, inner = _Place(item=run.each is not None), _Place(run.arguments, run.each is not None)
    yield from ((text, outer) for text in (run.arguments or {}).values())
    yield from ((text, inner) for text in (run.prompt, run.system, run.title))
    yield run.recovery or "", _Place(run.arguments, run.each is not None, error=True)


def _wrong(
    path: str, place: _Place, chain_args: frozenset[str] | None, done: Mapping[str, Step]
) -> str | None:
    """The fault of a path; None when it leads somewhere."""
    if path.startswith("{"):
        return _misspelt(path, place)
    first, *rest = path.split(".")
    match first:
        case "item":
            return None if place.item else "`{item}` can be used only in a step with `each`"
        case "error":
            return None if place.error else "`{error}` can be used only in `recovery`"
        case "args":
            known = chain_args if place.arguments is None else frozenset(place.arguments)
            name = rest[0] if rest else ""
            return (
                None if known is None or name in known else no_such("argument", name, sorted(known))
            )
        case "steps":
            return _wrong_step(rest, done)
        case "previous_output":
            return None
        case _:
            return f"`{path}` begins with none of steps, args, item"


def _misspelt(alike: str, place: _Place) -> str:
    """The fault of a text in braces that looks like a placeholder."""
    meant = next((right for _, right in look_alikes(alike, place.words)), None)
    mend = "a path is names joined by dots" if meant is None else f"did you mean `{meant}`?"
    return f"`{alike}` is no placeholder; {mend} What is to be sent as it is comes in as an argument's value"


def _wrong_step(rest: list[str], done: Mapping[str, Step]) -> str | None:
    name = rest[0] if rest else ""
    if name not in done:
        return f"no earlier step is called {name!r}{nearest(name, list(done))}"
    return _wrong_variable(done[name], name, rest[1:])


def _wrong_variable(step: Step, name: str, rest: list[str]) -> str | None:
    known = _variables(step)
    if known is None or not rest:
        return None
    if rest[0] not in known:
        return no_such(f"output of step {name}", rest[0], sorted(known))
    branches = step.branches if isinstance(step, Branches) else ()
    own = next((branch for branch in branches if branch.name == rest[0]), None)
    return None if own is None else _wrong_variable(own, f"{name}.{own.name}", rest[1:])


def _variables(step: Step) -> set[str] | None:
    """The names below a step's result; None where nobody can know."""
    match step:
        case HostCall():
            return None
        case Branches():
            return {"output", "error"} | {branch.name for branch in step.branches}
        case AgentRun(each=None):
            schema = step.overrides.json_schema
            if schema is not None and "properties" not in schema:
                return None
            return (
                {"output", "error"}
                | set(step.output_vars)
                | set((schema or {}).get("properties", ()))
            )
        case AgentRun():
            return {"output", "outputs", "results", "error", "errors"}
