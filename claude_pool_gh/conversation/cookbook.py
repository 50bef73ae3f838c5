"""Finds a verb's recipe: the default branch's own file where it has one, else the built-in."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from claude_pool_gh.conversation.desk import Asked, Desk
from claude_pool_gh.github.reads import trusted_file
from claude_pool_gh.pool.errors import RecipeError
from claude_pool_gh.pool.kitchen import Kitchen, expand
from claude_pool_gh.pool.plan import Step
from claude_pool_gh.pool.skills import Skill, parse_skill
from claude_pool_gh.pool.workflows import Workflow, parse_workflow
from claude_pool_gh.recipes import built_in

FOLDER: Final = ".github/claude-pool"

READING: Final = frozenset({"Read", "Grep", "Glob"})
"""All that an agent gets: whoever writes a repository's recipes must not be able to give it a shell on this host."""


async def steps_for(
    desk: Desk,
    asked: Asked,
    workflow: str,
    *,
    outputs: dict[str, dict[str, Any]],
    hosts: frozenset[str],
    turns: int,
) -> tuple[Step, ...]:
    """The steps of a workflow in full. Raises RecipeError for a faulty file."""
    file = parse_workflow(*await _text(desk, asked, f"workflows/{workflow}.yml"))
    kitchen = Kitchen(
        skills=await _skills(desk, asked, file.workflow),
        outputs=outputs,
        hosts=hosts,
        tools=READING,
        most_seconds=desk.defaults.wall_seconds or asked.config.wall_minutes * 60,
        most_usd=asked.config.budget.task,
        model=asked.command.flags.get("model") or asked.config.model or desk.defaults.model,
        effort=asked.command.flags.get("effort") or asked.config.effort,
        turns=asked.command.flags.get("turns") or turns,
    )
    return expand(file.written, kitchen)


async def _skills(desk: Desk, asked: Asked, recipe: Workflow) -> dict[str, Skill]:
    every = [each for step in recipe.steps for each in (step, *(step.branches or ()))]
    names = sorted({step.skill for step in every if step.skill})
    texts = await asyncio.gather(*(_text(desk, asked, f"skills/{name}/SKILL.md") for name in names))
    return {name: parse_skill(*text) for name, text in zip(names, texts, strict=True)}


async def _text(desk: Desk, asked: Asked, path: str) -> tuple[str, str]:
    """A recipe's text, and what to call it in an error."""
    own = f"{FOLDER}/{path}"
    found = await trusted_file(desk.forge, asked.request.thread.repository, asked.branch, own)
    if found is not None:
        return found.text, own
    text = built_in(path)
    if text is None:
        raise RecipeError(f"there is no {own} on the default branch, and no built-in recipe of that name")
    return text, path
