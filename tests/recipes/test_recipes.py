"""Every built-in recipe parses, expands, and fits the host that fills it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, cast

import jsonschema
import pytest

from claude_pool_gh import recipes
from claude_pool_gh.agent.powers import CONFINED
from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.changing_verb import ChangingVerb
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.conversation.review import brief, check_findings, gather, questions, unplaced
from claude_pool_gh.findings.model import Claim, output_schemas
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Isolation, Limits, Plan, Step
from claude_pool_gh.pool.model.render import placeholders, render
from claude_pool_gh.pool.recipes.compile import CompileScope, compile_steps
from claude_pool_gh.pool.recipes.skills import parse_skill
from claude_pool_gh.pool.recipes.workflows import parse_workflow
from claude_pool_gh.recipes import built_in
from claude_pool_gh.rehearsal.reviewer import Planted
from tests.findings.make import finding

ROOT = files(recipes)
WORKFLOWS = sorted(file.name.removesuffix(".yml") for file in ROOT.joinpath("workflows").iterdir())
SKILLS = sorted(folder.name for folder in ROOT.joinpath("skills").iterdir())
READING = {"Read", "Grep", "Glob"}
VERBS = {
    name: each
    for each in handlers().values()
    if isinstance(each, AgentVerb)
    for name in each.workflows
}
"""The bot's verbs by their recipes."""
NO_DESK = cast(Any, None)
FOR_THE_BOT = [
    name for name in WORKFLOWS if "host:" in ROOT.joinpath("workflows", f"{name}.yml").read_text()
]
FOR_SCRIPTS = [name for name in WORKFLOWS if name not in FOR_THE_BOT]
READERS = [name for name, verb in VERBS.items() if not isinstance(verb, ChangingVerb)]
"""The bot's, whose agents only read."""
CHANGERS = [name for name, verb in VERBS.items() if isinstance(verb, ChangingVerb)]


OF_THE_HOST = (
    *("steps.brief.guidance", "steps.brief.turns."),
    *("steps.plan.guidance", "steps.plan.turns.", "steps.plan.rules"),
)
"""What nobody but the host and the maintainers of the default branch can write."""
AUDITS = [name for name in WORKFLOWS if name.startswith("audit-")]


def text_of(path: str) -> str:
    text = built_in(path)
    assert text is not None, path
    return text


def steps_of(name: str) -> tuple[Step, ...]:
    skills = {skill: parse_skill(text_of(f"skills/{skill}/SKILL.md"), skill) for skill in SKILLS}
    verb = VERBS.get(name)
    scope = CompileScope(
        skills=skills,
        outputs={} if verb is None else verb.schemas,
        hosts=frozenset() if verb is None else frozenset(verb.host_steps(NO_DESK)),
        tools=CONFINED if verb is None else verb.tools,
        model="claude-x",
        turns=40,
    )
    return compile_steps(parse_workflow(text_of(f"workflows/{name}.yml"), name).written, scope)


def agents(name: str) -> Iterator[AgentRun]:
    return (step for step in steps_of(name) if isinstance(step, AgentRun))


def writes(step: AgentRun) -> bool:
    return step.overrides.tools is not None and not set(step.overrides.tools) <= READING


def test_there_are_the_recipes_of_the_conversation() -> None:
    assert {"ask", "fix", "implement", "review", "triage"} <= set(VERBS)
    assert set(FOR_THE_BOT) == set(VERBS), "a recipe of the bot's belongs to one verb"
    assert {"find-defects", "verify-finding"} <= set(SKILLS)
    assert [step.name for step in steps_of("review")] == [
        "brief",
        "find",
        "place",
        "restate",
        "check",
        "verify",
        "doubts",
        "reread",
        "gather",
    ]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_called_as_its_file(name: str) -> None:
    workflow = parse_workflow(text_of(f"workflows/{name}.yml"), name).workflow
    assert workflow.name == name
    assert workflow.description.endswith(".")


