"""Finds a verb's recipe: the default branch's own file where it has one, else the built-in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.conversation.recipes.recipe_terms import (
    BRIEF,
    BRIEF_RESULT,
    READING,
    THREAD_FIELDS,
)
from claude_pool_gh.conversation.repository.guidance import guided
from claude_pool_gh.conversation.services import CommandContext, Services, caps_of
from claude_pool_gh.github.trusted import RECIPES
from claude_pool_gh.pool.model.config import MICRODOLLARS
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import Step
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.skills import Skill, files_named, parse_skill
from claude_pool_gh.pool.recipes.workflows import Workflow, WorkflowFile, Written, parse_workflow
from claude_pool_gh.recipes import built_in

FOLDER: Final = RECIPES


@dataclass(frozen=True, slots=True)
class RecipeResolver:
    """The recipes as one command may use them."""

    services: Services
    asked: CommandContext
    hosts: frozenset[str] = frozenset()
    outputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    tools: frozenset[str] = READING

    async def steps(self, workflow: str, *, turns: int) -> tuple[Step, ...]:
        """The steps of a workflow in full. Raises RecipeError for a faulty file."""
        file = await self.workflow(workflow)
        return await self.compile_steps(file.workflow, file.written, turns=turns)

    async def workflow(self, name: str) -> WorkflowFile:
        """A workflow's file. Raises RecipeError."""
        return parse_workflow(*await self._text(f"workflows/{name}.yml"), name)

    async def compile_steps(
        self, workflow: Workflow, written: Written, *, turns: int
    ) -> tuple[Step, ...]:
        """A workflow's steps in full, each agent told the maintainers' rules. Raises RecipeError."""
        config, flags, defaults = (
            self.asked.config,
            self.asked.command.flags,
            self.services.defaults,
        )
        scope = CompileScope(
            skills=await self._skills(workflow),
            outputs=self.outputs,
            hosts=self.hosts | {BRIEF},
            tools=self.tools,
            most_seconds=defaults.wall(config),
            most_usd=caps_of(config, self.asked.command, defaults).task / MICRODOLLARS,
            model=flags.get("model") or config.model or defaults.model,
            effort=flags.get("effort") or config.effort,
            turns=flags.get("turns") or turns,
            thread=frozenset(THREAD_FIELDS),
            results={BRIEF: BRIEF_RESULT},
        )
        return guided(compile_steps(written, scope))

    async def _skills(self, recipe: Workflow) -> dict[str, Skill]:
        names = skills_of(recipe)
        found = await asyncio.gather(*(self._skill(name) for name in names))
        return dict(zip(names, found, strict=True))

    async def _skill(self, name: str) -> Skill:
        """A skill with the files that it names, which come from where it comes from."""
        text, source = await self._text(f"skills/{name}/SKILL.md")
        skill = parse_skill(text, source, name)
        own = source.removesuffix("SKILL.md")
        if not own.startswith(FOLDER):
            return skill
        named = files_named(skill.prompt)
        files = await asyncio.gather(*(self.asked.files.file(f"{own}{path}") for path in named))
        there = zip(named, files, strict=True)
        texts = {path: file.text for path, file in there if file is not None}
        return skill.with_files(texts).with_tools(self.tools)

    async def _text(self, path: str) -> tuple[str, str]:
        """A recipe's text, and what to call it in an error."""
        own = f"{FOLDER}/{path}"
        found = await self.asked.files.file(own)
        if found is not None:
            return found.text, own
        text = built_in(path)
        if text is None:
            raise RecipeError(
                f"there is no {own} on the default branch, and no built-in recipe of that name"
            )
        return text, path


def skills_of(workflow: Workflow) -> list[str]:
    """The skills that a workflow names."""
    every = [each for step in workflow.steps for each in (step, *(step.branches or ()))]
    return sorted({step.skill for step in every if step.skill})
