"""A workflow file becomes a chain's steps, or an error before anything runs."""

from __future__ import annotations

import pytest

from claude_pool_gh.pool.errors import RecipeError
from claude_pool_gh.pool.plan import AgentRun, HostCall
from claude_pool_gh.pool.skills import Skill
from claude_pool_gh.pool.workflows import Kitchen, expand, parse_workflow

SKILL = Skill.model_validate(
    {"name": "s", "description": "d", "allowed-tools": ["Read"], "prompt": "Do {args.x}."}
)
LATE = Skill(name="late", description="d", prompt="See {steps.brief.x}.")
KITCHEN = Kitchen(
    tools=frozenset({"Read", "Grep", "Glob"}),
    skills={"s": SKILL, "late": LATE}, outputs={"o": {"type": "object"}}, hosts=frozenset({"h"}), model="m",
    effort="low",
    turns=7,
)  # fmt: skip

WHOLE = """\
name: w
description: d
steps:
  - name: brief
    host: h
  - name: find
    skill: s
    each: brief.groups
    title: "{item.title}"
    input: "{steps.brief.about} {item.text}"
    tools: [Grep]
    model: other
    effort: max
    turns: 3
    share: 0.5
    output: o
    retries: 0
  - name: last
    skill: s
"""


def test_steps_are_written_out_in_full() -> None:
    brief, find, last = expand(parse_workflow(WHOLE, "x"), KITCHEN)
    assert brief == HostCall(name="brief", call="h")
    assert find == AgentRun(
        name="find", system="Do {args.x}.", prompt="{steps.brief.about} {item.text}", each="brief.groups",
        title="{item.title}", tools=("Grep",), model="other", effort="max", turns=3, share=0.5,
        output={"type": "object"}, retries=0,
    )  # fmt: skip
    assert last == AgentRun(
        name="last", system="Do {args.x}.", prompt="", tools=("Read",), model="m", effort="low", turns=7
    )


def test_no_tools_at_all_can_be_asked_for() -> None:
    [step] = expand(
        parse_workflow("name: w\ndescription: d\nsteps: [{name: a, skill: s, tools: []}]", "x"), KITCHEN
    )
    assert isinstance(step, AgentRun)
    assert step.tools == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("host: h", "host: nope", "workflow w, step brief: unknown host 'nope'; known: h"),
        (
            "skill: s\n    each",
            "skill: nope\n    each",
            "workflow w, step find: unknown skill 'nope'; known: late, s",
        ),
        ("output: o", "output: p", "workflow w, step find: unknown output 'p'; known: o"),
        (
            "{steps.brief.about}",
            "{steps.breif.about}",
            "workflow w, step find: no earlier step is called 'breif'",
        ),
        ("{steps.brief.about}", "{steps.find.x}", "workflow w, step find: no earlier step is called 'find'"),
        ("{steps.brief.about}", "{steps.last.x}", "workflow w, step find: no earlier step is called 'last'"),
        ("{item.title}", "{steps.nope.x}", "workflow w, step find: no earlier step is called 'nope'"),
        (
            "each: brief.groups",
            "each: bref.groups",
            "workflow w, step find: no earlier step is called 'bref'",
        ),
        ("name: last", "name: brief", "workflow w: two steps are called 'brief'"),
    ],
)
def test_what_a_step_refers_to_must_exist(old: str, new: str, says: str) -> None:
    with pytest.raises(RecipeError) as raised:
        expand(parse_workflow(WHOLE.replace(old, new, 1), "x"), KITCHEN)
    assert str(raised.value) == says


def test_what_a_skill_refers_to_must_exist_too() -> None:
    text = "name: w\ndescription: d\nsteps: [{name: brief, host: h}, {name: a, skill: late}]"
    expand(parse_workflow(text, "x"), KITCHEN)
    with pytest.raises(RecipeError, match="step a: no earlier step is called 'brief'"):
        expand(parse_workflow(text.replace("name: brief", "name: other"), "x"), KITCHEN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: w", "nam: w"), ("description: d", "description: [d]"), ("    host: h\n", ""), ("host: h",
        "host: h\n    skill: s"),
        ("name: brief", "name: Brief"), ("name: brief", "name: 1"), ("name: brief", "name: a.b"), ("turns: 3",
        "turns: 0"),
        ("turns: 3", "turns: many"), ("share: 0.5", "share: 0"), ("share: 0.5", "share: 1.5"), ("retries: 0",
        "retries: 6"),
        ("retries: 0", "retries: -1"), ("retries: 0", "retry: 1"), ("tools: [Grep]", "tools: Grep"), ("name: w",
        "name: 2001-99-99"),
        ("name: w", "name: !foo w"), ("name: w", "name: [" + "[" * 5_000), ("name: w", "- w"), ("name: w",
        "\tname: w"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_an_error_that_names_it(old: str, new: str) -> None:
    assert old in WHOLE
    with pytest.raises(RecipeError, match=r"^workflows/x\.yml: "):
        parse_workflow(WHOLE.replace(old, new, 1), "workflows/x.yml")


@pytest.mark.parametrize(
    "text", ["", "[]", "text", "3", "name: w\ndescription: d\nsteps: []", "name: w\ndescription: d"]
)
def test_a_file_without_steps_is_none(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^x: "):
        parse_workflow(text, "x")
