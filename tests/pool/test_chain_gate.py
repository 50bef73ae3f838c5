"""A step that waits for a person's approval: as a row, for as long as it takes, decided once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.errors import CapReached, NotUnderReview, UnknownTask
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.ports import (
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Done,
    HostStepContext,
)
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.store.tables import steps, tasks
from tests.pool.kit import ended, parked, run_chain, script, spender, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, failed, said

GATED = [
    step("one", "one"),
    step("two", "two", gate=True),
    step("three", "three {previous_output}"),
]


async def test_a_gated_step_waits_as_a_row_and_approval_goes_on(open_pool: OpenPool) -> None:
    """No process, no slot and no task of this pool is held meanwhile."""
    agent = Puppet()
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(GATED)
        await parked(pool, chain)
        progress = await pool.chain_progress(chain)
        assert (progress.current_step, progress.current_step_name, progress.waits_for) == (
            1,
            "two",
            "approval",
        )
        assert progress.completed_steps == 1
        assert await pool.chain_result(chain) is None
        await until(
            lambda: not pool.live.held and pool.load.chains_running == 0 and pool.load.busy == 0
        )
        assert (await pool.status()).pending_review_tasks == 1
        assert (await run_chain(pool, [step("other", "other")])).success
        await pool.approve(chain)
        result = await ended(pool, chain)
        assert (await pool.status()).pending_review_tasks == 0
    assert agent.prompts == ["one", "two", "other", "three <two>"]
    assert result.success
    assert [each.output for each in result.steps] == ["<one>", "<two>", "<three <two>>"]


async def test_approval_goes_on_in_another_pool_opened_later(open_pool: OpenPool) -> None:
    """A restart lies in between; nothing runs twice."""
    agent = spender(cost=100)
    async with open_pool(agent) as pool:
        chain, second = await pool.submit_chain(GATED), await pool.submit_chain(GATED)
        await parked(pool, chain)
        await parked(pool, second)
    later = spender(cost=10)
    async with open_pool(later) as pool:
        assert (await pool.chain_progress(chain)).waits_for == "approval"
        await pool.reject(second, "shorter")
        await parked(pool, second)
        await pool.approve(chain)
        result = await ended(pool, chain)
    assert sorted(agent.prompts) == ["one", "one", "two", "two"]
    assert sorted(prompt.split()[0] for prompt in later.prompts) == ["three", "two"]
    assert "three <two>" in later.prompts
    assert result.total_cost_microdollars == 210
    async with open_pool(later) as pool:
        await pool.approve(second)
        assert (await ended(pool, second)).success


async def test_its_unused_money_is_free_while_a_chain_waits(open_pool: OpenPool) -> None:
    """And is set aside again before it goes on; where it is gone by then, the approval says so and can be repeated."""
    gate = Gate()
    agent = spender(cost=400_000)
    config = PoolConfig(budget_microdollars=2_000_000, task_budget_usd=2)
    one = ChainOptions(budget_usd=1.5)
    async with open_pool(agent, config=config, slots=2) as pool:
        chain = await pool.submit_chain(GATED[1:], options=one)
        await parked(pool, chain)
        status = await pool.status()
        assert (status.total_spend_microdollars, status.reserved_microdollars) == (400_000, 0)

        pays = agent.act

        async def pays_late(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
            if task.prompt != "other":
                return await pays(task, folder, line)
            async with line.spending(1_590_000) as spent:
                outcome = await gate(task, folder, line)
                spent.cost = 400_000
            return outcome

        agent.act = pays_late
        other = await pool.submit_chain(
            [step("other", "other")], options=ChainOptions(budget_usd=1.6)
        )
        await until(lambda: agent.running == 1)  # with the money that the parked chain let go
        with pytest.raises(CapReached, match="the cap per pool and month"):
            await pool.approve(chain)
        with pytest.raises(CapReached, match="the cap per pool and month"):
            await pool.reject(chain, "no")
        assert (await pool.chain_progress(chain)).waits_for == "approval"
        gate.opened.set()
        await ended(pool, other)
        await pool.approve(chain)
        assert (await ended(pool, chain)).success
        assert (await pool.status()).total_spend_microdollars == 1_200_000
    assert agent.prompts == ["two", "other", "three <two>"]


async def test_a_rejected_step_runs_again_with_all_feedback_so_far(open_pool: OpenPool) -> None:
    """And with what was handed in last; earlier steps are not repeated, later ones see the approved result only."""
    attempts = [said("draft"), said("better"), said("best")]
    agent = Puppet(script({"two": attempts}))
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(GATED)
        await parked(pool, chain)
        assert await pool.reject(chain, "too long")
        await parked(pool, chain)
        (task,) = [task for task in await pool.tasks() if task.step == "two"]
        assert await pool.reject(task.id, "no {args.x} tests")
        await parked(pool, chain)
        (task,) = [task for task in await pool.tasks() if task.step == "two"]
        await pool.approve(task.id)
        result = await ended(pool, chain)
    one, first, second, third, last = agent.prompts
    assert (one, first, last) == ("one", "two", "three best")
    assert second.startswith("two\n")
    assert "draft" in second
    assert "1. too long" in second
    assert "better" in third
    assert "draft" not in third
    assert third.index("1. too long") < third.index("2. no {args.x} tests")
    assert (task.rejection_count, task.attempts, task.original_prompt) == (2, 3, "two")
    assert result.steps[1].output == "best"


async def test_the_last_rejection_that_a_step_may_have_ends_its_chain(open_pool: OpenPool) -> None:
    agent = Puppet()
    async with open_pool(agent) as pool:
        limited = [step("one", "one", gate=True, max_rejections=2), step("two", "two")]
        chain = await pool.submit_chain(limited)
        await parked(pool, chain)
        assert await pool.reject(chain, "no")
        await parked(pool, chain)
        assert not await pool.reject(chain, "still no")
        result = await ended(pool, chain)
        with pytest.raises(NotUnderReview, match="it is done"):
            await pool.reject(chain, "and again")
        (task,) = await pool.tasks()
    assert (result.success, result.verdict) == (False, "failed")
    assert result.reason == "rejected 2 of 2 times; the last feedback: still no"
    assert (result.steps[0].output, result.steps[0].success, result.steps[1].skipped) == (
        agent.prompts[1].join("<>"),
        False,
        True,
    )
    assert (task.state, len(agent.seen)) == ("failed", 2)


async def test_a_decision_is_made_once(open_pool: OpenPool) -> None:
    """The second is told so; nothing is decided of what does not wait."""
    gate, agent = Gate(), Puppet()
    agent.act = script({"three": gate})
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(GATED)
        await parked(pool, chain)
        with pytest.raises(
            NotUnderReview, match="does not wait to be continued; it is parked for approval"
        ):
            await pool.go_on(chain)
        await pool.approve(chain)
        with pytest.raises(NotUnderReview):
            await pool.approve(chain)
        await until(lambda: agent.running == 1)
        for decision in (pool.approve(chain), pool.reject(chain, "late")):
            with pytest.raises(NotUnderReview, match="does not wait for approval; it is running"):
                await decision
        with pytest.raises(NotUnderReview, match="does not wait to be continued"):
            await pool.go_on(chain)
        gate.opened.set()
        assert (await ended(pool, chain)).success
        with pytest.raises(UnknownTask):
            await pool.approve(ChainId("chain-nobody"))
    assert agent.prompts == ["one", "two", "three <two>"]


async def test_of_decisions_at_the_same_time_one_holds(open_pool: OpenPool) -> None:
    """Whoever comes second is told that it was decided, or cancels what was."""
    agent = Puppet()

    async def decide(pool: Pool, chain: ChainId, how: int) -> str:
        try:
            match how % 3:
                case 0:
                    await pool.approve(chain)
                case 1:
                    await pool.reject(chain, "no")
                case _:
                    await pool.cancel_chain(chain)
        except NotUnderReview:
            return "refused"
        return "cancelled" if how % 3 == 2 else "held"

    async with open_pool(agent, slots=2) as pool:
        ids = await pool.fan_out_chains([[step("one", "one", gate=True)]] * 12)
        for chain in ids:
            await parked(pool, chain)
        for number, chain in enumerate(ids):
            ways = range(2) if number < 6 else range(3)
            told = await asyncio.gather(
                *(decide(pool, chain, how + number) for how in (*ways, *ways))
            )
            assert told.count("held") <= 1
            if number < 6:
                assert any(each == "held" for each in told) or "cancelled" in told
            await pool.wait_chain(chain, timeout_secs=60)
            counted = sa.select(sa.func.count()).select_from(tasks).where(tasks.c.chain_id == chain)
            assert await pool.database.read(lambda tx, s=counted: tx.execute(s).scalar_one()) == 1  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["each", "branches", "host"])
async def test_a_step_of_several_runs_or_of_the_host_may_wait_too(
    open_pool: OpenPool, kind: str
) -> None:
    asked: list[str] = []

    async def host(_context: HostStepContext) -> Done:
        asked.append("host")
        return Done(f"answer {len(asked)}")

    kinds: dict[str, dict[str, Any]] = {
        "each": {"prompt": "run {item}", "each": "list.parts"},
        "branches": {"branches": [step("left", "run 1"), step("right", "run 2")]},
        "host": {"host": "host"},
    }
    agent = Puppet(script({"list": said(structured={"parts": [1, 2]})}))
    chain_steps = [
        step("list", "list", output_vars={"parts": "parts"}),
        step("some", **kinds[kind], gate=True),
        step("end", "end" if kind == "host" else "end {steps.some.output}"),
    ]
    async with open_pool(agent, host_steps={"host": host}) as pool:
        chain = await pool.submit_chain(chain_steps)
        await parked(pool, chain)
        assert await pool.reject(chain, "not so")
        await parked(pool, chain)
        await pool.approve(chain)
        result = await ended(pool, chain)
    assert result.success
    if kind == "host":
        assert asked == ["host", "host"]
        assert result.steps[1].output == "answer 2"
        return
    own = agent.prompts[1:-1]
    assert sorted(prompt[:5] for prompt in own) == ["run 1", "run 1", "run 2", "run 2"]
    assert sum("not so" in prompt for prompt in own) == 2
    # the approved attempts', which echo their feedback
    assert agent.prompts[-1].count("not so") == 2


async def test_approving_the_last_step_ends_the_chain(open_pool: OpenPool) -> None:
    agent = Puppet()
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one", gate=True)])
        await parked(pool, chain)
        await pool.approve(chain)
        result = await pool.chain_result(chain)  # at once: nothing is left to run
        assert result is not None
        assert (result.success, result.final_output) == (True, "<one>")
        assert (await pool.chain_progress(chain)).status == "completed"
        rows = sa.select(steps.c.state)
        assert await pool.database.read(lambda tx: tx.execute(rows).scalars().all()) == [
            "completed"
        ]


async def test_a_step_that_failed_or_was_skipped_does_not_wait(open_pool: OpenPool) -> None:
    agent = Puppet(script({"bad": failed("no")}))
    async with open_pool(agent) as pool:
        skipped = step("off", "off", gate=True, when={"value": "args.on", "equals": True})
        assert (await run_chain(pool, [skipped, step("one", "one")], args={"on": False})).success
        result = await run_chain(pool, [step("bad", "bad", gate=True)])
        assert result.reason == "step bad: no"


async def test_what_is_decided_outlives_the_process(open_pool: OpenPool) -> None:
    """The pool closes right behind an approval and a rejection: the next one carries both on."""
    agent, later = Puppet(script({"one": echo})), Puppet()
    async with open_pool(agent, slots=2) as pool:
        ids = [await pool.submit_chain(GATED) for _ in range(2)]
        for chain in ids:
            await parked(pool, chain)
        pool._core.dispatcher.drain()  # takes nothing up any more
        await pool.approve(ids[0])
        await pool.reject(ids[1], "shorter")
    async with open_pool(later) as pool:
        assert (await ended(pool, ids[0])).success
        await parked(pool, ids[1])
    assert sorted(prompt.split()[0] for prompt in later.prompts) == ["three", "two"]
    assert any("1. shorter" in prompt for prompt in later.prompts)
