"""What the settings say about the model, the money, the clocks and the words, as the model's API sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh import Effort, Ending, PoolConfig, SlotConfig
from claude_pool_gh.rehearsal.model import (
    Answer,
    Fail,
    ModelRequest,
    Reply,
    ScriptedModel,
    Text,
    say,
    use,
)
from tests.local.house import HAIKU, SONNET, House, in_turn

pytestmark = pytest.mark.long  # a real CLI for each, and more of them than `make test` has time for
OPUS = "claude-opus-5-5"
READ = use("Read", {"file_path": "a.txt"})
NUMBER: dict[str, Any] = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    return House(model, short_folder)


# the model


async def test_the_narrowest_setting_names_the_model(runtime: House) -> None:
    runtime.model.script = in_turn(say("hello"))
    async with runtime.open(runtime.agent(model=SONNET)) as pool:
        agents_own = await runtime.run_in(pool)
    async with runtime.open(config=PoolConfig(model=HAIKU)) as pool:
        pools = await runtime.run_in(pool)
        await pool.configure_slot((await pool.slots())[0].id, SlotConfig(model=OPUS))
        slots = await runtime.run_in(pool)
        tasks = await runtime.run_in(pool, model=SONNET)
    asked = [
        {request.model for request in run.requests} for run in (agents_own, pools, slots, tasks)
    ]
    assert asked == [{SONNET}, {HAIKU}, {OPUS}, {SONNET}]
    assert [run.models for run in (agents_own, pools, slots, tasks)] == asked
    assert [run.result.model for run in (agents_own, pools, slots, tasks)] == [
        SONNET,
        HAIKU,
        OPUS,
        SONNET,
    ]


async def test_the_fallback_goes_on_where_the_model_is_overloaded(runtime: House) -> None:
    def script(request: ModelRequest) -> Reply:
        return (
            Fail(529, "overloaded_error") if request.model == SONNET else say("from the other one")
        )

    run = await runtime.run(script, model=SONNET, fallback_model=HAIKU)
    assert (run.result.ending, run.result.output) == (Ending.completed, "from the other one")
    assert [request.model for request in run.requests][-1] == HAIKU
    assert (run.models, run.result.model) == ({SONNET, HAIKU}, HAIKU), "the one that answered"
    assert {row.settled for row in run.ledger if row.model == SONNET} == {0}, (
        "a refusal costs nothing"
    )
    assert (
        run.result.cost_microdollars
        == sum(row.settled for row in run.ledger)
        == runtime.model.bill.total
        > 0
    )


@pytest.mark.parametrize("effort", [Effort.low, Effort.max])
async def test_effort_is_asked_for(runtime: House, effort: Effort) -> None:
    run = await runtime.run(
        in_turn(say("thought")), pool=PoolConfig(effort=Effort.high), effort=effort
    )
    assert [request.body["output_config"]["effort"] for request in run.requests] == [effort.value]


async def test_turns_run_out(runtime: House) -> None:
    run = await runtime.run(
        in_turn(READ), pool=PoolConfig(max_turns=9), slot=SlotConfig(max_turns=2)
    )
    assert (run.result.ending, run.result.success) == (Ending.out_of_turns, False)
    assert "2 turns" in run.result.reason
    assert len(run.requests) == 2


# the result


async def test_a_result_has_the_form_asked_for(runtime: House) -> None:
    script = in_turn(use("StructuredOutput", {"number": 7}))
    run = await runtime.run(script, json_schema=NUMBER)
    assert (run.result.success, run.result.structured) == (True, {"number": 7})
    assert run.result.output == '{"number": 7}'


@pytest.mark.parametrize(
    "reply", [use("StructuredOutput", {"number": "seven"}), say("It is 7.")], ids=["other", "prose"]
)
async def test_a_result_of_another_form_is_a_failure(runtime: House, reply: Answer) -> None:
    run = await runtime.run_once(in_turn(reply), json_schema=NUMBER)
    assert (run.result.ending, run.result.success) == (Ending.failed, False)
    assert "form asked for" in run.result.reason
    assert run.result.structured is None


# the money


async def test_a_task_stops_at_its_budget(runtime: House) -> None:
    run = await runtime.run(in_turn(READ), pool=PoolConfig(task_budget_usd=5), max_budget_usd=0.15)
    assert (run.result.ending, run.result.budget_exceeded) == (Ending.out_of_budget, True)
    assert not run.result.success
    assert 0 < run.result.cost_microdollars <= 150_000
    assert run.result.cost_microdollars == runtime.model.bill.total
    assert len(run.requests) > 1, "it got as far as its money went"


async def test_the_pools_budget_for_a_task_holds_where_the_task_says_nothing(
    runtime: House,
) -> None:
    run = await runtime.run(in_turn(READ), pool=PoolConfig(task_budget_usd=0.1))
    assert run.result.budget_exceeded
    assert 0 < run.result.cost_microdollars <= 100_000


# the clocks


async def test_an_attempt_may_take_so_long(runtime: House) -> None:
    slow = Answer(tuple(Text(f"part {n} ") for n in range(18)), pause=0.2)
    run = await runtime.run_once(in_turn(slow), pool=PoolConfig(timeout_secs=600), timeout_secs=2)
    assert run.result.ending is Ending.timed_out
    assert run.result.reason == "it ran longer than 2 seconds"


async def test_a_run_may_be_silent_for_so_long(runtime: House) -> None:
    run = await runtime.run_once(
        in_turn(say("late", delay=4)), pool=PoolConfig(idle_timeout_secs=2)
    )
    assert run.result.ending is Ending.timed_out
    assert run.result.reason == "nothing was heard of it for 2 seconds"


# the words


def lines(text: str) -> list[str]:
    """A system prompt without its first lines: a number for the bill, and a name that the CLI gives itself."""
    return text.split("\n\n", 1)[1].splitlines()


async def test_a_system_prompt_stands_after_the_clis_own(runtime: House) -> None:
    plain = await runtime.run(in_turn(say("hello")))
    told = await runtime.run(
        pool=PoolConfig(system_prompt="The pool speaks."),
        slot=SlotConfig(system_prompt="The slot speaks."),
        system_prompt="Answer in Latin.",
    )
    own, with_more = lines(plain.requests[0].system), lines(told.requests[0].system)
    assert len(own) > 20, "that is the CLI's own"
    assert with_more[: len(own)] == own
    assert "\n".join(with_more[len(own) :]).strip() == "Answer in Latin."


async def test_who_the_slot_is_and_what_the_pool_shares_is_told(runtime: House) -> None:
    runtime.model.script = in_turn(say("hello"))
    slot = SlotConfig(name="Ada", role="reviewer", description="Knows SQL.")
    async with runtime.open(slots=[slot], config=PoolConfig(system_prompt="Be brief.")) as pool:
        await pool.set_context("database", "is\nread only")
        await pool.set_context("branch", "main")
        first = (await runtime.run_in(pool)).requests[0].system
        await pool.delete_context("branch")
        second = (await runtime.run_in(pool)).requests[0].system
    who, shared = (
        "You are Ada, reviewer. Knows SQL.",
        "Shared context:\n- branch: main\n- database: is read only",
    )
    assert first.endswith(f"{who}\n\nBe brief.\n\n{shared}")
    assert second.endswith(f"{who}\n\nBe brief.\n\nShared context:\n- database: is read only")


async def test_a_slot_without_a_name_is_nobody(runtime: House) -> None:
    run = await runtime.run(in_turn(say("hello")))
    assert "You are an agent," not in run.requests[0].system
    assert "Shared context" not in run.requests[0].system
