"""What steps tell later ones: filled in once, whole, and never read as a template again."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.pool.model.ports import (
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Done,
    Finish,
    HostStepContext,
)
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.skills import Argument, Skill
from tests.pool.kit import parked, run_chain, script, step
from tests.pool.puppet import OpenPool, Puppet, echo, failed, said

HOSTILE = "{args.secret} {steps.one.output} {previous_output} {item} {error} $1 {{x}} \\1 %s"
"""What a model or a stranger may write to get something expanded."""


async def test_the_previous_output_is_that_of_the_newest_finished_agent(
    open_pool: OpenPool,
) -> None:
    async def host(_context: HostStepContext) -> Done | Finish:
        return Done("a host's")

    agent = Puppet()
    steps = [
        step("one", "1 {previous_output}"),
        step("host", host="host"),
        step("off", "off", when={"value": "args.on", "equals": True}),
        step("two", "2 {previous_output}"),
        step("three", "3 {previous_output}"),
    ]
    async with open_pool(agent, host_steps={"host": host}) as pool:
        await run_chain(pool, steps, args={"on": False})
    assert agent.prompts == ["1 ", "2 <1 >", "3 <2 <1 >>"]


async def test_typed_results_are_named_by_their_keys_and_by_output_vars(
    open_pool: OpenPool,
) -> None:
    typed = {
        "title": "T",
        "count": 3,
        "on": True,
        "nothing": None,
        "deep": {"list": [1], "map": {"k": "v"}},
    }
    schema = {"type": "object", "properties": {name: {} for name in typed}}
    texts = {
        "{steps.plan.title}": "T",
        "{steps.plan.count}": "3",
        "{steps.plan.on}": "true",
        "{steps.plan.nothing}": "",
        "{steps.plan.deep.map.k}": "v",
        "{steps.plan.deep.list}": "[\n 1\n]",
        "{steps.plan.k}": "v",
        "{steps.plan.whole}": '{\n "k": "v"\n}',
        "{steps.plan.missing}": "",
    }
    names = {"k": "deep.map.k", "whole": "deep.map", "missing": "deep.nowhere.at.all"}
    agent = Puppet(script({"plan": said("prose", structured=typed)}))
    steps = [
        step("plan", "p", output=schema, output_vars=names),
        *(step(f"s{number}", text) for number, text in enumerate(texts)),
        step("whole-of-it", "{steps.plan.output}"),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, steps)
    assert result.success, result.reason
    assert agent.prompts[1:-1] == list(texts.values())
    assert agent.prompts[-1].startswith('{"title": "T", "count": 3')


async def test_what_an_agent_may_leave_out_is_empty(open_pool: OpenPool) -> None:
    """A property that the schema does not require is no error where it is missing, nor after a failure."""
    schema = {"type": "object", "properties": {"must": {}, "may": {}}, "required": ["must"]}
    agent = Puppet(script({"plan": said(structured={"must": 1}), "lost": failed("no")}))
    steps = [
        step("plan", "p", output=schema),
        step("lost", "p", output=schema, on_failure="continue"),
        step("use", "[{steps.plan.may}{steps.lost.must}]"),
        step("since", "since", when={"value": "steps.plan.may", "empty": True}),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, steps)
    assert (result.verdict, result.reason) == ("answered", "step lost: no")
    assert agent.prompts[2:] == ["[]", "since"]


async def test_arguments_of_every_kind_are_filled_in(open_pool: OpenPool) -> None:
    args: dict[str, Any] = {
        "text": "é\n",
        "number": 1.5,
        "flag": False,
        "none": None,
        "map": {"a": ["b"]},
    }
    agent = Puppet()
    text = "{args.text}|{args.number}|{args.flag}|{args.none}|{args.map.a}|{args.map}"
    async with open_pool(agent) as pool:
        await run_chain(pool, [step("one", text)], args=args)
    assert agent.prompts == ['é\n|1.5|false||[\n "b"\n]|{\n "a": [\n  "b"\n ]\n}']


async def test_no_value_is_ever_expanded_again(open_pool: OpenPool) -> None:
    """Neither an answer, a typed result, an argument nor an item."""
    answers = script(
        {"one": said(HOSTILE), "two": said(structured={"x": HOSTILE, "list": [HOSTILE]})}
    )
    agent = Puppet(answers)
    steps = [
        step("one", "1"),
        step("two", "{previous_output}|{steps.one.output}", output_vars={"x": "x", "list": "list"}),
        step("three", "{steps.two.x}|{args.hostile}", title="{args.hostile}"),
        step("per", "{item}|{args.hostile}", each="two.list"),
        step("beside", branches=[step("branch", "{steps.two.x}")]),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, steps, args={"hostile": HOSTILE, "secret": "SECRET"})
    assert result.success, result.reason
    assert agent.prompts[1:] == [*[f"{HOSTILE}|{HOSTILE}"] * 3, HOSTILE]


async def test_no_feedback_and_no_error_is_ever_expanded(open_pool: OpenPool) -> None:
    agent = Puppet(
        script(
            {
                "one": [said("first"), said("second")],
                "two": [failed(HOSTILE, ending="timed_out"), said()],
            }
        )
    )
    steps = [
        step("one", "1 {args.secret}", gate=True),
        step("two", "2", recovery="mend {error} after {previous_output}"),
    ]
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(steps, args={"secret": "SECRET"})
        await parked(pool, chain)
        await pool.reject(chain, HOSTILE)
        await parked(pool, chain)
        await pool.approve(chain)
        await pool.wait_chain(chain)
    assert agent.prompts[1].startswith("1 SECRET\n")
    assert HOSTILE in agent.prompts[1]
    assert agent.prompts[1].count("SECRET") == 1
    assert agent.prompts[3] == f"2\n\nmend {HOSTILE} after second"


async def test_a_lone_prompt_is_text_whatever_braces_it_has(open_pool: OpenPool) -> None:
    agent = Puppet()
    texts = [
        HOSTILE,
        "{args.prompt}",
        "{steps.task.output}",
        'f"{x}" and ${y} and {"a": {}}',
        "-p starts with a dash",
    ]
    async with open_pool(agent) as pool:
        for text in texts:
            assert (await pool.run(text)).output == f"<{text}>"
        await pool.fan_out(texts)
    assert agent.prompts[: len(texts)] == texts
    assert sorted(agent.prompts[len(texts) :]) == sorted(texts)


async def test_braces_that_are_no_placeholder_stay_as_they_are(open_pool: OpenPool) -> None:
    text = 'if ($1) { print "${10} {}" } {{x}} {stepsone} {A.x} {args } {.args.x} {args[0]} {"a": {"b": 1}} \\g<0>'
    agent = Puppet()
    async with open_pool(agent) as pool:
        await run_chain(pool, [step("one", text)], args={"x": "X"})
    assert agent.prompts == [text]


async def test_a_large_answer_reaches_the_next_step_whole(open_pool: OpenPool) -> None:
    """Larger than any command line of the system could be."""
    large = "0123456789abcdef" * 2**18
    agent = Puppet(script({"one": said(large)}))
    async with open_pool(agent) as pool:
        await run_chain(pool, [step("one", "1"), step("two", "{previous_output}")])
    assert agent.prompts[1] == large


def skills() -> RecipeLibrary:
    library = RecipeLibrary()
    arguments = (Argument(name="issue"), Argument(name="style", required=False))
    library.add(
        Skill(
            name="named",
            description="d",
            arguments=arguments,
            prompt="Fix {args.issue} in [{args.style}]",
        )
    )
    library.add(Skill(name="unnamed", description="d", arguments=arguments, prompt="Fix it."))
    library.add(
        Skill(name="free", description="d", prompt="Chain: {args.issue}, {steps.one.output}")
    )
    return library


async def test_a_skill_s_arguments_are_its_own(open_pool: OpenPool) -> None:
    """Optional ones may be missing; those that its text does not name follow it; without any, the chain's hold."""
    agent = Puppet()
    steps = [
        step("one", "one"),
        step(
            "all", skill="named", arguments={"issue": "#{args.issue}", "style": "{previous_output}"}
        ),
        step("some", skill="named", arguments={"issue": "2"}),
        step("appended", skill="unnamed", arguments={"issue": "3"}),
        step("appended-too", skill="unnamed", arguments={"issue": "4", "style": "s"}),
        step("free", skill="free"),
        step("framed", skill="named", arguments={"issue": "5"}, input="go {args.issue}"),
    ]
    async with open_pool(agent, library=skills()) as pool:
        result = await run_chain(pool, steps, args={"issue": 7})
    assert result.success, result.reason
    assert agent.prompts[1:] == [
        "Fix #7 in [<one>]",
        "Fix 2 in []",
        "Fix it.\n\nissue: 3\n\nstyle: ",
        "Fix it.\n\nissue: 4\n\nstyle: s",
        "Chain: 7, <one>",
        "go 5",
    ]
    assert agent.seen[-1].system == "Fix 5 in []"