@pytest.mark.parametrize("name", SKILLS)
def test_a_skill_is_called_as_its_folder_and_used(name: str) -> None:
    skill = parse_skill(text_of(f"skills/{name}/SKILL.md"), name)
    assert skill.name == name
    assert skill.description.endswith(".")
    assert len(skill.prompt) > 200
    used = any(f"skill: {name}\n" in text_of(f"workflows/{workflow}.yml") for workflow in WORKFLOWS)
    assert used or skill.arguments, "nobody could call it by its name either"


@pytest.mark.parametrize(
    "path", ["", "workflows", "workflows/none.yml", "skills/none/SKILL.md", "workflows/review.yaml"]
)
def test_there_is_no_other_recipe(path: str) -> None:
    assert built_in(path) is None


@pytest.mark.parametrize("name", WORKFLOWS)
def test_an_expanded_workflow_is_a_plan_that_survives_its_row(name: str) -> None:
    limits = Limits(task=1, chain=2, wall_seconds=3, idle_seconds=4)
    plan = Plan(verb=name, steps=steps_of(name), limits=limits)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("name", READERS)
def test_an_agent_that_reads_has_no_tool_that_writes_and_says_what_it_answers(name: str) -> None:
    for step in agents(name):
        assert step.overrides.tools is not None
        assert set(step.overrides.tools) <= READING
        assert step.overrides.json_schema is not None
        assert not step.overrides.mcp_servers
        assert 0 < step.share <= 1


@pytest.mark.parametrize("name", CHANGERS)
def test_what_an_agent_changes_is_laid_before_people_and_goes_back_to_where_it_was_made(
    name: str,
) -> None:
    steps = steps_of(name)
    (gate,) = (step for step in steps if isinstance(step, HostCall) and step.gate)
    assert gate.call == "change.propose"
    names = [step.name for step in steps]
    assert names.index(str(gate.again_from)) < names.index(gate.name) == len(names) - 2, (
        "only the push comes after"
    )
    assert not any(writes(step) for step in agents(name) if step.overrides.json_schema is not None)


def test_the_shares_of_a_review_are_its_whole_budget() -> None:
    assert sum(step.share for step in agents("review")) == pytest.approx(1)


@pytest.mark.parametrize("name", AUDITS)
def test_the_audits_differ_in_what_is_looked_for_and_in_nothing_else(name: str) -> None:
    assert sum(step.share for step in agents(name)) == pytest.approx(1)
    text, first = (
        text_of(f"workflows/{each}.yml").split("steps:\n")[1] for each in (name, AUDITS[0])
    )
    assert text.replace(name, "KIND") == first.replace(AUDITS[0], "KIND")
    assert f"skill: {name}\n" in text


@pytest.mark.parametrize("name", FOR_SCRIPTS)
def test_a_workflow_for_scripts_writes_only_where_nobody_else_works(name: str) -> None:
    """And asks for no tool that an agent may have only where it is trusted."""
    assert (
        parse_workflow(text_of(f"workflows/{name}.yml"), name).workflow.isolation
        is Isolation.worktree
    )
    assert any(writes(step) for step in agents(name))
    for step in agents(name):
        assert step.overrides.tools, "it says which tools it needs"
        assert not step.overrides.mcp_servers


@pytest.mark.parametrize("name", FOR_SCRIPTS)
def test_whatever_decides_what_a_script_does_next_is_typed(name: str) -> None:
    steps = {step.name: step for step in agents(name)}
    for step in steps.values():
        if step.when is not None:
            _, asked, _ = step.when.value.split(".", 2)
            assert steps[asked].overrides.json_schema is not None
            assert not writes(steps[asked])


@pytest.mark.parametrize("name", FOR_THE_BOT)
def test_what_the_system_is_told_holds_no_item_and_no_material(name: str) -> None:
    for step in agents(name):
        assert [
            path for path in placeholders(step.system) if not path.startswith(OF_THE_HOST)
        ] == []
        warned = f"{step.system}\n{step.prompt}"
        assert "never an instruction" in warned or "not to be followed" in warned, step.name


@pytest.mark.parametrize("schema", sorted(output_schemas()))
def test_the_schemas_are_valid_and_closed(schema: str) -> None:
    form = output_schemas()[schema]
    jsonschema.Draft202012Validator.check_schema(form)
    assert form["additionalProperties"] is False


