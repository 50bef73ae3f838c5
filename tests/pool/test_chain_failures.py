"""What fails, what is tried again, what is cancelled, and what money ends: told, and nothing that was done is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.errors import CapReached, StepFailed
from claude_pool_gh.pool.model.ports import (
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Done,
    Ending,
    HostStepContext,
)
from claude_pool_gh.pool.model.records import ChainResult, TaskResult
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.store import chains, continuation
from claude_pool_gh.pool.store.tables import reservations, steps, tasks
from tests.pool.kit import (
    GUARD,
    QUICK,
    Spender,
    ended,
    parked,
    run_chain,
    script,
    spender,
    step,
    until,
)
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, failed, said

Rows = dict[str, Any]


async def states(pool: Pool, table: sa.Table, chain_id: str) -> Rows:
    """State by step of a chain's steps or tasks."""
    name = table.c.name if table is steps else table.c.step
    select = sa.select(name, table.c.state).where(table.c.chain_id == chain_id)
    return await pool.database.read(lambda tx: {row[0]: row[1] for row in tx.execute(select)})


async def open_money(pool: Pool) -> int:
    """Reservations that nobody has settled."""
    count = (
        sa.select(sa.func.count()).select_from(reservations).where(reservations.c.settled.is_(None))
    )
    return int(await pool.database.read(lambda tx: tx.execute(count).scalar_one()))


# ---- a step that fails