async def test_the_values_of_a_skill_s_arguments_are_never_expanded_again(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(script({"one": said(HOSTILE), "list": said(structured={"parts": [HOSTILE]})}))
    steps = [
        step("one", "one"),
        step("list", "list", output_vars={"parts": "parts"}),
        step(
            "two",
            skill="named",
            arguments={"issue": "{steps.one.output}", "style": "{args.hostile}"},
        ),
        step("per", skill="unnamed", arguments={"issue": "{item}"}, each="list.parts"),
    ]
    async with open_pool(agent, library=skills()) as pool:
        await run_chain(pool, steps, args={"hostile": HOSTILE, "secret": "SECRET"})
    assert agent.prompts[2:] == [
        f"Fix {HOSTILE} in [{HOSTILE}]",
        f"Fix it.\n\nissue: {HOSTILE}\n\nstyle: ",
    ]


async def test_items_are_filled_in_by_their_keys_and_a_gather_sees_them_all(
    open_pool: OpenPool,
) -> None:
    async def typed(task: AgentTask, folder: object, line: AgentChannel) -> AgentOutcome:  # noqa: ARG001
        return said(structured={"was": task.prompt})

    parts = [{"file": "a.py", "lines": [1]}, {"file": "b.py", "lines": [2, 3]}]
    agent = Puppet(script({"list": said(structured={"parts": parts}), "per": typed, "echo": echo}))
    steps = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("per", "{item.file}: {item.lines}", each="list.parts", title="look at {item.file}"),
        step("texts", "{steps.per.outputs}"),
        step("values", "{steps.per.results}"),
        step("joined", "{steps.per.output}"),
    ]
    async with open_pool(agent, slots=2) as pool:
        result = await run_chain(pool, steps)
    assert result.success, result.reason
    assert sorted(agent.prompts[1:3]) == ["a.py: [\n 1\n]", "b.py: [\n 2,\n 3\n]"]
    assert agent.prompts[3].index("a.py") < agent.prompts[3].index("b.py")
    assert agent.prompts[4].startswith('[\n {\n  "was": "a.py: [')
    joined = agent.prompts[5]
    assert joined.startswith("look at a.py:\n{")
    assert "look at b.py:\n{" in joined