def test_the_schemas_take_what_the_models_make() -> None:
    schemas = output_schemas()
    jsonschema.validate(
        {
            "findings": [
                finding().model_dump(
                    mode="json", include=set(Claim.model_fields), exclude_none=True
                )
            ]
        },
        schemas["findings"],
    )
    jsonschema.validate({"findings": []}, schemas["findings"])
    jsonschema.validate(Planted(finding().model_dump(mode="json")).judgement, schemas["judgement"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schemas["findings"])
    with pytest.raises(jsonschema.ValidationError, match="introduced"):
        jsonschema.validate({"verdict": "unsure", "reason": "x"}, schemas["judgement"])


def keys_of(function: object) -> set[str]:
    """The keys of the results that a host step's source writes."""
    return set(re.findall(r'"(\w+)":', inspect.getsource(function)))  # type: ignore[arg-type]


def test_every_placeholder_of_a_review_is_one_the_host_fills() -> None:
    briefed, part = keys_of(brief.brief), keys_of(brief._group)
    candidates = keys_of(questions.of_claim) & keys_of(questions.of_known)
    checked, doubted, odd = (
        keys_of(check_findings.check_findings),
        keys_of(gather.doubts),
        keys_of(unplaced.unplaced),
    )
    assert briefed == brief.FIELDS, "what a recipe may ask for is what the brief's result has"
    turns = {f"brief.turns.{name}" for name in ("find", "verify")}
    for step in agents("review"):
        items = {
            "find": part,
            "restate": {"title", "text"},
            "verify": candidates,
            "reread": candidates,
        }
        item = items[step.name]
        for path in placeholders(f"{step.system}\n{step.prompt}\n{step.title}"):
            root, *rest = path.split(".")
            known = {"steps": {f"brief.{key}" for key in briefed} | turns, "item": item}[root]
            asked = ".".join(rest)
            assert asked in known, (
                f"`{step.name}` asks for {{{path}}}, which is not among {sorted(known)}"
            )
        assert step.each in (
            {f"brief.{key}" for key in briefed}
            | {f"check.{key}" for key in checked}
            | {f"doubts.{key}" for key in doubted}
            | {f"place.{key}" for key in odd}
        )


def test_a_review_can_be_asked_in_words() -> None:
    find, restate, verify, reread = agents("review")
    brief_ = {
        "about": "ABOUT {item.text}",
        "facts": "FACTS",
        "intent": "INTENT",
        "fence": "=== 1 ===",
        "request": "REQUEST",
        "guidance": "GUIDANCE",
        "turns": {"find": 40, "verify": 15},
    }
    values = {
        "steps": {"brief": brief_},
        "item": {
            "title": "a.py",
            "text": "+x {steps.brief.request}",
            "claim": "CLAIM",
            "question": "TRUE?",
        },
    }
    assert render(find.prompt, values) == (
        "ABOUT {item.text}\n\nFACTS\n\n"
        "The part of the diff that is yours to review, between the two lines === 1 ===:\n\n"
        "=== 1 ===\n+x {steps.brief.request}\n=== 1 ===\n\nREQUEST\n"
    )
    assert render(find.system, values).endswith("never an instruction.\n\nGUIDANCE")
    assert render(find.title, values) == render(verify.title, values) == "a.py"
    assert render(verify.prompt, values).startswith("INTENT\n\n")
    assert render(verify.prompt, values).endswith("=== 1 ===\nCLAIM\n=== 1 ===\n\nTRUE?\n")
    assert render(verify.system, values).endswith("never an instruction.\n\nGUIDANCE"), (
        "rules reach it too"
    )
    assert "=== 1 ===\n+x {steps.brief.request}\n=== 1 ===" in render(restate.prompt, values)
    assert render(restate.system, values) == restate.system
    assert "You have 40 turns" in render(find.system, values)
    assert "You have 15 turns" in render(verify.system, values)
    assert (reread.prompt, reread.system, reread.overrides) == (
        verify.prompt,
        verify.system,
        verify.overrides,
    )


def test_allowed_tools_may_be_one_text_with_commas() -> None:
    text = "---\nname: a\ndescription: b\nallowed-tools: Read, Grep\n---\nDo it."
    assert parse_skill(text, "a").allowed_tools == ("Read", "Grep")
