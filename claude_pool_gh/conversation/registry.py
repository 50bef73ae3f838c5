"""Finds the verbs: the class in each file of the package `verbs`."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from inspect import isabstract
from types import ModuleType
from typing import Any

from claude_pool_gh.conversation import verbs
from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.recipes.recipe_terms import BRIEF, THREAD_FIELDS
from claude_pool_gh.conversation.repository.guidance import guided
from claude_pool_gh.conversation.repository.recipe_resolver import skills_of
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.conversation.verb_names import name_in
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import Step
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.skills import Skill, parse_skill
from claude_pool_gh.pool.recipes.workflows import Workflow, WorkflowFile, parse_workflow
from claude_pool_gh.recipes import built_in


class UnfitVerb(TypeError):
    """A verb that lacks something; the text says which and what."""


def handlers() -> dict[str, VerbHandler]:
    """Every verb by its name, in the order of the help. Raises UnfitVerb."""
    every: dict[str, VerbHandler] = {}
    for kind in sorted(_kinds(), key=lambda kind: (kind.order, kind.name)):
        if kind.name in every:
            other = type(every[kind.name]).__name__
            raise UnfitVerb(f"{kind.__name__} and {other} are both called {kind.name!r}")
        every[kind.name] = kind(every)
    return every


def check_recipes(every: Mapping[str, VerbHandler], services: Services) -> None:
    """Hold the built-in recipe of each verb against what the verb reads of it. Raises UnfitVerb."""
    for verb in every.values():
        if not isinstance(verb, AgentVerb):
            continue
        for name in verb.workflows:
            try:
                steps = built_in_steps(verb, services, name)
                verb.recipe_needs.check(steps, f"recipes/workflows/{name}.yml")
            except RecipeError as error:
                raise UnfitVerb(f"the verb {verb.name}: {error}") from error


def built_in_steps(verb: AgentVerb[Any], services: Services, name: str = "") -> tuple[Step, ...]:
    """The steps of a verb's built-in recipe, of several the one of that name.

    Raises RecipeError where it is faulty, or there is none.
    """
    name = name or verb.workflow
    workflow = _parsed(_text(f"workflows/{name}.yml"), name)
    scope = CompileScope(
        skills=_skills(workflow.workflow),
        outputs=verb.schemas,
        hosts=frozenset({*verb.host_steps(services), BRIEF}),
        tools=verb.tools,
        thread=frozenset(THREAD_FIELDS),
    )
    return guided(compile_steps(workflow.written, scope))


def _kinds() -> Iterator[type[VerbHandler]]:
    for found in pkgutil.iter_modules(verbs.__path__, f"{verbs.__name__}."):
        yield _only_verb(import_module(found.name))


def _only_verb(module: ModuleType) -> type[VerbHandler]:
    """The one verb of a file."""
    own = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, VerbHandler)
        and each.__module__ == module.__name__
    ]
    file = f"{module.__name__.rpartition('.')[2]}.py"
    if len(own) != 1:
        raise UnfitVerb(f"{file} has {len(own)} verbs: a verb is one class in one file of `verbs`")
    faults = own[0].faults()
    if getattr(own[0], "name", "") != (name := name_in(file.removesuffix(".py"))):
        faults.append(f'the name of its file: name = "{name}", or another file')
    if faults or isabstract(own[0]):
        raise UnfitVerb(f"{own[0].__name__} in {file} lacks " + "; and ".join(faults))
    return own[0]


@cache
def _parsed(text: str, name: str) -> WorkflowFile:
    """A packaged workflow: reading it takes as long as all else at a start."""
    return parse_workflow(text, name)


def _skills(workflow: Workflow) -> dict[str, Skill]:
    return {
        name: parse_skill(_text(f"skills/{name}/SKILL.md"), name) for name in skills_of(workflow)
    }


def _text(path: str) -> str:
    text = built_in(path)
    if text is None:
        raise RecipeError(f"there is no recipes/{path}")
    return text
