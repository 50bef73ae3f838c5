"""The scripted model knows each agent by the skill that it follows, whatever that skill says."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from claude_pool_gh.rehearsal.model import ModelRequest
from claude_pool_gh.rehearsal.skills import openings, skill_of

SKILLS = sorted(openings())


def body_of(skill: str) -> str:
    text = (
        files("claude_pool_gh").joinpath("recipes", "skills", skill, "SKILL.md").read_text("utf-8")
    )
    return text.split("---\n", 2)[2].strip()


def request_of(system: str, text: str) -> ModelRequest:
    return ModelRequest("/v1/messages", {}, {"system": system, "messages": [{"content": text}]}, 0)


def test_there_are_skills() -> None:
    assert {"find-defects", "verify-finding", "fix-problems", "plan-change"} <= set(SKILLS)


@pytest.mark.parametrize("skill", SKILLS)
def test_a_request_names_its_skill_though_it_quotes_all_others(skill: str) -> None:
    others = "\n\n".join(body_of(each) for each in SKILLS if each != skill)
    told = re.sub(r"\{[^{}]*\}", "what is filled in, such as a {brace}", body_of(skill))
    assert skill_of(request_of(told, f"Do it.\n\n{others}")) == skill
    assert skill_of(request_of("You are an agent.", f"{told}\n\n{others}")) == skill


def test_a_prompt_of_ones_own_is_no_skill() -> None:
    assert skill_of(request_of("You are an agent.", "Tell how many files there are.")) == ""
