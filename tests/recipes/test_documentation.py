"""What the reference shows can be run as it stands there."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import claude_pool_gh
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.workflows import parse_workflow
from claude_pool_gh.service.doctor.doctor_github import EVENTS

HERE = Path(__file__).parents[2]
REFERENCE = (HERE / "docs" / "reference" / "pool.md").read_text()


def test_the_workflow_in_the_reference_is_a_workflow() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", REFERENCE, re.DOTALL)
    library = RecipeLibrary((files("claude_pool_gh.recipes"),))
    scope = CompileScope(skills={"describe-change": library.skill("describe-change")})
    steps = compile_steps(parse_workflow(text, "docs/reference/pool.md").written, scope)
    assert [step.name for step in steps] == ["read", "fix", "check", "tell"]


def test_the_reference_names_every_packaged_recipe() -> None:
    library = RecipeLibrary((files("claude_pool_gh.recipes"),))
    names = [*library.skill_names(), *library.workflow_names()]
    unnamed = [name for name in names if f"`{name}`" not in REFERENCE]
    assert not unnamed, f"docs/reference/pool.md does not name {', '.join(unnamed)}"


def test_a_page_lists_the_whole_surface_of_the_library() -> None:
    page = (HERE / "docs/reference/library.md").read_text()
    unnamed = [name for name in claude_pool_gh.__all__ if f"`{name}" not in page]
    assert not unnamed, f"docs/reference/library.md lacks {', '.join(unnamed)}"


def test_the_steps_by_hand_name_every_event_that_the_doctor_asks_for() -> None:
    page = " ".join((HERE / "docs/how-to/app.md").read_text().split())
    (named,) = re.findall(r"Events: \*(.*?)\*\.", page)
    assert sorted(each.replace(" ", "_") for each in named.split(", ")) == list(EVENTS)
