"""A check that a recipe fits the verb that runs it: has the steps that it reads, in the form that it reads.

Checked for the built-in recipes when the server starts, and for a repository's own before anything is spent on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from claude_pool_gh.conversation.recipes.schema_fit import misfit
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeNeeds:
    """The needs of a verb, which its recipe must meet."""

    one_of: frozenset[str] = frozenset()
    """Host calls of which one must be a step, since it ends the chain; empty: none must be."""
    gate: tuple[str, str] | None = None
    """Name and host call of the step that must wait for an approval."""
    reads: Mapping[str, Mapping[str, type[BaseModel] | str]] = field(default_factory=dict)
    """For each host call: the earlier steps whose results it reads. An agent's by the form of its answer, a host's by
    its call."""
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For each host call: the names in its result, which later steps may ask for."""

    def check(self, steps: Sequence[Step], where: str) -> None:
        """Hold a recipe against it. Raises RecipeError that names the step and what it lacks."""
        problem = next(self._problems(steps), None)
        if problem is not None:
            raise RecipeError(f"{where} {problem}")

    def _problems(self, steps: Sequence[Step]) -> Iterator[str]:
        yield from self._frame(steps)
        for at, step in enumerate(steps):
            before = {each.name: each for each in steps[:at]}
            if isinstance(step, HostCall):
                for name, form in self.reads.get(step.call, {}).items():
                    if (problem := _unread(before.get(name), form)) is not None:
                        yield f"needs a step `{name}` before `{step.name}`: {problem}"
            for root, name in _fields_asked(step):
                known = self._fields_of(before.get(root))
                if known is not None and name not in known:
                    asked = f"{{steps.{root}.{name}}}"
                    yield f"asks in `{step.name}` for {asked}: `{root}` has only {', '.join(sorted(known))}"

    def _frame(self, steps: Sequence[Step]) -> Iterator[str]:
        hosts = [each for each in steps if isinstance(each, HostCall)]
        if self.one_of and not any(each.call in self.one_of for each in hosts):
            yield f"must have a step with {' or '.join(f'`host: {call}`' for call in sorted(self.one_of))}"
        if self.gate is not None:
            name, call = self.gate
            if not any((each.name, each.call) == self.gate and each.gate for each in hosts):
                yield f"must have a step `{name}` with `host: {call}` and `gate: true`"

    def _fields_of(self, step: Step | None) -> frozenset[str] | None:
        return self.fields.get(step.call) if isinstance(step, HostCall) else None


def _unread(step: Step | None, form: type[BaseModel] | str) -> str | None:
    """The reason why a verb cannot read the result of a step; None where it can."""
    if isinstance(form, str):
        fits = isinstance(step, HostCall) and step.call == form
        return None if fits else f"one with `host: {form}`"
    if not isinstance(step, AgentRun):
        return "one of an agent"
    if step.each is not None:
        return "one agent, without `each`"
    schema = step.overrides.json_schema
    if schema is None:
        return "its agent must answer in a form, with `output`"
    problem = misfit(schema, form)
    return None if problem is None else f"its `output` does not fit: {problem}"


def _fields_asked(step: Step) -> Iterator[tuple[str, str]]:
    """The parts of earlier results that the texts of a step ask for: the step, and the name right below it."""
    for run in _runs(step):
        arguments = (run.arguments or {}).values()
        for text in (run.system, run.prompt, run.title, run.recovery or "", *arguments):
            for path in placeholders(text):
                root, *rest = path.split(".")
                if root == "steps" and len(rest) > 1:
                    yield rest[0], rest[1]


def _runs(step: Step) -> tuple[AgentRun, ...]:
    match step:
        case AgentRun():
            return (step,)
        case Branches():
            return step.branches
        case HostCall():
            return ()
