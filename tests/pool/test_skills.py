"""SKILL.md, as others write it too."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.render import render
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.skills import (
    MOST_CHARACTERS,
    Skill,
    files_named,
    parse_skill,
    read_skill,
)
from claude_pool_gh.pool.recipes.workflows import parse_workflow

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
        ("---\nname: a-\ndescription: b\n---\n", "name"),
        ("---\nname: a--b\ndescription: b\n---\n", "name"),
        (f"---\nname: {'a' * 65}\ndescription: b\n---\n", "name"),
        ("---\n- a\n---\n", "must be a mapping"),
        ("---\ntext\n---\n", "must be a mapping"),
        ("---\nname: [\n---\n", "line 3"),
        ("---\nname: 2001-99-99\n---\n", "month"),
        ("---\nname: a\ndescription: b\nallowed-tools: 3\n---\n", "allowed-tools"),
        ("---\nname: !!python/name:os.system\n---\n", "python"),
        ("---\na: " + "[" * 5_000 + "\n---\n", "nested too deeply"),
    ],
)
def test_a_faulty_skill_is_an_error_that_names_its_file(text: str, says: str) -> None:
    with pytest.raises(RecipeError) as raised:
        parse_skill(text, "skills/x/SKILL.md")
    assert str(raised.value).startswith("skills/x/SKILL.md, line ")
    assert says in str(raised.value)


def skill_of(front: str, body: str = "Look.") -> Skill:
    return parse_skill(f"---\nname: look\ndescription: d\n{front}\n---\n{body}", "x")


@pytest.mark.parametrize(
    ("written", "tools"),
    [
        ("Read Grep Glob", ("Read", "Grep", "Glob")),
        ("Read, Grep", ("Read", "Grep")),
        ("[Read, Grep]", ("Read", "Grep")),
        ("Bash(git add:*) Bash(jq *) Read", ("Bash(git add:*)", "Bash(jq *)", "Read")),
        ('"Bash(a, b), Read"', ("Bash(a, b)", "Read")),
    ],
)
def test_tools_are_read_as_the_format_and_as_people_write_them(
    written: str, tools: tuple[str, ...]
) -> None:
    assert skill_of(f"allowed-tools: {written}").allowed_tools == tools


def test_tools_that_agents_cannot_have_are_left_out() -> None:
    skill = skill_of("allowed-tools: Read Bash(git log:*) Edit")
    assert skill.with_tools(frozenset({"Read", "Edit"})).allowed_tools == ("Read", "Edit")
    assert skill.with_tools(None) == skill


def test_all_faults_of_a_skill_are_told_with_their_lines() -> None:
    found = read_skill("---\nname: look\nallowed-tools: 3\n---\n", "other")
    assert isinstance(found, list)
    assert [str(each) for each in found] == [
        "line 2: `description` is missing",
        "line 3: `allowed-tools`: wants tools, as a list or as one text with blanks between them",
    ]
    assert list(map(str, read_skill("---\nname: look\ndescription: d\n---\n", "other"))) == [
        "line 2: the skill calls itself `look`, its folder is `other`"
    ]


BRACES = (
    "Use {item} and {{item}}, {{{steps.x}}}, {steps.brief.title}, {previous}, {thread.nothing}, "
    "{ args.x }, {error}, ${{ steps.a.outputs.b }}, f'{x:>3}' and {\"item\": 1}."
)
"""What stands in texts of others, and would be filled or refused in a text of ours."""


@pytest.mark.parametrize("more", ["", ", input: Go"], ids=["as the prompt", "as the system prompt"])
def test_braces_in_a_skill_of_the_open_format_are_text(more: str) -> None:
    workflow = f"name: w\ndescription: d\nsteps:\n  - {{name: a, skill: look{more}}}\n"
    file = parse_workflow(workflow, "w.yml")
    (step,) = compile_steps(file.written, CompileScope(skills={"look": skill_of("", BRACES)}))
    assert isinstance(step, AgentRun)
    text = step.system if more else step.prompt
    assert text != BRACES
    assert render(text, {}) == BRACES


def test_a_skill_is_told_what_leads_somewhere_and_an_argument_that_there_is_not_is_refused() -> (
    None
):
    workflow = """name: w
description: d
arguments: [{name: who}]
steps:
  - {name: brief, prompt: x}
  - {name: a, skill: look}
"""
    file = parse_workflow(workflow, "w.yml")
    body = "Tell {args.who} of {steps.brief.output}, not of {steps.other.output}."
    steps = compile_steps(file.written, CompileScope(skills={"look": skill_of("", body)}))
    values = {"args": {"who": "Mona"}, "steps": {"brief": {"output": "it"}}}
    assert isinstance(steps[1], AgentRun)
    assert render(steps[1].prompt, values) == "Tell Mona of it, not of {steps.other.output}."
    with pytest.raises(RecipeError, match="unknown argument `whom`"):
        compile_steps(file.written, CompileScope(skills={"look": skill_of("", "{args.whom}")}))


def test_the_files_that_a_skill_names_come_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "skills" / "look"
    (folder / "references").mkdir(parents=True)
    body = "Read [this](references/a.md), `b.txt` and ../secret.md, not example.com."
    assert files_named(body) == ["references/a.md", "b.txt", "example.com"]
    (folder / "SKILL.md").write_text(
        f"---\nname: look\ndescription: d\nallowed-tools: Read Bash\n---\n{body}"
    )
    (folder / "references" / "a.md").write_text("All of A {item}.")
    (folder / "b.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "skills" / "secret.md").write_text("SECRET")
    skill = RecipeLibrary((tmp_path,), skill_tools=frozenset({"Read"})).skill("look")
    assert "<skill-file name='references/a.md'>\nAll of A {item}.\n</skill-file>" in skill.prompt
    assert "SECRET" not in skill.prompt
    assert skill.prompt.count("<skill-file") == 1
    assert skill.allowed_tools == ("Read",)


def test_bundled_files_are_bounded() -> None:
    skill = skill_of("").with_files({"a.md": "a" * MOST_CHARACTERS, "b.md": "b" * 10})
    assert len(skill.prompt) < MOST_CHARACTERS + 500
    assert skill.prompt.endswith("(the rest of this file is left out)\n</skill-file>")
    assert len(files_named(" ".join(f"f{n}.md" for n in range(50)))) == 20
