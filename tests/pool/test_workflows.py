"""A workflow file becomes a chain's steps, or an error before anything runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import (
    AgentRun,
    Branches,
    HostCall,
    Isolation,
    OnFailure,
    OnRestart,
    Step,
)
from claude_pool_gh.pool.model.render import render
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.skills import Argument, Skill
from claude_pool_gh.pool.recipes.workflows import ChainStep, Written, bind, parse_workflow

SKILL = Skill.model_validate(
    {"name": "s", "description": "d", "allowed-tools": ["Read"], "prompt": "Do {args.x}."}
)
LATE = Skill(name="late", description="d", prompt="See {steps.brief.x}.")
ASKS = Skill(
    name="asks",
    description="d",
    prompt="Ask {args.what}.",
    arguments=(Argument(name="what"), Argument(name="whom", required=False)),
)
KITCHEN = CompileScope(
    tools=frozenset({"Read", "Grep", "Glob"}),
    skills={"s": SKILL, "late": LATE, "asks": ASKS},
    outputs={"o": {"type": "object"}},
    hosts=frozenset({"h"}),
    model="m",
    effort="low",
    turns=7,
)

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


def cook(text: str, source: str = "x") -> tuple[Step, ...]:
    return compile_steps(parse_workflow(text, source).written, KITCHEN)


def told(*lines: str) -> str:
    """A workflow of one host step, `brief`, and these lines."""
    head = ["name: w", "description: d", "steps:", "  - {name: brief, host: h}"]
    return "\n".join([*head, *(f"  - {line}" for line in lines)])


def test_steps_are_written_out_in_full() -> None:
    brief, find, last = cook(WHOLE)
    assert brief == HostCall(name="brief", call="h")
    own = TaskOverrides.model_validate(
        {
            "tools": ("Grep",),
            "model": "other",
            "effort": "max",
            "max_turns": 3,
            "json_schema": {"type": "object"},
        }
    )
    assert find == AgentRun(
        name="find",
        system="Do {args.x}.",
        prompt="{steps.brief.about} {item.text}",
        each="brief.groups",
        title="{item.title}",
        overrides=own,
        share=0.5,
        retries=0,
    )
    kitchens = TaskOverrides.model_validate(
        {
            "tools": ("Read",),
            "allowed_tools": ("Read",),
            "model": "m",
            "effort": "low",
            "max_turns": 7,
        }
    )
    assert last == AgentRun(name="last", system="", prompt="Do {args.x}.", overrides=kitchens)


def test_a_workflow_says_what_holds_for_all_its_steps() -> None:
    whole = parse_workflow(
        "name: w\ndescription: d\nisolation: clone\non_restart: ask\nbudget_usd: 2.5\n"
        "arguments: [{name: a}, {name: b, required: false}]\nsteps: [{name: s, prompt: '{args.a}'}]",
        "x",
    ).workflow
    assert (whole.isolation, whole.on_restart, whole.budget_usd) == (
        Isolation.clone,
        OnRestart.ask,
        2.5,
    )
    assert whole.arguments == (Argument(name="a"), Argument(name="b", required=False))
    silent = parse_workflow(WHOLE, "x").workflow
    assert (silent.isolation, silent.on_restart, silent.budget_usd) == (None, OnRestart.rerun, None)


def test_no_tools_at_all_can_be_asked_for() -> None:
    _, step = cook(told("{name: a, skill: s, tools: []}"))
    assert isinstance(step, AgentRun)
    assert step.overrides.tools == ()


def test_every_part_of_a_step_arrives_in_the_plan() -> None:
    _, step = cook(
        told(
            "{name: a, prompt: p, role: r, at_once: 2, gate: true, max_rejections: 5, recovery: 'so: {error}', "
            "on_failure: continue, output_vars: {v: some.path}, budget_usd: 0.5, timeout_secs: 9, "
            "config: {disallowed_tools: [Bash], max_turns: 4}, when: {value: steps.brief.x, equals: true}}"
        )
    )
    assert isinstance(step, AgentRun)
    assert (step.role, step.at_once, step.gate, step.max_rejections) == ("r", 2, True, 5)
    assert (step.recovery, step.on_failure) == ("so: {error}", OnFailure.go_on)
    assert (step.output_vars, step.when and step.when.value) == (
        {"v": "some.path"},
        "steps.brief.x",
    )
    own = step.overrides
    assert (own.max_budget_usd, own.timeout_secs, own.disallowed_tools, own.max_turns) == (
        0.5,
        9,
        ("Bash",),
        4,
    )


def test_branches_stand_beside_each_other_and_are_read_by_their_names() -> None:
    _, both, last = cook(
        told(
            "{name: both, at_once: 1, branches: [{name: l, prompt: left}, {name: r, skill: s}]}",
            "{name: last, prompt: '{steps.both.output} {steps.both.l.output} {steps.both.r.output}'}",
        )
    )
    assert isinstance(both, Branches)
    assert [(run.name, run.prompt) for run in both.branches] == [
        ("l", "left"),
        ("r", "Do {args.x}."),
    ]
    assert (both.at_once, last.name) == (1, "last")


@pytest.mark.parametrize(
    ("old", "new", "line", "step", "says"),
    [
        ("host: h", "host: nope", 4, "brief", "unknown host `nope`; known: h"),
        (
            "skill: s\n    each",
            "skill: nope\n    each",
            6,
            "find",
            "unknown skill `nope`; known: asks, late, s",
        ),
        (
            "skill: s\n    each",
            "skill: ask\n    each",
            6,
            "find",
            "unknown skill `ask`, did you mean `asks`?",
        ),
        ("output: o", "output: p", 6, "find", "unknown output `p`; known: o"),
        (
            "tools: [Grep]",
            "tools: [Bash]",
            6,
            "find",
            "unknown tool `Bash`; known: Glob, Grep, Read",
        ),
        (
            "{steps.brief.about}",
            "{steps.breif.about}",
            6,
            "find",
            "no earlier step is called 'breif'",
        ),
        ("{steps.brief.about}", "{steps.find.x}", 6, "find", "no earlier step is called 'find'"),
        ("{steps.brief.about}", "{steps.last.x}", 6, "find", "no earlier step is called 'last'"),
        ("{steps.brief.about}", "{error}", 6, "find", "`{error}` can be used only in `recovery`"),
        ("{item.title}", "{steps.nope.x}", 6, "find", "no earlier step is called 'nope'"),
        ("each: brief.groups", "each: bref.groups", 6, "find", "no earlier step is called 'bref'"),
        (
            "    each: brief.groups\n",
            "",
            6,
            "find",
            "`{item}` can be used only in a step with `each`",
        ),
        ("name: last", "name: brief", 18, "brief", "another step has this name"),
        ("name: last", "name: find", 18, "find", "another step has this name"),
    ],
)
def test_what_a_step_refers_to_must_exist(
    old: str, new: str, line: int, step: str, says: str
) -> None:
    assert old in WHOLE
    with pytest.raises(RecipeError) as raised:
        cook(WHOLE.replace(old, new, 1))
    assert str(raised.value).startswith(f"x, line {line}, step {step}: {says}")


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("{name: a, skill: late, arguments: {y: z}}", "unknown argument `y`; known: none"),
        ("{name: a, skill: asks}", "skill asks needs the argument `what`"),
        ("{name: a, skill: asks, arguments: {what: ''}}", "skill asks needs the argument `what`"),
        (
            "{name: a, skill: asks, arguments: {wat: x}}",
            "unknown argument `wat`, did you mean `what`?",
        ),
        (
            "{name: a, skill: asks, arguments: {what: '{steps.b.x}'}}",
            "no earlier step is called 'b'",
        ),
        (
            "{name: a, skill: asks, arguments: {what: x}, input: '{args.draft}'}",
            "unknown argument `draft`",
        ),
        (
            "{name: a, branches: [{name: b, prompt: x}, {name: b, prompt: y}]}",
            "two of its branches have the same",
        ),
        ("{name: a, branches: [{name: b, skill: none}]}", "unknown skill `none`"),
        (
            "{name: a, prompt: x, when: {value: steps.b.x, equals: true}}",
            "no earlier step is called 'b'",
        ),
        ("{name: a, prompt: x, recovery: '{steps.a.x}'}", "no earlier step is called 'a'"),
        (
            "{name: a, prompt: x, title: '{item.x}'}",
            "`{item}` can be used only in a step with `each`",
        ),
        ("{name: a, prompt: x, output: {type: text}}", "its output is no JSON Schema that can be"),
        (
            "{name: a, branches: [{name: b, prompt: x, output: {patternProperties: {x: {}}}}]}",
            "its output is no JSON Schema that can be used: `patternProperties`",
        ),
        (
            "{name: a, prompt: x, config: {json_schema: {properties: {b: {pattern: '(?=a)'}}}}}",
            "its output is no JSON Schema that can be used: the pattern '(?=a)'",
        ),
        ("{name: a, prompt: x, config: {tools: [Bash]}}", "unknown tool `Bash`"),
        (
            "{name: a, prompt: x, config: {mcp_servers: {m: {command: sh}}}}",
            "MCP servers are tools too",
        ),
        (
            "{name: a, branches: [{name: b, prompt: x, config: {mcp_servers: {m: {command: c}}}}]}",
            "MCP servers are tools too",
        ),
    ],
)
def test_what_a_step_says_must_fit(step: str, says: str) -> None:
    with pytest.raises(RecipeError) as raised:
        cook(told(step))
    assert str(raised.value).startswith(f"x, line 5, step a: {says}")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("steps.free.anything", None),
        ("steps.typed.a", None),
        ("steps.typed.v", None),
        ("steps.typed.output", None),
        ("steps.typed.b", "unknown output of step typed `b`"),
        ("steps.many.outputs", None),
        ("steps.many.results", None),
        ("steps.many.a", "unknown output of step many `a`"),
        ("steps.said.output", None),
        ("steps.said.a", "unknown output of step said `a`"),
        ("steps.both.left", None),
        ("steps.both.right", "unknown output of step both `right`"),
        ("previous_output", None),
        ("args.a", None),
        ("args.b", "unknown argument `b`"),
    ],
)
def test_only_what_a_step_can_have_said_may_be_named(path: str, says: str | None) -> None:
    typed = {"type": "object", "properties": {"a": {}}}
    steps = (
        ChainStep(name="free", host="h"),
        ChainStep(name="typed", prompt="p", output=typed, output_vars={"v": "a.b"}),
        ChainStep(name="many", prompt="p", each="free.list"),
        ChainStep(name="said", prompt="p"),
        ChainStep(name="both", branches=(ChainStep(name="left", prompt="p"),)),
        ChainStep(name="last", prompt=f"{{{path}}}"),
    )
    written = Written(steps, frozenset({"a"}), "here")
    if says is None:
        assert len(compile_steps(written, KITCHEN)) == len(steps)
    else:
        with pytest.raises(RecipeError) as raised:
            compile_steps(written, KITCHEN)
        assert str(raised.value).startswith(f"here, step last: {says}")


def test_what_a_skill_refers_to_must_exist_too() -> None:
    text = "name: w\ndescription: d\nsteps: [{name: brief, host: h}, {name: a, skill: late}]"
    cook(text)
    with pytest.raises(RecipeError, match="step a: no earlier step is called 'brief'"):
        cook(text.replace("name: brief", "name: breif"))
    _, step = cook(text.replace("name: brief", "name: other"))
    assert isinstance(step, AgentRun)
    assert render(step.prompt, {}) == "See {steps.brief.x}.", "others speak of their own steps"


def test_a_skill_is_the_prompt_or_with_an_input_the_system_prompt() -> None:
    _, alone, with_input = cook(
        told(
            "{name: a, skill: asks, arguments: {what: '{steps.brief.x}'}}",
            "{name: b, skill: asks, arguments: {what: why, whom: mona}, input: 'Now.'}",
        )
    )
    assert isinstance(alone, AgentRun)
    assert isinstance(with_input, AgentRun)
    assert (alone.system, alone.prompt) == ("", "Ask {args.what}.\n\nwhom: {args.whom}")
    assert alone.arguments == {"what": "{steps.brief.x}", "whom": ""}
    assert (with_input.system, with_input.prompt) == ("Ask {args.what}.", "Now.")
    assert with_input.arguments == {"what": "why", "whom": "mona"}


def test_a_step_is_exactly_one_thing() -> None:
    for kinds in ({}, {"prompt": "p", "host": "h"}, {"skill": "s", "branches": ()}):
        with pytest.raises(
            ValueError, match="needs exactly one of `prompt`, `skill`, `host` and `branches`"
        ):
            ChainStep(name="a", **kinds)


@pytest.mark.parametrize(
    "branch",
    [
        "host: h",
        "prompt: p, each: a.b",
        "prompt: p, gate: true",
        "branches: [{name: c, prompt: p}]",
    ],
)
def test_a_branch_is_a_plain_run(branch: str) -> None:
    with pytest.raises(RecipeError, match=r"line 5: .*must be a plain prompt or skill"):
        cook(told(f"{{name: a, branches: [{{name: b, {branch}}}]}}"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "workflow w needs a; its arguments: a, b"),
        ({"a": ""}, "workflow w needs a; its arguments: a, b"),
        ({"a": 1, "c": 2}, "workflow w knows no c; its arguments: a, b"),
        ({"c": 2}, "workflow w needs a and knows no c; its arguments: a, b"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error(given: dict[str, object], says: str) -> None:
    declared = (Argument(name="a"), Argument(name="b", required=False))
    with pytest.raises(RecipeError) as raised:
        bind(declared, given, "workflow w")
    assert str(raised.value) == says
    assert bind(declared, {"a": 0}, "workflow w") == {"a": 0, "b": ""}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: w", "nam: w"),
        ("description: d", "description: [d]"),
        ("    host: h\n", ""),
        ("host: h", "host: h\n    skill: s"),
        ("name: brief", "name: Brief"),
        ("name: brief", "name: 1"),
        ("name: brief", "name: a.b"),
        ("turns: 3", "turns: 0"),
        ("turns: 3", "turns: many"),
        ("share: 0.5", "share: 0"),
        ("share: 0.5", "share: 1.5"),
        ("retries: 0", "retries: 6"),
        ("retries: 0", "retries: -1"),
        ("retries: 0", "retry: 1"),
        ("tools: [Grep]", "tools: Grep"),
        ("name: w", "name: 2001-99-99"),
        ("name: w", "name: !foo w"),
        ("name: w", "name: [" + "[" * 5_000),
        ("name: w", "- w"),
        ("name: w", "\tname: w"),
    ],
)
def test_a_faulty_file_is_an_error_that_names_it(old: str, new: str) -> None:
    assert old in WHOLE
    with pytest.raises(RecipeError, match=r"^workflows/x\.yml, line \d+: "):
        parse_workflow(WHOLE.replace(old, new, 1), "workflows/x.yml")


@pytest.mark.parametrize(
    "text", ["", "[]", "text", "3", "name: w\ndescription: d\nsteps: []", "name: w\ndescription: d"]
)
def test_a_file_without_steps_is_none(text: str) -> None:
    with pytest.raises(RecipeError, match=r"^x, line [13]: "):
        parse_workflow(text, "x")


@pytest.mark.parametrize(
    ("written", "most"), [("timeout_secs: 601", "600"), ("budget_usd: 1.5", "1")]
)
def test_a_recipe_cannot_ask_for_more_than_the_kitchen_gives(written: str, most: str) -> None:
    strict = replace(KITCHEN, most_seconds=600, most_usd=1)
    text = f"name: w\ndescription: d\nsteps: [{{name: a, skill: s, {written}}}]"
    file = parse_workflow(text, "x")
    with pytest.raises(RecipeError, match=f"may be at most {most} here"):
        compile_steps(file.written, strict)
    assert compile_steps(file.written, KITCHEN)
