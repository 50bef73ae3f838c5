"""SKILL.md, as others write it too."""

from __future__ import annotations

import pytest

from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.recipes.skills import parse_skill

WHOLE = """\
---
name: find-defects
description: Finds them.
allowed-tools: [Read, Grep]
license: MIT
metadata:
  author: mona
---

Read it.

---

Then tell.
"""


@pytest.mark.parametrize(
    "text", [WHOLE, WHOLE.replace("\n", "\r\n"), WHOLE.replace("---\n", "--- \n")]
)
def test_a_skill_is_its_front_matter_and_its_prompt(text: str) -> None:
    skill = parse_skill(text, "x")
    assert (skill.name, skill.description, skill.allowed_tools) == (
        "find-defects",
        "Finds them.",
        ("Read", "Grep"),
    )
    assert skill.metadata == {"author": "mona"}
    assert skill.prompt.split() == ["Read", "it.", "---", "Then", "tell."]


def test_a_skill_needs_no_more_than_a_name_and_a_description() -> None:
    skill = parse_skill("---\nname: a\ndescription: b\n---\n", "x")
    assert (skill.allowed_tools, skill.metadata, skill.prompt) == ((), {}, "")


def test_the_front_matter_cannot_set_the_prompt() -> None:
    assert parse_skill("---\nname: a\ndescription: b\nprompt: c\n---\nd", "x").prompt == "d"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a skill begins with a line `---`"),
        ("name: a", "a skill begins with a line `---`"),
        ("\n---\nname: a\n---\n", "a skill begins with a line `---`"),
        ("---\nname: a\ndescription: b\n", "the front matter is not closed"),
        ("---\n---\nx", "name"),
        ("---\nname: a\n---\nx", "description"),
        ("---\nname: A B\ndescription: b\n---\n", "name"),
        ("---\nname: ../a\ndescription: b\n---\n", "name"),
        ("---\nname: -a\ndescription: b\n---\n", "name"),
        (f"---\nname: {'a' * 65}\ndescription: b\n---\n", "name"),
        ("---\n- a\n---\n", "unsupported"),
        ("---\ntext\n---\n", "unsupported"),
        ("---\nname: [\n---\n", "flow"),
        ("---\nname: 2001-99-99\n---\n", "month"),
        ("---\nname: a\ndescription: b\nallowed-tools: 3\n---\n", "allowed-tools"),
        ("---\nname: !!python/name:os.system\n---\n", "python"),
        ("---\na: " + "[" * 5_000 + "\n---\n", "recursion"),
    ],
)
def test_a_faulty_skill_is_an_error_that_names_its_file(text: str, says: str) -> None:
    with pytest.raises(RecipeError) as raised:
        parse_skill(text, "skills/x/SKILL.md")
    assert str(raised.value).startswith("skills/x/SKILL.md: ")
    assert says in str(raised.value)
