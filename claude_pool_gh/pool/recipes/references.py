"""Looks up what a step's placeholders name: an argument, an earlier step's result, a part of the thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType

from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import look_alikes, placeholders, thread_fields
from claude_pool_gh.pool.recipes.skills import Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.recipes.yaml_file import nearest, no_such

Results = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that the placeholders of a step may lead to."""

    skills: Mapping[str, Skill]
    thread: frozenset[str] | None
    """The parts of a thread; None where there is none."""
    arguments: frozenset[str] | None
    """The chain's; None: any."""
    earlier: Mapping[str, Step]
    results: Results = field(default_factory=dict)
    """The names in the result of a host's step, by its call; of others nobody knows them."""


def unresolved(step: ChainStep, made: Step, known: Known) -> str | None:
    """The fault of the first placeholder that leads nowhere; None where all lead somewhere."""
    for path, place in _named(step, made, known.skills):
        if problem := wrong(path, place, known.arguments, known.earlier, known.results):
            return problem
    for run, own in _with_written(step, made):
        asked = [
            name for text in _own_texts(run, own, known.skills) for name in thread_fields(text)
        ]
        if problem := _wrong_thread(asked, known.thread):
            return problem
    return None


def is_plain(skill: Skill) -> bool:
    """True where a skill is of the open format alone, which knows no placeholders."""
    return not skill.arguments


def _wrong_thread(asked: Sequence[str], known: frozenset[str] | None) -> str | None:
    """The fault in the parts of a thread that are asked for; None where all are there."""
    if known is None and asked:
        return f"`{{thread.{asked[0]}}}` is there only on GitHub, in a workflow of a pull request or an issue"
    wrong = next((name for name in asked if name not in (known or ())), None)
    return None if wrong is None else no_such("part of the thread", wrong, sorted(known or ()))


@dataclass(frozen=True, slots=True)
class Place:
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


def _own_texts(run: AgentRun, written: ChainStep, skills: Mapping[str, Skill]) -> Iterator[str]:
    """A run's texts without that of a plain skill, in which a misspelt placeholder is only text."""
    plain = written.skill is not None and is_plain(skills[written.skill])
    yield from (run.arguments or {}).values()
    yield from (run.title, run.recovery or "")
    if not (plain and not written.input):
        yield run.prompt
    if not plain:
        yield run.system


def _named(step: ChainStep, made: Step, skills: Mapping[str, Skill]) -> Iterator[tuple[str, Place]]:
    """Every path that a step names, also one that is misspelt so that nothing would be put in its place."""
    if step.when is not None:
        yield step.when.value, Place()
    for run, own in _with_written(step, made):
        if run.each is not None:
            yield f"steps.{run.each}", Place()
        checked = set(_own_texts(run, own, skills))
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


def _texts(run: AgentRun) -> Iterator[tuple[str, Place]]:
    """A run's templates."""
    outer, inner = Place(item=run.each is not None), Place(run.arguments, run.each is not None)
    yield from ((text, outer) for text in (run.arguments or {}).values())
    yield from ((text, inner) for text in (run.prompt, run.system, run.title))
    yield run.recovery or "", Place(run.arguments, run.each is not None, error=True)


def wrong(
    path: str,
    place: Place,
    chain_args: frozenset[str] | None,
    done: Mapping[str, Step],
    results: Results = MappingProxyType({}),
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
            return _wrong_step(rest, done, results)
        case "previous_output":
            return None
        case _:
            return f"`{path}` begins with none of steps, args, item"


def _misspelt(alike: str, place: Place) -> str:
    """The fault of a text in braces that looks like a placeholder."""
    meant = next((right for _, right in look_alikes(alike, place.words)), None)
    mend = "a path is names joined by dots" if meant is None else f"did you mean `{meant}`?"
    return f"`{alike}` is no placeholder; {mend} What is to be sent as it is comes in as an argument's value"


def _wrong_step(rest: list[str], done: Mapping[str, Step], results: Results) -> str | None:
    name = rest[0] if rest else ""
    if name not in done:
        return f"no earlier step is called {name!r}{nearest(name, list(done))}"
    return _wrong_variable(done[name], name, rest[1:], results)


def _wrong_variable(step: Step, name: str, rest: list[str], results: Results) -> str | None:
    known = _variables(step, results)
    if known is None or not rest:
        return None
    if rest[0] not in known:
        return no_such(f"output of step {name}", rest[0], sorted(known))
    branches = step.branches if isinstance(step, Branches) else ()
    own = next((branch for branch in branches if branch.name == rest[0]), None)
    return None if own is None else _wrong_variable(own, f"{name}.{own.name}", rest[1:], results)


def _variables(step: Step, results: Results) -> AbstractSet[str] | None:
    """The names below a step's result; None where nobody can know."""
    match step:
        case HostCall():
            return results.get(step.call)
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
