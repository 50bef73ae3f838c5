"""An agent of one's own: a class with `run` and nothing else. Whatever it does wrong, its task ends, and says why."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.ports import (
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Clock,
    Done,
    Ending,
    HostStepContext,
)
from claude_pool_gh.pool.model.states import SlotState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.storage import Database
from tests.pool.kit import GUARD, QUICK, run_chain, step
from tests.pool.puppet import OpenPool, Puppet, said

ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["count"],
    "properties": {"count": {"type": "integer"}},
}


@dataclass
class Own:
    """No base class: `run` alone."""

    act: Callable[[AgentTask, AgentChannel], Awaitable[Any]]
    seen: list[AgentTask] = field(default_factory=list)

    async def run(self, task: AgentTask, _folder: Path, line: AgentChannel) -> AgentOutcome:
        self.seen.append(task)
        outcome: AgentOutcome = await self.act(task, line)
        return outcome


async def test_a_class_with_run_alone_is_an_agent(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said(f"<{task.prompt}>")

    async with open_pool(Own(act)) as pool:
        assert (await pool.run("a")).output == "<a>"


@pytest.mark.parametrize("agent", [object(), Own, None, "agent"])
async def test_what_is_no_agent_is_refused_when_the_pool_is_opened(
    open_pool: OpenPool, agent: Any
) -> None:
    with pytest.raises(
        TypeError, match=r"is no agent: it needs a method `async def run|is the class Own"
    ):
        async with open_pool(agent):
            pass


@pytest.mark.parametrize("given", [None, "done", {"text": "done"}, AgentOutcome(ending="over")])  # type: ignore[arg-type]
async def test_a_result_of_another_type_fails_the_task_at_once_in_words(
    open_pool: OpenPool, given: Any
) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> Any:
        return given

    agent = Own(act)
    async with open_pool(agent, config=PoolConfig(retries=3)) as pool:
        result = await asyncio.wait_for(pool.run("a"), GUARD)
        (slot,) = await pool.slots()
    assert (result.success, result.ending) == (False, Ending.failed)
    assert (
        "not an AgentOutcome" in result.reason or "`ending` must be 'completed' or" in result.reason
    )
    assert (len(agent.seen), slot.state) == (1, SlotState.idle)


def nested(depth: int) -> list[Any]:
    """A list in a list in a list."""
    return [nested(depth - 1)] if depth > 1 else []


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"text": None}, "`text` must be a text, not None"),
    ({"turns": "3"}, "`turns` must be a whole number"),
    ({"elapsed_ms": 1.5}, "`elapsed_ms` must be a whole number"),
    ({"reason": 3}, "`reason` must be a text"),
    ({"session_id": 3}, "`session_id` must be a text"),
    ({"cost_microdollars": True}, "`cost_microdollars` must be a whole number"),
    ({"cost_microdollars": -1}, "its cost, time and turns are 0 or more"),
    ({"transcript": "x"}, "`transcript` must be a list of"),
    ({"looked_at": float("nan")}, "`looked_at` must be a mapping"),
    ({"looked_at": {"files": {"a"}}}, "`looked_at` has a value of the type set"),
    ({"transcript": (Path("a"),)}, "`transcript` has a value of the type PosixPath"),
    ({"structured": {"score": float("inf")}}, "`structured` has the number inf"),
    ({"structured": {("a", "b"): 1}}, "`structured` has a key that is no text"),
    ({"structured": 10**4500}, "`structured` has a number of too many digits"),
    ({"structured": nested(101)}, "`structured` has lists or mappings more than 100 deep"),
]


async def test_an_outcome_with_a_field_of_another_type_fails_the_task_and_names_it(
    open_pool: OpenPool,
) -> None:
    """It is never stored: nothing could be read again beside it. What it cost is booked."""

    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        fields, _ = WRONG_FIELDS[int(task.prompt)]
        return said(**{"cost_microdollars": 1_500} | fields)

    agent = Own(act)
    async with open_pool(agent, config=PoolConfig(retries=1)) as pool:
        results = await pool.fan_out([f"{number}" for number, _ in enumerate(WRONG_FIELDS)])
        (slot,) = await pool.slots()
        assert [task.result for task in await pool.tasks()] == results
    for result, (fields, told) in zip(results, WRONG_FIELDS, strict=True):
        assert told in result.reason
        assert (result.success, result.ending) == (False, Ending.failed)
        assert result.cost_microdollars == (0 if "cost_microdollars" in fields else 1_500)
    assert (len(agent.seen), slot.state) == (len(WRONG_FIELDS), SlotState.idle)


async def test_the_deepest_value_that_is_taken_can_be_read_by_everybody(
    open_pool: OpenPool,
) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said(structured=nested(100))

    async with open_pool(Own(act)) as pool:
        result = await asyncio.wait_for(pool.run("a"), GUARD)
        assert result.structured == nested(100)
        assert type(result).model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize(("most", "cost"), [(0.05, 1), (40_000, 0.03), (40_000, "1"), (True, 1)])
async def test_money_that_is_no_whole_number_is_refused_and_booked_as_an_upper_bound(
    open_pool: OpenPool, most: Any, cost: Any
) -> None:
    async def act(_task: AgentTask, line: AgentChannel) -> AgentOutcome:
        async with line.spending(most=most) as spent:
            spent.cost = cost
        return said()

    async with open_pool(Own(act)) as pool:
        result = await pool.run("a")
    name = "`cost`" if most == 40_000 else "`most`"
    assert f"{name} must be a whole number" in result.reason
    booked = (40_000, True) if most == 40_000 else (0, False)
    assert (result.ending, result.cost_microdollars, result.upper_bound) == (Ending.failed, *booked)


async def test_a_plain_function_and_a_call_of_exit_end_the_task_and_nothing_else(
    open_pool: OpenPool,
) -> None:
    class Plain:
        def run(self, task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
            if task.prompt == "exit":
                sys.exit(3)
            return said("done")

    async def leaves(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        sys.exit("bye")

    plain: Any = Plain()
    async with open_pool(plain) as pool:
        plain_result, exits = await pool.fan_out(["a", "exit"])
    async with open_pool(Own(leaves)) as pool:
        left = await pool.run("a")
    assert "`run` is a plain function: make it `async def run`" in plain_result.reason
    assert exits.reason == "the agent called sys.exit(3)"
    assert left.reason == "the agent called sys.exit('bye')"
    assert {each.ending for each in (plain_result, exits, left)} == {Ending.failed}


def itself() -> None:
    """Cancel the task that runs this."""
    own = asyncio.current_task()
    assert own is not None
    own.cancel()


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (GeneratorExit("of mine"), "raised GeneratorExit: of mine"),
        (BaseExceptionGroup("of mine", [asyncio.CancelledError()]), "raised BaseExceptionGroup"),
        (asyncio.CancelledError(), "ended itself by a cancel"),
        (None, "ended itself by a cancel"),
    ],
    ids=["generator", "group", "cancel", "cancel of its task"],
)
async def test_what_ends_more_than_an_agent_ends_its_task_in_words_and_costs_one_run(
    error: BaseException | None, how: str
) -> None:
    runs = []

    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        runs.append(task.run_id)
        if error is not None:
            raise error
        itself()
        await asyncio.sleep(GUARD)
        return said()

    async with Pool.open(Own(act), config=QUICK) as pool:
        result = await asyncio.wait_for(pool.run("a"), GUARD)
        assert (await pool.run("b")).ending is Ending.failed, "the slot takes the next one"
    assert result.ending is Ending.failed
    assert result.reason.startswith(f"the agent {how}")
    assert len(runs) == 2


@pytest.mark.parametrize(
    "error",
    [GeneratorExit(), SystemExit(3), asyncio.CancelledError(), None],
    ids=["generator", "exit", "cancel", "cancel of its task"],
)
async def test_what_ends_more_than_a_host_step_ends_its_chain(
    error: BaseException | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool_gh.pool.run.troubles._LONGEST_DELAY", 0.01)

    async def host(_: HostStepContext) -> Done:
        if error is not None:
            raise error
        itself()
        await asyncio.sleep(GUARD)
        return Done(None)

    async with Pool.open(Puppet(), config=QUICK, host_steps={"host": host}) as pool:
        chain = await pool.submit_chain([ChainStep(name="host", host="host")])
        result = await asyncio.wait_for(pool.wait_chain(chain), GUARD)
    assert result is not None
    assert not result.success


@dataclass
class Opening:
    """Opens something for each pool, which the agent that it yields there has."""

    opened: str = ""

    @asynccontextmanager
    async def at_work(self, _database: Database, clock: Clock) -> AsyncIterator[Opening | None]:
        yield Opening(f"{clock.now_ms()}")

    async def run(self, _task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return said(self.opened)


@dataclass(frozen=True)
class Stopped:
    """A clock that stands still."""

    at: int

    def now_ms(self) -> int:
        return self.at


async def test_one_agent_serves_several_pools_each_with_what_was_opened_for_it() -> None:
    agent = Opening()
    async with (
        Pool.open(agent, clock=Stopped(1)) as one,
        Pool.open(agent, clock=Stopped(2)) as two,
    ):
        results = [await pool.run("a") for pool in (one, two, one)]
    assert [result.output for result in results] == ["1", "2", "1"]


class HandingOn:
    """Refuses everything, and has all else from the agent within it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def run(self, _task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return AgentOutcome(ending=Ending.failed, reason="refused")


class Yielding(HandingOn):
    """Yields itself around what the agent within it yields."""

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[Yielding]:
        async with self.inner.at_work(database, clock) as bound:
            yield Yielding(bound)


async def test_an_agent_around_another_one_is_never_passed_over() -> None:
    with pytest.raises(TypeError, match="`at_work` of HandingOn yields an object of Opening, "):
        async with Pool.open(HandingOn(Opening())):
            raise AssertionError
    for agent in (Yielding(Opening()), HandingOn(Puppet())):
        async with Pool.open(agent) as pool:
            assert (await pool.run("a")).reason == "refused"


async def test_the_pool_measures_how_long_it_took_where_it_does_not_say(
    open_pool: OpenPool,
) -> None:
    """Also where it ends otherwise than with an outcome of its own."""

    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        await asyncio.sleep(0.02)
        if task.prompt == "raises":
            raise ValueError("no")
        return said(elapsed_ms=77_000 if task.prompt == "says" else 0)

    async with open_pool(Own(act)) as pool:
        silent, says, raises = await pool.fan_out(["silent", "says", "raises"])
        metrics = await pool.metrics()
    assert 20 <= silent.elapsed_ms < 77_000
    assert says.elapsed_ms == 77_000
    assert raises.elapsed_ms >= 20
    assert (metrics.min_elapsed_ms >= 20, metrics.max_elapsed_ms) == (True, 77_000)


@pytest.mark.parametrize("least", [None, "20", 1.5, -1, True])
async def test_a_least_that_is_no_number_is_refused_at_submit(
    open_pool: OpenPool, least: Any
) -> None:
    class Odd(Own):
        def least(self, _task: AgentTask) -> Any:
            return least

    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said()

    async with open_pool(Odd(act)) as pool:
        with pytest.raises(
            ValueError, match=r"`least` of Odd returned .* not a whole number of microdollars"
        ):
            await pool.run("a")


async def test_what_it_spends_up_to_its_budget_was_set_aside_and_what_is_beyond_stops_the_next(
    open_pool: OpenPool,
) -> None:
    """The two sentences about `AgentOutcome.cost_microdollars`: with no `least`, and beyond the budget."""

    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        assert task.budget_microdollars is not None
        return said(
            cost_microdollars=task.budget_microdollars + (100_000 if task.prompt == "more" else 0)
        )

    one = TaskOverrides(max_budget_usd=0.3)
    async with open_pool(Own(act), config=PoolConfig(budget_microdollars=600_000)) as pool:
        results = [await pool.run("all", config=one), await pool.run("more", config=one)]
        with pytest.raises(CapReached, match=r"has \$0.00 left, asked for \$0.02; "):
            await pool.run("none is left", config=one)
        assert (await pool.status()).total_spend_microdollars == 700_000
    assert [each.cost_microdollars for each in results] == [300_000, 400_000]


async def test_what_it_raises_is_the_reason_and_its_slot_is_not_to_blame(
    open_pool: OpenPool,
) -> None:
    async def act(_task: AgentTask, line: AgentChannel) -> AgentOutcome:
        line.say("half of it")
        raise ValueError("no model is called gpt")

    async with open_pool(Own(act)) as pool:
        result = await asyncio.wait_for(pool.run("a"), GUARD)
        (slot,) = await pool.slots()
    assert result.reason == "the agent raised ValueError: no model is called gpt"
    assert (result.output, result.ending) == ("half of it", Ending.failed)
    assert (slot.state, slot.restart_count) == (SlotState.idle, 0)


async def test_the_pool_keeps_the_time_of_an_agent_that_does_not(open_pool: OpenPool) -> None:
    """Without the overtime that an agent with clocks of its own gets: its run never comes to its end."""
    over = asyncio.Event()

    async def act(_task: AgentTask, line: AgentChannel) -> AgentOutcome:
        line.say("half of it")
        try:
            await asyncio.Event().wait()
        finally:
            over.set()
        return said()

    async with open_pool(Own(act)) as pool:
        result = await asyncio.wait_for(
            pool.run("a", config=TaskOverrides(timeout_secs=0.2)), GUARD
        )
        (slot,) = await pool.slots()
    assert (result.ending, result.output) == (Ending.timed_out, "half of it")
    assert result.reason == "it ran longer than 0.2 seconds"
    assert (over.is_set(), slot.state) == (True, SlotState.idle)


@pytest.mark.parametrize(
    ("structured", "wrong"),
    [
        (None, "None is not of type 'object'"),
        ({}, "'count' is a required property"),
        ({"count": "x"}, "count: 'x'"),
    ],
)
async def test_a_result_that_does_not_have_the_form_asked_for_is_a_failure(
    open_pool: OpenPool, structured: Any, wrong: str
) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said("three", structured=structured)

    async with open_pool(Own(act), config=QUICK) as pool:
        result = await run_chain(
            pool, [step("a", "count", output=ANSWER, retries=0), step("b", "{steps.a.count}")]
        )
        lone = await pool.run("count", config=TaskOverrides(json_schema=ANSWER))
    assert (result.success, lone.success) == (False, False)
    assert wrong in lone.reason
    assert "`structured`" in lone.reason


async def test_a_result_that_has_it_is_there_for_later_steps(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said(task.prompt, structured={"count": 3} if task.schema else None)

    async with open_pool(Own(act)) as pool:
        result = await run_chain(
            pool, [step("a", "count", output=ANSWER), step("b", "{steps.a.count}")]
        )
    assert (result.success, result.final_output) == (True, "3")


async def test_a_schema_that_cannot_be_used_is_not_paid_for_again(open_pool: OpenPool) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said(structured={"a": 1})

    own = Own(act)
    # What a word that nobody knows holds is looked at only where a result leads there.
    unusable = {"x-a": {"minimum": "3"}, "properties": {"a": {"$ref": "#/x-a"}}}
    async with open_pool(own) as pool:
        result = await pool.run("a", config=TaskOverrides(json_schema=unusable))
    assert "the schema cannot be used" in str(result.reason)
    assert len(own.seen) == 1


async def test_what_is_no_schema_is_refused_at_submit(open_pool: OpenPool) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said()

    async with open_pool(Own(act)) as pool:
        with pytest.raises(
            ValueError, match="`json_schema` is no JSON Schema: type: 'text' is not valid"
        ):
            await pool.submit("a", config=TaskOverrides(json_schema={"type": "text"}))


# ---- what it costs


async def test_it_says_what_a_run_cost(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said(cost_microdollars=task.budget_microdollars)

    agent = Own(act)
    async with open_pool(
        agent, config=PoolConfig(budget_microdollars=100_000, task_budget_usd=0.03)
    ) as pool:
        results = await pool.fan_out(list("abcd"))
        assert {result.cost_microdollars for result in results} <= {20_000, 30_000}
        assert all(result.success for result in results)
        spent = (await pool.status()).total_spend_microdollars
        assert 90_000 <= spent == sum(result.cost_microdollars for result in results) <= 100_000
        with pytest.raises(CapReached, match=r"set PoolConfig\.budget_microdollars"):
            await pool.submit("e")


async def test_agents_beside_each_other_are_told_what_they_may_spend_and_together_it_is_no_more_than_is_left(
    open_pool: OpenPool,
) -> None:
    """And no slot is idle: each gets a part."""
    here, everybody = [0], asyncio.Event()

    async def act(task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        here[0] += 1
        if here[0] == 4:
            everybody.set()
        await everybody.wait()
        return said(cost_microdollars=task.budget_microdollars)

    agent = Own(act)
    async with open_pool(agent, slots=4, config=PoolConfig(budget_microdollars=2_000_000)) as pool:
        results = await asyncio.wait_for(pool.fan_out(list("abcd")), GUARD)
        spent = (await pool.status()).total_spend_microdollars
    assert all(result.success for result in results)
    assert spent == sum(result.cost_microdollars for result in results) <= 2_000_000
    assert min(result.cost_microdollars for result in results) >= 20_000


@pytest.mark.parametrize("cost", [-1, 0.5, "1", True])
async def test_a_cost_that_is_none_fails_the_task(open_pool: OpenPool, cost: Any) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return said(cost_microdollars=cost)

    async with open_pool(Own(act)) as pool:
        result = await pool.run("a")
    told = "0 or more" if cost == -1 else "`cost_microdollars` must be a whole number"
    assert told in result.reason


async def test_it_reserves_before_it_pays_and_never_more_than_its_cap(open_pool: OpenPool) -> None:
    async def act(_task: AgentTask, line: AgentChannel) -> AgentOutcome:
        for _ in range(3):
            async with line.spending(most=40_000) as spent:
                spent.cost = 30_000
        return said()

    async with open_pool(Own(act)) as pool:
        enough = await pool.run("a", config=TaskOverrides(max_budget_usd=0.1))
        short = await pool.run("a", config=TaskOverrides(max_budget_usd=0.09))
    assert (enough.success, enough.cost_microdollars, enough.upper_bound) == (True, 90_000, False)
    assert (short.success, short.cost_microdollars, short.ending) == (
        False,
        60_000,
        Ending.out_of_budget,
    )
    assert "has $0.03 left, asked for $0.04" in short.reason


async def test_what_it_does_not_say_counts_at_its_most(open_pool: OpenPool) -> None:
    async def act(_task: AgentTask, line: AgentChannel) -> AgentOutcome:
        async with line.spending(most=40_000):
            return said()

    async with open_pool(Own(act)) as pool:
        result = await pool.run("a")
    assert (result.cost_microdollars, result.upper_bound) == (40_000, True)


async def test_more_than_was_reserved_is_a_fault_of_the_agent_s(open_pool: OpenPool) -> None:
    async def act(_task: AgentTask, line: AgentChannel) -> AgentOutcome:
        async with line.spending(most=40_000) as spent:
            spent.cost = 50_000
        return said()

    async with open_pool(Own(act)) as pool:
        result = await pool.run("a")
    assert "a cost of 50000 microdollars is not between 0 and the 40000" in result.reason
    assert (result.cost_microdollars, result.upper_bound) == (40_000, True)


async def test_a_line_without_a_pool_has_no_money() -> None:
    with pytest.raises(RuntimeError, match="no pool"):
        AgentChannel().spending(1)


# ---- retries


@pytest.mark.parametrize(
    ("config", "task", "runs"),
    [
        (PoolConfig(), TaskOverrides(), 1),
        (QUICK.model_copy(update={"retries": 2}), TaskOverrides(), 3),
        (QUICK.model_copy(update={"retries": 2}), TaskOverrides(retries=0), 1),
        (QUICK, TaskOverrides(retries=1), 2),
    ],
)
async def test_a_lone_task_is_repeated_only_where_that_is_asked_for(
    open_pool: OpenPool, config: PoolConfig, task: TaskOverrides, runs: int
) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return AgentOutcome(ending=Ending.failed, reason="boom", retryable=True)

    agent = Own(act)
    async with open_pool(agent, config=config) as pool:
        await pool.run("a", config=task)
        assert len(agent.seen) == runs
        await pool.fan_out(["a"], config=task)
    assert len(agent.seen) == 2 * runs


@pytest.mark.parametrize(
    ("asked", "runs"), [({"retries": 1}, 1), ({"retries": 1, "retry_timeouts": True}, 2)]
)
async def test_a_timeout_is_not_repeated_unless_that_is_asked_for(
    open_pool: OpenPool, asked: dict[str, Any], runs: int
) -> None:
    async def act(_task: AgentTask, _line: AgentChannel) -> AgentOutcome:
        return AgentOutcome(ending=Ending.timed_out, reason="too long")

    agent = Own(act)
    async with open_pool(agent, config=QUICK) as pool:
        await pool.run("a", config=TaskOverrides(**asked))
        assert len(agent.seen) == runs
        await run_chain(pool, [step("a", "x", config=asked)])
    assert len(agent.seen) == 2 * runs
