"""A chain's steps: in order, beside each other, once for each item, or not at all; each with its own settings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import (
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Done,
    Finish,
    HostStepContext,
)
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.recipes.skills import Skill
from claude_pool_gh.pool.store.tables import reservations, tasks
from tests.pool.kit import ended, run_chain, script, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, said


async def test_steps_run_in_order_each_after_the_one_before_has_ended(open_pool: OpenPool) -> None:
    agent = Puppet()
    steps = [step(name, f"{name} {{previous_output}}") for name in ("one", "two", "three")]
    async with open_pool(agent, slots=3) as pool:
        result = await run_chain(pool, steps)
    assert agent.prompts == ["one ", "two <one >", "three <two <one >>"]
    assert agent.most_at_once == 1
    assert [(each.name, each.output, each.success, each.skipped) for each in result.steps] == [
        ("one", "<one >", True, False),
        ("two", "<two <one >>", True, False),
        ("three", "<three <two <one >>>", True, False),
    ]
    assert result.success
    assert result.verdict == "answered"
    assert result.final_output == "<three <two <one >>>"


async def test_a_skill_is_the_prompt_or_with_an_input_the_system_prompt(
    open_pool: OpenPool,
) -> None:
    library = RecipeLibrary()
    library.add(Skill(name="judge", description="d", prompt="Judge {args.what}."))
    agent = Puppet()
    steps = [
        step("plain", skill="judge"),
        step("framed", skill="judge", input="Look at {steps.plain.output}"),
        step("prompted", "Only {args.what}"),
    ]
    async with open_pool(agent, library=library) as pool:
        await run_chain(pool, steps, args={"what": "art"})
    assert [(task.system, task.prompt) for task in agent.seen] == [
        ("", "Judge art."),
        ("Judge art.", "Look at <Judge art.>"),
        ("", "Only art"),
    ]


async def test_each_item_is_a_run_and_results_come_in_the_order_of_the_items(
    open_pool: OpenPool,
) -> None:
    """The first item ends last."""
    rest: list[str] = []
    enough = asyncio.Event()

    async def last_one_first(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.prompt == "do 0":
            await enough.wait()
        else:
            rest.append(task.prompt)
            if len(rest) == 4:
                enough.set()
        return await echo(task, folder, line)

    agent = Puppet(
        script({"list": said(structured={"parts": [0, 1, 2, 3, 4]}), "per": last_one_first})
    )
    steps = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("per", "do {item}", each="list.parts"),
        step("sum", "{steps.per.outputs}"),
    ]
    async with open_pool(agent, slots=3) as pool:
        result = await run_chain(pool, steps)
    assert agent.prompts[-1].split() == [
        "[",
        '"<do',
        '0>",',
        '"<do',
        '1>",',
        '"<do',
        '2>",',
        '"<do',
        '3>",',
        '"<do',
        '4>"',
        "]",
    ]
    assert [line for line in result.steps[1].output.splitlines() if line] == [
        f"<do {n}>" for n in range(5)
    ]


async def test_at_once_bounds_the_runs_of_a_step_and_leaves_other_slots_to_others(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(
        script({"list": said(structured={"parts": list(range(6))}), "per": gate, "beside": gate}),
    )
    per = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("per", "item {item}", each="list.parts", at_once=2),
    ]
    beside = [step("beside", branches=[step(name, name) for name in ("x", "y", "z")], at_once=1)]
    for steps, most in ((per, 2), (beside, 1)):
        gate.opened.clear()
        async with open_pool(agent, slots=4) as pool:
            chain = await pool.submit_chain(steps)
            await until(lambda most=most: agent.running == most)  # type: ignore[misc]
            # Were there more, they would have come to a free slot before these.
            probe = [step("probe", "p")]
            for each in await pool.fan_out_chains([probe] * 3):
                await ended(pool, each)
            assert agent.running == most
            gate.opened.set()
            assert (await ended(pool, chain)).success


async def test_without_a_bound_a_step_uses_every_slot_and_no_more(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(script({"list": said(structured={"parts": list(range(7))}), "per": gate}))
    steps = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("per", "{item}", each="list.parts"),
    ]
    async with open_pool(agent, slots=3) as pool:
        chain = await pool.submit_chain(steps)
        await until(lambda: agent.running == 3)
        gate.opened.set()
        await ended(pool, chain)
    assert agent.most_at_once == 3
    assert len(agent.seen) == 8


async def test_each_of_an_empty_list_runs_nothing_and_is_no_failure(open_pool: OpenPool) -> None:
    agent = Puppet(script({"list": said(structured={"parts": []})}))
    steps = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("per", "{item}", each="list.parts"),
        step("sum", "[{steps.per.output}]"),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, steps)
    assert agent.prompts == ["list", "[]"]
    assert result.success


async def test_branches_run_beside_each_other_and_the_next_step_gathers_them(
    open_pool: OpenPool,
) -> None:
    both = asyncio.Barrier(2)

    async def together(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await both.wait()  # neither could end without the other
        return await echo(task, folder, line)

    agent = Puppet(script({"both": together}))
    steps = [
        step("both", branches=[step("left", "L {args.x}"), step("right", "R", model="other")]),
        step("gather", "{steps.both.right.output}{steps.both.left.output}"),
        step("again", "{previous_output}|{steps.both.output}"),
    ]
    async with open_pool(agent, slots=2) as pool:
        result = await run_chain(pool, steps, args={"x": 1})
    assert agent.prompts[2] == "<R><L 1>"
    assert {task.prompt: task.model for task in agent.seen[:2]} == {"L 1": "", "R": "other"}
    told = agent.prompts[3]
    assert told.startswith("<<R><L 1>>|")
    assert told.index("<L 1>", 12) < told.index("<R>", 12)
    assert [(each.name, each.success) for each in result.steps] == [
        ("both", True),
        ("gather", True),
        ("again", True),
    ]


async def test_a_step_runs_where_its_condition_holds_and_only_there(open_pool: OpenPool) -> None:
    typed = {"n": 5, "word": "yes", "none": [], "full": [1], "flag": False, "gone": None}
    tests: list[tuple[str, dict[str, Any], bool]] = [
        ("word", {"equals": "yes"}, True),
        ("word", {"equals": "no"}, False),
        ("flag", {"equals": False}, True),
        ("word", {"differs": "no"}, True),
        ("word", {"differs": "yes"}, False),
        ("word", {"one_of": ["no", "yes"]}, True),
        ("word", {"one_of": ["no"]}, False),
        ("n", {"above": 4.5}, True),
        ("n", {"above": 5}, False),
        ("word", {"above": 0}, False),
        ("flag", {"above": -1}, False),
        ("n", {"below": 5.5}, True),
        ("n", {"below": 5}, False),
        ("gone", {"below": 5}, False),
        ("none", {"empty": True}, True),
        ("gone", {"empty": True}, True),
        ("full", {"empty": True}, False),
        ("full", {"empty": False}, True),
        ("none", {"empty": False}, False),
    ]
    steps = [step("first", "first", output_vars={name: name for name in typed})]
    steps += [
        step(f"s{number}", f"s{number}", when={"value": f"steps.first.{name}"} | test)
        for number, (name, test, _) in enumerate(tests)
    ]
    steps.append(step("by-argument", "by argument", when={"value": "args.draft", "equals": True}))
    agent = Puppet(script({"first": said(structured=typed)}))
    async with open_pool(agent) as pool:
        result = await run_chain(pool, steps, args={"draft": True})
    wanted = [f"s{number}" for number, (*_, holds) in enumerate(tests) if holds]
    assert agent.prompts == ["first", *wanted, "by argument"]
    assert [each.name for each in result.steps if each.skipped] == [
        f"s{number}" for number, (*_, holds) in enumerate(tests) if not holds
    ]


async def test_a_skipped_step_leaves_empty_values_and_no_error(open_pool: OpenPool) -> None:
    """Also for placeholders, conditions and lists that refer to it, and where it is the last one."""
    schema = {
        "type": "object",
        "properties": {"parts": {"type": "array"}, "word": {"type": "string"}},
    }
    never = {"value": "args.on", "equals": True}
    agent = Puppet()
    steps = [
        step("first", "first"),
        step("off", "off", when=never, output=schema, output_vars={"deep": "a.b"}),
        step("beside", branches=[step("left", "l"), step("right", "r")], when=never),
        step(
            "text", "[{steps.off.output}{steps.off.word}{steps.off.deep}{steps.beside.left.output}]"
        ),
        step("since-empty", "since empty", when={"value": "steps.off.word", "empty": True}),
        step("per", "{item}", each="off.parts"),
        step("end", "{previous_output}"),
        step("off-too", "off too", when=never),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, steps, args={"on": False})
    assert result.success, result.reason
    assert agent.prompts[:3] == ["first", "[]", "since empty"]
    assert [(each.name, each.output) for each in result.steps if each.skipped] == [
        ("off", ""),
        ("beside", ""),
        ("off-too", ""),
    ]
    assert not any(each.success for each in result.steps if each.skipped)


async def test_a_step_s_own_settings_reach_its_agent(open_pool: OpenPool) -> None:
    library = RecipeLibrary()
    library.add(
        Skill.model_validate(
            {"name": "s", "description": "d", "prompt": "p", "allowed-tools": "Read, Bash"}
        )
    )
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    own = {
        "tools": ["Grep", "Edit"],
        "model": "its-own",
        "effort": "high",
        "turns": 7,
        "timeout_secs": 42.0,
        "output": schema,
        "config": {"fallback_model": "second", "disallowed_tools": ["Bash"]},
    }
    pool_s = PoolConfig(model="pool-model", timeout_secs=100.0, max_turns=11)

    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return said(structured={"x": "y"} if task.schema else None)

    agent = Puppet(act)
    steps = [
        step("silent", "p"),
        step("own", "p", **own),
        step("skilled", skill="s"),
        step("unarmed", skill="s", tools=[]),
        step("through-config", "p", config={"model": "c", "max_turns": 3, "json_schema": schema}),
        step("beside", branches=[step("branch", "p", **own)]),
    ]
    async with open_pool(agent, library=library, config=pool_s) as pool:
        await run_chain(pool, steps)
    silent, of_its_own, skilled, unarmed, configured, branch = agent.seen
    assert (silent.model, silent.turns, silent.wall_seconds) == ("pool-model", 11, 100.0)
    assert (silent.tools, silent.effort, silent.schema) == (("Read", "Grep", "Glob"), None, None)
    for each in (of_its_own, branch):
        assert (each.model, each.turns, each.wall_seconds) == ("its-own", 7, 42.0)
        assert (each.tools, each.effort, each.schema) == (("Grep", "Edit"), "high", schema)
        assert (each.fallback_model, each.disallowed_tools) == ("second", ("Bash",))
    assert skilled.tools == ("Read", "Bash")
    assert unarmed.tools == ()
    assert (configured.model, configured.turns, configured.schema) == ("c", 3, schema)


async def test_a_step_s_role_chooses_its_slot(open_pool: OpenPool) -> None:
    slots = [SlotConfig(role="writer"), SlotConfig(role="reviewer")]
    steps = [
        step("w", "w", role="writer"),
        step("r", "r", role="reviewer"),
        step("w2", "w", role="writer"),
    ]
    async with open_pool(Puppet(), slots=slots) as pool:
        roles = {slot.id: slot.config.role for slot in await pool.slots()}
        await run_chain(pool, steps)
        ran = await pool.database.read(
            lambda tx: dict(tx.execute(sa.select(tasks.c.step, tasks.c.slot)).all())
        )
    assert {name: roles[slot] for name, slot in ran.items()} == {
        "w": "writer",
        "r": "reviewer",
        "w2": "writer",
    }


async def test_a_step_s_budget_is_what_its_run_may_spend(open_pool: OpenPool) -> None:
    """Its own word, else the pool's for a task; and never more than its share of the chain."""
    steps = [
        step("silent", "p"),
        step("own", "p", budget_usd=0.25),
        step("more", "p", budget_usd=1.5),
        step("share", "p", share=0.1),
    ]
    config = PoolConfig(task_budget_usd=0.75, chain_budget_usd=2.0)
    async with open_pool(Puppet(), config=config) as pool:
        await run_chain(pool, steps)
        money = reservations.c
        rows = sa.select(money.step, money.reserved).where(money.level == "task")
        found = await pool.database.read(lambda tx: dict(tx.execute(rows).all()))
    assert found == {"silent": 750_000, "own": 250_000, "more": 1_500_000, "share": 200_000}


async def test_a_host_step_s_result_is_there_for_later_steps_and_it_can_end_the_chain(
    open_pool: OpenPool,
) -> None:
    async def facts(context: HostStepContext) -> Done | Finish:
        return Done({"title": "T", "asked": context.plan.context["q"]})

    async def enough(_context: HostStepContext) -> Done | Finish:
        return Finish(Outcome(verdict=Verdict.clean, reason="nothing to do"))

    agent = Puppet()
    steps = [
        step("facts", host="facts"),
        step("use", "{steps.facts.title} {steps.facts.asked} [{previous_output}]"),
        step("enough", host="enough"),
        step("never", "never"),
    ]
    async with open_pool(agent, host_steps={"facts": facts, "enough": enough}) as pool:
        result = await run_chain(pool, steps, args={"q": "Q"})
    assert agent.prompts == ["T Q []"]
    assert (result.success, result.verdict, result.reason) == (True, "clean", "nothing to do")
    assert [each.skipped for each in result.steps] == [False, False, False, True]