async def test_a_failed_step_ends_its_chain_and_what_was_done_and_paid_is_kept(
    open_pool: OpenPool,
) -> None:
    agent = Spender()

    async def pay(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.ask(task, 10_000, {"one": 3_000, "two": 5_000}[task.prompt])
        return (
            failed("the tests do not build")
            if task.prompt == "two"
            else await echo(task, folder, line)
        )

    agent.act = pay
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(
            [step("one", "one"), step("two", "two"), step("three", "three")]
        )
        result = await ended(pool, chain)
        progress = await pool.chain_progress(chain)
        spent = (await pool.status()).total_spend_microdollars
        assert await open_money(pool) == 0
    assert agent.prompts == ["one", "two"]
    assert (result.success, result.verdict) == (False, "failed")
    assert result.reason == result.final_output == "step two: the tests do not build"
    one, two, three = result.steps
    assert (one.output, one.success, one.cost_microdollars) == ("<one>", True, 3_000)
    assert (two.output, two.success, two.cost_microdollars) == (
        "the tests do not build",
        False,
        5_000,
    )
    assert (three.skipped, three.cost_microdollars) == (True, 0)
    assert result.total_cost_microdollars == spent == 8_000
    assert (progress.status, progress.current_step, progress.cost_microdollars) == (
        "failed",
        None,
        8_000,
    )


async def test_of_a_step_with_several_runs_the_finished_ones_are_kept_when_one_fails(
    open_pool: OpenPool,
) -> None:
    async def second_fails(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return failed("no") if task.prompt == "r" else await echo(task, folder, line)

    agent = Puppet(second_fails)
    branches = [step("left", "l"), step("right", "r"), step("third", "t")]
    async with open_pool(agent, slots=1) as pool:
        result = await run_chain(pool, [step("both", branches=branches)])
    assert sorted(agent.prompts) == ["l", "r", "t"]
    assert result.reason == "step both: no"
    assert result.steps[0].output == "<l>\n\nno\n\n<t>"
    assert not result.steps[0].success


@pytest.mark.parametrize("kind", ["plain", "branches", "each"])
async def test_a_chain_may_go_on_after_a_step_that_failed(open_pool: OpenPool, kind: str) -> None:
    kinds: dict[str, Rows] = {
        "plain": {"prompt": "bad"},
        "branches": {"branches": [step("left", "fine"), step("right", "bad")]},
        "each": {"prompt": "{item}", "each": "list.parts"},
    }

    async def bad_fails(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return failed("no") if task.prompt == "bad" else await echo(task, folder, line)

    agent = Puppet(script({"list": said(structured={"parts": ["fine", "bad"]}), "some": bad_fails}))
    chain = [
        step("list", "list", output_vars={"parts": "parts"}),
        step(
            "some", **kinds[kind], title="{item}" if kind == "each" else "", on_failure="continue"
        ),
        step("after", "after [{steps.some.output}] [{steps.some.error}]"),
    ]
    async with open_pool(agent) as pool:
        chain_id = await pool.submit_chain(chain)
        result = await ended(pool, chain_id)
        assert (await pool.chain_progress(chain_id)).status == "completed"
    told = {"plain": "after [] [no]", "branches": "[right: no]", "each": "[bad: no]"}
    assert agent.prompts[-1].startswith("after ")
    assert told[kind] in agent.prompts[-1]
    assert ("<fine>" in agent.prompts[-1]) is (kind != "plain")
    some = result.steps[1]
    assert (some.success, some.ending, some.skipped) == (False, Ending.failed, False)
    assert [(each.success, each.error) for each in some.tasks][-1] == (False, "no")
    assert "no" in some.error
    assert [each.success for each in result.steps] == [True, False, True]
    assert (result.success, result.verdict) == (False, "answered")
    assert result.reason == f"step some: {some.error}"
    assert result.final_output.startswith("<after ")


@pytest.mark.parametrize("kind", ["plain", "branches", "each"])
async def test_the_control_a_step_that_succeeded_has_no_error(
    open_pool: OpenPool, kind: str
) -> None:
    kinds: dict[str, Rows] = {
        "plain": {"prompt": "fine"},
        "branches": {"branches": [step("left", "fine"), step("right", "fine")]},
        "each": {"prompt": "{item}", "each": "list.parts"},
    }
    agent = Puppet(script({"list": said(structured={"parts": ["a", "b"]})}))
    errors = {"branches": "{steps.some.left.error}", "each": "{steps.some.errors}"}.get(kind, "")
    chain = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("some", **kinds[kind], on_failure="continue"),
        step(
            "after",
            f"after [{{steps.some.error}}] {errors}",
            when={"value": "steps.some.error", "empty": True},
        ),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, chain)
    assert (result.success, result.reason, result.steps[2].skipped) == (True, "", False)
    assert agent.prompts[-1].startswith("after []")
    assert {(each.success, each.ending, each.error) for each in result.steps} == {
        (True, Ending.completed, "")
    }


async def test_a_step_may_wait_for_the_failure_of_another(open_pool: OpenPool) -> None:
    agent = Puppet(script({"try": failed("no luck")}))
    chain = [
        step("try", "try", on_failure="continue"),
        step("mend", "mend {steps.try.error}", when={"value": "steps.try.error", "empty": False}),
        step("rest", "rest", when={"value": "steps.mend.error", "empty": False}),
        step("skip", "skip [{steps.rest.error}]"),
    ]
    async with open_pool(agent) as pool:
        result = await run_chain(pool, chain)
    assert agent.prompts == ["try", "mend no luck", "skip []"]
    assert [each.skipped for each in result.steps] == [False, False, True, False]
    assert (result.success, result.reason) == (False, "step try: no luck")


@pytest.mark.parametrize("known", [True, False])
async def test_a_sum_says_whether_it_is_only_an_upper_bound(
    open_pool: OpenPool, *, known: bool
) -> None:
    """An answer whose price never came is booked at the most that it may have cost."""
    agent = Spender()

    async def pays(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        assert await agent.ask(task, 5_000, 5_000 if known or task.prompt == "one" else None)
        return said()

    agent.act = pays
    async with open_pool(agent) as pool:
        result = await run_chain(pool, [step("one", "one"), step("two", "two")])
    assert [each.upper_bound for each in result.steps] == [False, not known]
    assert (result.upper_bound, result.total_cost_microdollars) == (not known, 10_000)


async def test_a_chain_whose_every_step_failed_has_no_answer(open_pool: OpenPool) -> None:
    agent = Puppet(script({"one": failed("no"), "two": failed("nor this")}))
    async with open_pool(agent) as pool:
        result = await run_chain(
            pool, [step(name, name, on_failure="continue") for name in ("one", "two")]
        )
    assert (result.success, result.final_output) == (False, "")
    assert result.reason == "step one: no; step two: nor this"
    assert [each.output for each in result.steps] == ["no", "nor this"], (
        "as of a lone task that failed"
    )


async def test_what_only_shows_while_running_names_the_step_too(open_pool: OpenPool) -> None:
    """A typed result that has no list where one is needed, an item without the key that is asked for."""

    async def tells_no(_context: HostStepContext) -> Done:
        raise StepFailed("nothing to do here")

    async def forgets(_context: HostStepContext) -> Any:
        return None

    async def finds(_context: HostStepContext) -> Done:
        return Done({"paths": {"a"}})

    agent = spender(said(structured={"parts": 3, "items": [{"a": 1}]}), cost=100)
    first = step("first", "1", output_vars={"parts": "parts", "items": "items"})
    faults = {
        "step two: `each` needs a list at `first.parts`": step("two", "2", each="first.parts"),
        "step two: `item.b` leads nowhere: `item` has no `b`, but `a`": step(
            "two", "{item.b}", each="first.items"
        ),
        "step two: `steps.first.parts.deeper` leads nowhere: `steps.first.parts` is a number, which has no": step(
            "two", "{steps.first.parts.deeper}"
        ),
        "nothing to do here": step("two", host="tells_no"),
        "the host step 'forgets' returned None: end it with `return Done(result)`": step(
            "two", host="forgets"
        ),
        "the host step 'finds' returned a result with a value of the type set": step(
            "two", host="finds"
        ),
    }
    known = {"tells_no": tells_no, "forgets": forgets, "finds": finds}
    async with open_pool(agent, host_steps=known) as pool:
        for told, second in faults.items():
            result = await run_chain(pool, [first, second, step("three", "3")])
            assert result.reason.startswith(told)
            assert (result.success, result.verdict) == (False, "failed")
            assert (result.steps[0].success, result.steps[0].skipped) == (True, False)
            assert result.total_cost_microdollars == result.steps[0].cost_microdollars == 100
        assert (await pool.chains(unfinished=True)) == []
    assert agent.prompts == ["1"] * len(faults)


FILLED_LATE = {
    "its prompt": step("two", "{steps.one.parts.deeper}", on_failure="continue"),
    "its title": step("two", "2", title="{steps.one.parts.deeper}", on_failure="continue"),
    "its list": step("two", "2", each="one.parts", on_failure="continue"),
    "its condition": step(
        "two", "2", when={"value": "steps.one.parts.deeper", "equals": 1}, on_failure="continue"
    ),
    "the condition of branches": step(
        "two",
        branches=[step("a", "a"), step("b", "b")],
        when={"value": "steps.one.parts.deeper", "equals": 1},
        on_failure="continue",
    ),
    "its recovery": step(
        "two", "fails", recovery="{steps.one.parts.deeper}", retries=0, on_failure="continue"
    ),
}


@pytest.mark.parametrize("what", FILLED_LATE)
async def test_a_chain_goes_on_after_a_text_that_cannot_be_filled_where_it_is_to_go_on(
    open_pool: OpenPool, what: str
) -> None:
    agent = Puppet(
        script({"one": said(structured={"parts": 3}), "two": failed("no", retryable=True)})
    )
    first = step("one", "1", output_vars={"parts": "parts"})
    after = step("three", "sees [{steps.two.error}]")
    async with open_pool(agent, config=QUICK) as pool:
        result = await run_chain(pool, [first, FILLED_LATE[what], after])
        failed_here = await run_chain(
            pool, [first, FILLED_LATE[what].model_copy(update={"on_failure": "fail"}), after]
        )
    assert (result.success, result.verdict) == (False, "answered")
    assert result.reason.startswith("step two: ")
    assert "one.parts" in result.reason
    assert [(each.success, each.skipped) for each in result.steps] == [
        (True, False),
        (False, False),
        (True, False),
    ]
    assert agent.prompts[-2 if what != "its recovery" else -3].startswith("sees [")
    assert "one.parts" in next(prompt for prompt in agent.prompts if prompt.startswith("sees ["))
    assert (failed_here.success, failed_here.verdict, failed_here.steps[2].skipped) == (
        False,
        "failed",
        True,
    )
    assert failed_here.reason.count("step two") == 1


async def test_an_item_whose_text_cannot_be_filled_fails_alone_or_before_anything_is_paid(
    open_pool: OpenPool,
) -> None:
    parts = {"parts": [{"a": 1}, {"b": 2}, {"a": 3}]}
    steps = [
        step("one", "1", output_vars={"parts": "parts"}),
        step("two", "<{item.a}>", each="one.parts"),
    ]
    agent = Puppet(script({"one": said(structured=parts)}))
    async with open_pool(agent) as pool:
        fails = await run_chain(pool, steps)
        assert agent.prompts == ["1"], "the step is to fail anyway"
        goes_on = await run_chain(
            pool, [steps[0], steps[1].model_copy(update={"on_failure": "continue"})]
        )
    assert (fails.success, fails.reason) == (
        False,
        "step two: `item.a` leads nowhere: `item` has no `a`, but `b`",
    )
    assert sorted(agent.prompts[2:]) == ["<1>", "<3>"]
    assert [each.success for each in goes_on.steps[1].tasks] == [True, False, True]


async def test_going_on_is_offered_where_it_can_end_otherwise(open_pool: OpenPool) -> None:
    """What is stored is kept for an error of ours; where just that is of no use any more, only a new run can help."""
    errors = {
        "theirs": (StepFailed("no"), False),
        "ours": (StepFailed("no", ours=True), True),
        "stored by an older version": (StepFailed("no", ours=True, anew=True), False),
    }
    for name, (error, hope) in errors.items():

        async def fails(_context: HostStepContext, error: StepFailed = error) -> Done:
            raise error

        async with open_pool(spender(cost=100), host_steps={"fails": fails}) as pool:
            chain = await pool.submit_chain([step("one", "1"), step("two", host="fails")])
            await ended(pool, chain)
            found = await pool.database.read(
                lambda tx, chain=chain: continuation.can_go_on(tx, chains.get(tx, chain))  # type: ignore[misc]
            )
        assert found is hope, name


# ---- trying again


async def test_only_what_may_pass_is_tried_again_and_the_next_attempt_is_told_why(
    open_pool: OpenPool,
) -> None:
    outcomes = {
        "passes": [
            failed("overloaded", retryable=True),
            failed("reset", retryable=True),
            said("yes"),
        ],
        "stays": [failed("overloaded", retryable=True)] * 3,
        "never": [failed("no such tool")],
        "money": [failed("the money is gone", ending="out_of_budget")],
        "turns": [failed("too many turns", ending="out_of_turns")],
        "quota": [failed("a limit of the plan", ending="quota")],
        "unasked": [failed("overloaded", retryable=True)],
    }
    agent = Puppet(script(dict(outcomes)))
    found: dict[str, ChainResult] = {}
    async with open_pool(agent, config=QUICK) as pool:
        for name in outcomes:
            found[name] = await run_chain(
                pool, [step(name, name, retries=0 if name == "unasked" else 2)]
            )
    assert {
        name: len([task for task in agent.seen if task.prompt.startswith(name)])
        for name in outcomes
    } == {name: len(each) for name, each in outcomes.items()}
    assert found["passes"].success
    first, second, third = agent.prompts[:3]
    assert first == "passes"
    assert second.startswith(
        "passes\n\nAn earlier attempt at this ended without a result: overloaded"
    )
    assert third.startswith("passes\n\nAn earlier attempt at this ended without a result: reset")
    assert "overloaded" not in third
    assert {name: each.steps[0].retries_used for name, each in found.items()} == {
        "passes": 2,
        "stays": 2,
        "never": 0,
        "money": 0,
        "turns": 0,
        "quota": 0,
        "unasked": 0,
    }
    assert {name: each.verdict for name, each in found.items()} == {
        "passes": "answered",
        "stays": "failed",
        "never": "failed",
        "money": "out_of_budget",
        "turns": "out_of_turns",
        "quota": "quota",
        "unasked": "failed",
    }
    assert found["stays"].reason == "step stays: overloaded"


async def test_a_step_is_tried_again_as_often_as_it_says(open_pool: OpenPool) -> None:
    """Five retries are six attempts, and the recovery comes after them; each attempt's money is the task's."""
    agent = Spender()

    async def fails(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.ask(task, 10, 10)
        return failed("overloaded", retryable=True)

    agent.act = fails
    async with open_pool(agent, config=QUICK) as pool:
        result = await run_chain(pool, [step("one", "one", retries=5, recovery="differently")])
        (task,) = await pool.tasks()
    assert [task.attempt for task in agent.seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [prompt.endswith("differently") for prompt in agent.prompts] == [False] * 6 + [True]
    assert result.steps[0].retries_used == 6
    assert result.total_cost_microdollars == 70
    assert (task.attempts, task.state) == (7, "failed")


async def test_the_recovery_runs_once_after_the_last_retry(open_pool: OpenPool) -> None:
    """It says what went wrong and what came before; its success is the step's, its failure is the end."""
    lost = failed("no luck", retryable=True)
    stuck = failed("too many turns", ending="out_of_turns")
    late = failed("too slow", ending="timed_out")
    scripts: dict[str, tuple[int, list[AgentOutcome], bool]] = {
        # retries, the attempts' outcomes, whether the chain succeeds
        "after-retries": (1, [lost, lost, said("mended")], True),
        "fails": (1, [lost, lost, lost], False),
        "at-once": (1, [stuck, said("mended")], True),
        "of-time": (0, [late, said("mended")], True),
        "of-no-use": (2, [failed("no such tool")], False),
        "fails-otherwise": (2, [stuck, lost], False),
        "not-needed": (1, [lost, said("yes")], True),
    }
    agent = Puppet(script({name: each for name, (_, each, _) in scripts.items()}))
    async with open_pool(agent, config=QUICK) as pool:
        for name, (retries, outcomes, success) in scripts.items():
            agent.seen.clear()
            text = "mend {error} after {previous_output}"
            chain = [step("first", "F"), step(name, name, retries=retries, recovery=text)]
            result = await run_chain(pool, chain)
            own = agent.prompts[1:]
            assert len(own) == len(outcomes), name
            assert result.success is success, name
            assert result.steps[1].retries_used == len(outcomes) - 1
            mended = [prompt for prompt in own if "mend " in prompt]
            wanted = 0 if name in ("of-no-use", "not-needed") else 1
            assert len(mended) == wanted, name
            if wanted:
                error = outcomes[-2].reason
                assert own[-1] == f"{name}\n\nmend {error} after <F>", name


async def test_each_item_and_branch_is_tried_again_for_itself(open_pool: OpenPool) -> None:
    async def right_fails_once(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.prompt == "r":
            return failed("reset", retryable=True)
        return await echo(task, folder, line)

    agent = Puppet(right_fails_once)
    branches = [step("left", "l"), step("right", "r", retries=1)]
    async with open_pool(agent, config=QUICK) as pool:
        result = await run_chain(pool, [step("both", branches=branches)])
    assert result.success
    assert [
        (task.id.rpartition(".")[2], task.attempt)
        for task in sorted(agent.seen, key=lambda t: t.run_id)
    ] == [
        ("0", 1),
        ("1", 1),
        ("1", 2),
    ]
    assert result.steps[0].retries_used == 1


# ---- cancelling


async def test_a_cancel_while_a_step_runs_ends_it_and_keeps_what_was_done(
    open_pool: OpenPool,
) -> None:
    gate, agent = Gate(), Spender()

    async def pays(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.ask(task, 1_000, 500)
        if task.prompt == "two":
            await agent.ask(task, 1_000)  # an answer is still to come
        return await (gate if task.prompt == "two" else echo)(task, folder, line)

    agent.act = pays
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(
            [step("one", "one"), step("two", "two"), step("three", "three")]
        )
        await until(lambda: "two" in agent.prompts and agent.running == 1)
        assert await pool.cancel_chain(chain)
        result = await ended(pool, chain)
        assert not await pool.cancel_chain(chain)
        assert await states(pool, steps, chain) == {
            "one": "completed",
            "two": "cancelled",
            "three": "cancelled",
        }
        assert await states(pool, tasks, chain) == {"one": "completed", "two": "cancelled"}
        assert await open_money(pool) == 0
        assert (await pool.chain_progress(chain)).status == "cancelled"
        await until(lambda: pool.load.busy == 0)
        assert (await pool.status()).idle_slots == 1
    assert agent.running == 0
    assert agent.prompts == ["one", "two"]
    assert (result.success, result.verdict) == (False, "cancelled")
    one, two, three = result.steps
    assert (one.output, one.success, one.cost_microdollars) == ("<one>", True, 500)
    # What is on its way when a run is stopped counts in full.
    assert (two.output, two.success, two.cost_microdollars) == ("working on two", False, 1_500)
    assert three.skipped
    assert result.total_cost_microdollars == 2_000


async def test_a_cancel_between_two_steps_ends_the_chain_there(open_pool: OpenPool) -> None:
    """And one that comes while the last step's own end is written is not lost, nor is that step's result."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def host(_context: HostStepContext) -> Done:
        asked.set()
        await go.wait()
        return Done("x")

    agent = Puppet()
    async with open_pool(agent, host_steps={"host": host}) as pool:
        chain = await pool.submit_chain(
            [step("one", "one"), step("host", host="host"), step("two", "two")]
        )
        await asked.wait()
        assert await pool.cancel_chain(chain)
        go.set()
        result = await ended(pool, chain)
        assert (await states(pool, steps, chain))["one"] == "completed"
        assert (await states(pool, steps, chain))["two"] == "cancelled"
    assert agent.prompts == ["one"]
    assert (result.verdict, result.steps[0].output) == ("cancelled", "<one>")


async def test_a_chain_that_waits_for_a_slot_or_in_the_queue_is_cancelled_at_once(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, slots=1) as pool:
        ids = await pool.fan_out_chains([[step("one", str(number))] for number in range(8)])
        await until(lambda: agent.running == 1 and pool.load.tasks_waiting == 3)
        running = agent.seen[0].id.split(".")[0]
        queued = [each.chain_id for each in await pool.chains() if each.status == "queued"]
        slotless = [each for each in ids if each not in queued and each != running]
        assert (len(queued), len(slotless)) == (4, 3)
        for chain_id in (queued[1], slotless[1]):
            assert await pool.cancel_chain(chain_id)
            result = await ended(pool, chain_id)  # though the slot stays busy
            assert result.verdict == "cancelled"
            assert set((await states(pool, steps, chain_id)).values()) == {"cancelled"}
            assert set((await states(pool, tasks, chain_id)).values()) <= {"cancelled"}
        assert agent.running == 1
        gate.opened.set()
        others = [await ended(pool, each) for each in ids if each not in (queued[1], slotless[1])]
        assert all(each.success for each in others)
        assert await open_money(pool) == 0
    assert len(agent.seen) == 6


async def test_a_cancelled_run_is_neither_tried_again_nor_recovered(open_pool: OpenPool) -> None:
    """Whether it is cancelled while it runs, or while it waits for its next attempt."""
    gate = Gate()

    async def fails_when_stopped(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await gate(task, folder, line)
        return failed("connection lost", retryable=True)

    agent = Puppet(fails_when_stopped)
    async with open_pool(agent, config=PoolConfig(retry_delay_secs=GUARD)) as pool:
        one = [step("one", "one", retries=3, recovery="mend {error}"), step("two", "two")]
        chain = await pool.submit_chain(one)
        await until(lambda: agent.running == 1)
        assert await pool.cancel_chain(chain)
        result = await ended(pool, chain)
        assert (result.verdict, len(agent.seen)) == ("cancelled", 1)

        gate.opened.set()
        chain = await pool.submit_chain(one)

        async def pauses() -> bool:
            return (await states(pool, tasks, chain)).get("one") == "pending" and len(
                agent.seen
            ) == 2

        await until(pauses)
        assert await pool.cancel_chain(chain)
        result = await ended(pool, chain)
        assert (result.verdict, len(agent.seen)) == ("cancelled", 2)
        # What the last attempt said about itself is still there.
        assert await states(pool, tasks, chain) == {"one": "cancelled"}


async def test_a_parked_chain_is_cancelled_and_cannot_be_approved_any_more(
    open_pool: OpenPool,
) -> None:
    agent = spender(cost=700)
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one", gate=True), step("two", "two")])
        await parked(pool, chain)
        assert await pool.cancel_chain(chain)
        result = await ended(pool, chain)
        with pytest.raises(Exception, match="does not wait for approval; it is done"):
            await pool.approve(chain)
        assert await states(pool, steps, chain) == {"one": "cancelled", "two": "cancelled"}
        assert await open_money(pool) == 0
    assert (result.verdict, result.total_cost_microdollars) == ("cancelled", 700)
    assert result.steps[0].output == "<one>"


async def test_a_chain_that_waits_for_money_can_be_cancelled(open_pool: OpenPool) -> None:
    gate = Gate()
    # one begins with two cents, and none is left for another
    config = PoolConfig(budget_microdollars=30_000)
    agent = Puppet(gate)
    async with open_pool(agent, slots=2, config=config) as pool:
        first = await pool.submit_chain([step("one", "one")])
        await until(lambda: agent.running == 1)
        second = await pool.submit_chain([step("one", "two")])
        await until(lambda: second in pool.live.held)
        assert await pool.cancel_chain(second)
        assert (await ended(pool, second)).verdict == "cancelled"
        gate.opened.set()
        assert (await ended(pool, first)).success
    assert agent.prompts == ["one"]


# ---- money


async def test_a_chain_never_spends_more_than_its_budget(open_pool: OpenPool) -> None:
    """All its steps, items and attempts together; what was done until then is kept."""
    agent = Spender()

    async def greedy(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        while await agent.ask(task, 40_000, 40_000):
            pass
        return failed("overloaded", retryable=True) if task.attempt == 1 else said(task.prompt)

    agent.act = greedy
    steps_ = [
        step("one", "one", budget_usd=0.1),  # two requests in all its attempts
        step("two", "two", budget_usd=0.1),
        step("three", "three"),
        step("four", "four"),
    ]
    async with open_pool(agent, config=QUICK) as pool:
        result = await run_chain(pool, steps_, options=ChainOptions(budget_usd=0.295))
        assert await open_money(pool) == 0
    assert result.total_cost_microdollars == 280_000
    assert [each.cost_microdollars for each in result.steps[:2]] == [80_000, 80_000]
    assert (result.success, result.verdict) == (False, "out_of_budget")
    assert result.reason.startswith("step three: the cap per chain of $0.")


async def test_a_step_s_budget_holds_for_each_of_its_runs_and_its_share_for_all(
    open_pool: OpenPool,
) -> None:
    agent = Spender()
    paid: dict[str, int] = {}

    async def greedy(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        if task.prompt == "list":
            return said(structured={"parts": [1, 2, 3, 4]})
        while await agent.ask(task, 10_000, 10_000):
            paid[task.prompt] = paid.get(task.prompt, 0) + 10_000
        return said()

    agent.act = greedy
    parts = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("each", "each {item}", each="list.parts", budget_usd=0.05),
        step("shared", "shared {item}", each="list.parts", share=0.1),
    ]
    async with open_pool(agent, slots=2) as pool:
        await run_chain(pool, parts, options=ChainOptions(budget_usd=1.0))
    assert [paid[f"each {number}"] for number in (1, 2, 3, 4)] == [50_000] * 4
    assert sum(paid.get(f"shared {number}", 0) for number in (1, 2, 3, 4)) <= 100_000


@pytest.mark.parametrize("slots", [1, 4])
async def test_the_pool_s_cap_is_never_passed_by_what_waits_in_the_queue(
    open_pool: OpenPool, slots: int
) -> None:
    """Tasks start with what is left, and take more as they need it; the rest is refused by the cap's name."""
    gate, agent, most = Gate(), Spender(), [0]

    async def spends_less_than_it_may(
        task: AgentTask, folder: Path, line: AgentChannel
    ) -> AgentOutcome:
        await gate(task, folder, line)
        if not await agent.ask(task, 500_000, 400_000):
            return failed("no money", ending="out_of_budget")
        assert agent.database is not None
        held = sa.select(
            sa.func.sum(sa.func.coalesce(reservations.c.settled, reservations.c.reserved))
        )
        total = await agent.database.read(
            lambda tx: tx.execute(held.where(reservations.c.level == "chain")).scalar_one()
        )
        most[0] = max(most[0], int(total))
        return await echo(task, folder, line)

    async def pays_the_rest(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        rest = 2_990_000 - 400_000 * len(done)
        assert await agent.ask(task, rest, rest)
        return await echo(task, folder, line)

    done: list[TaskResult] = []
    agent.act = spends_less_than_it_may
    config = PoolConfig(budget_microdollars=3_000_000)
    async with open_pool(agent, slots=slots, config=config) as pool:
        ids = [await pool.submit(str(number)) for number in range(12)]
        # no slot is idle: each begins with a part of what is left
        await until(lambda: agent.running == slots)
        gate.opened.set()
        results = [await pool.wait(task_id, timeout_secs=GUARD) for task_id in ids]
        # Each needs 0.50 and spends 0.40: the seventh fits if it is alone at 2.40, and after it 0.20 is left.
        done = [each for each in results if each.success]
        refused = [each for each in results if not each.success]
        assert len(done) in ((7,) if slots == 1 else (5, 6, 7))
        for each in refused:
            assert each.ending == "out_of_budget"
            assert each.budget_exceeded
            assert each.cost_microdollars == 0
        agent.act = echo
        assert (await pool.run("small enough")).success, "it asks for nothing"
        assert (await pool.status()).total_spend_microdollars == 400_000 * len(done)
        agent.act = pays_the_rest
        assert (await pool.run("the rest")).success
        with pytest.raises(
            CapReached, match=r"of \$3.00 has \$0.01 left, .* set PoolConfig.budget_microdollars"
        ):
            await pool.submit("one more")
        with pytest.raises(CapReached, match="the cap per pool and month"):
            await pool.submit_chain([step("one", "one")])
    assert most[0] <= 3_000_000


async def test_what_a_failed_or_stopped_run_cost_counts_against_the_cap_after_a_restart_too(
    open_pool: OpenPool,
) -> None:
    config = PoolConfig(budget_microdollars=1_000_000, chain_budget_usd=0.6)
    agent = spender(failed("no"), cost=500_000)
    async with open_pool(agent, config=config) as pool:
        assert (await run_chain(pool, [step("one", "one")])).total_cost_microdollars == 500_000
    async with open_pool(agent, config=config) as pool:
        assert (await pool.status()).total_spend_microdollars == 500_000
        # its cap is 0.60: it begins with the 0.50 that are left
        await run_chain(pool, [step("one", "one")])
        with pytest.raises(CapReached, match="pool and month"):
            await pool.submit_chain([step("one", "one")], options=ChainOptions(budget_usd=0.02))


# ---- a step of the host's


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_cancel_ends_a_step_of_the_hosts_that_takes_long(
    open_pool: OpenPool, stubborn: bool
) -> None:
    begun, ended_ = asyncio.Event(), asyncio.Event()

    async def slow(_context: HostStepContext) -> Done:
        begun.set()
        try:
            await asyncio.sleep(GUARD)
        except asyncio.CancelledError:
            if not stubborn:
                raise
            await asyncio.sleep(0.1)
        finally:
            ended_.set()
        return Done({"never": "kept"})

    agent = Puppet()
    async with open_pool(agent, host_steps={"slow": slow}) as pool:
        chain = await pool.submit_chain(
            [step("one", "1"), step("slow", host="slow"), step("two", "2")]
        )
        async with asyncio.timeout(GUARD):
            await begun.wait()
        assert await pool.cancel_chain(chain) is True
        result = await ended(pool, chain)
        assert ended_.is_set()
        assert (result.success, result.verdict) == (False, "cancelled")
        assert [each.success for each in result.steps] == [True, False, False]
        assert (await pool.chains(unfinished=True)) == []
    assert agent.prompts == ["1"]
