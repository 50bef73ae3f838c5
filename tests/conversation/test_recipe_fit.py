"""A recipe has the steps that its verb reads, in the form that it reads, and asks for results that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step


class Said(BaseModel):
    """A form of an answer."""

    answer: str


FORM = TaskOverrides(json_schema=Said.model_json_schema())
BRIEF = HostCall(name="brief", call="x.brief")
ANSWER = AgentRun(name="answer", prompt="p", overrides=FORM)
REPLY = HostCall(name="reply", call="x.reply")
PROPOSE = HostCall(name="propose", call="change.propose", gate=True)
NEEDS = RecipeNeeds(
    one_of=frozenset({"x.reply", "x.apply"}),
    reads={"x.reply": {"answer": Said, "brief": "x.brief"}},
    fields={"x.brief": frozenset({"about", "title"})},
)
GATED = RecipeNeeds(gate=("propose", "change.propose"))


def problem(needs: RecipeNeeds, steps: Sequence[Step]) -> str | None:
    try:
        needs.check(steps, "the workflow x")
    except RecipeError as error:
        return str(error).removeprefix("the workflow x ")
    return None


def asks(**texts: Any) -> AgentRun:
    values = {"name": "ask", "prompt": "p", **texts}
    return AgentRun(**values)


@pytest.mark.parametrize(
    "steps",
    [
        (BRIEF, ANSWER, REPLY),
        (BRIEF, ANSWER, REPLY, asks(prompt="{steps.reply.text}")),
        (BRIEF, HostCall(name="apply", call="x.apply")),
        (BRIEF, asks(prompt="{steps.brief.about} {args.x} {steps.brief}"), ANSWER, REPLY),
        (BRIEF, ANSWER, asks(prompt="{steps.answer.anything}"), REPLY),
    ],
    ids=[
        "the usual",
        "more behind it",
        "the other end",
        "asks for what there is",
        "an agent's own",
    ],
)
def test_what_fits_is_taken(steps: tuple[Step, ...]) -> None:
    assert problem(NEEDS, steps) is None


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((BRIEF, ANSWER), "must have a step with `host: x.apply` or `host: x.reply`"),
        (
            (BRIEF, REPLY),
            "needs a step `answer` before `reply`: one of an agent",
        ),
        (
            (BRIEF, REPLY, ANSWER),
            "needs a step `answer` before `reply`: one of an agent",
        ),
        (
            (BRIEF, Branches(name="answer", branches=(ANSWER,)), REPLY),
            "needs a step `answer` before `reply`: one of an agent",
        ),
        (
            (BRIEF, ANSWER.model_copy(update={"each": "brief.parts"}), REPLY),
            "needs a step `answer` before `reply`: one agent, without `each`",
        ),
        (
            (BRIEF, AgentRun(name="answer", prompt="p"), REPLY),
            "needs a step `answer` before `reply`: its agent must answer in a form, with `output`",
        ),
        ((ANSWER, REPLY), "needs a step `brief` before `reply`: one with `host: x.brief`"),
        (
            (HostCall(name="brief", call="y.brief"), ANSWER, REPLY),
            "needs a step `brief` before `reply`: one with `host: x.brief`",
        ),
        (
            (AgentRun(name="brief", prompt="p"), ANSWER, REPLY),
            "needs a step `brief` before `reply`: one with `host: x.brief`",
        ),
    ],
    ids=[
        "no end",
        "no answer",
        "an answer behind it",
        "several agents",
        "an agent for each part",
        "no form",
        "no brief",
        "another brief",
        "a brief of an agent",
    ],
)
def test_what_lacks_a_step_is_refused_with_its_name(steps: tuple[Step, ...], said: str) -> None:
    assert problem(NEEDS, steps) == said


def test_a_form_that_does_not_fit_is_refused_with_the_reason() -> None:
    other = TaskOverrides(json_schema={"type": "object", "properties": {}, "required": []})
    found = problem(NEEDS, (BRIEF, ANSWER.model_copy(update={"overrides": other}), REPLY))
    assert found is not None
    assert found.startswith("needs a step `answer` before `reply`: its `output` does not fit: ")


@pytest.mark.parametrize(
    "run",
    [
        asks(system="{steps.brief.nothing}"),
        asks(prompt="{steps.brief.nothing}"),
        asks(title="{steps.brief.nothing}"),
        asks(recovery="{steps.brief.nothing}"),
        asks(arguments={"a": "{steps.brief.nothing}"}),
        asks(prompt="{steps.brief.about} {steps.brief.nothing.deeper}"),
    ],
    ids=["system", "prompt", "title", "recovery", "arguments", "deeper"],
)
@pytest.mark.parametrize("in_a_branch", [False, True])
def test_what_asks_for_a_result_that_there_is_not_is_refused(
    run: AgentRun, in_a_branch: bool
) -> None:
    step = Branches(name="ask", branches=(ANSWER, run)) if in_a_branch else run
    said = "asks in `ask` for {steps.brief.nothing}: `brief` has only about, title"
    assert problem(NEEDS, (BRIEF, step, ANSWER, REPLY)) == said


def test_a_result_of_a_later_step_is_nobodys_to_ask_for_here() -> None:
    early = asks(prompt="{steps.brief.nothing}")
    assert problem(NEEDS, (early, BRIEF, ANSWER, REPLY)) is None, "the workflow's own check says so"


@pytest.mark.parametrize(
    ("steps", "fits"),
    [
        ((PROPOSE,), True),
        ((BRIEF, ANSWER, PROPOSE, REPLY), True),
        ((PROPOSE.model_copy(update={"gate": False}),), False),
        ((PROPOSE.model_copy(update={"name": "show"}),), False),
        ((PROPOSE.model_copy(update={"call": "change.push"}),), False),
        ((AgentRun(name="propose", prompt="p", gate=True),), False),
        ((), False),
    ],
    ids=["alone", "among others", "no gate", "another name", "another call", "an agent", "none"],
)
def test_a_change_waits_at_its_gate(steps: tuple[Step, ...], fits: bool) -> None:
    said = "must have a step `propose` with `host: change.propose` and `gate: true`"
    assert problem(GATED, steps) == (None if fits else said)
