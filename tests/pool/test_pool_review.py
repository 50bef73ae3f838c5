"""Work that waits for a person: one decision counts, and what was said about it is not lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import CapReached, NotUnderReview, PoolError, UnknownTask
from claude_pool_gh.pool.model.ids import TaskId
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.states import TaskState
from tests.pool.acts import GUARD, Payer, Ticker, until_here, until_idle
from tests.pool.puppet import Gate, OpenPool, Puppet, failed, said


async def attempts(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
    return said(f"attempt {task.attempt}")


async def test_a_success_waits_for_approval_and_counts_as_completed_only_then(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(attempts)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("write", review=True)
        result = await pool.wait(task_id, timeout_secs=GUARD)
        task, status = await pool.task(task_id), await pool.status()
        assert (result.output, result.success) == ("attempt 1", True)
        assert (task.state, task.review_required, task.rejection_count) == (
            TaskState.pending_review,
            True,
            0,
        )
        assert (status.pending_review_tasks, status.completed_tasks, status.running_tasks) == (
            1,
            0,
            0,
        )
        await until_idle(pool, 1)  # nothing is held while somebody thinks
        assert status.reserved_microdollars == 0
        await pool.approve(task_id)
        task, status = await pool.task(task_id), await pool.status()
        assert (task.state, task.result) == (TaskState.completed, result)
        assert (status.pending_review_tasks, status.completed_tasks) == (0, 1)
    assert len(agent.seen) == 1


async def test_a_rejection_is_told_to_the_next_attempt_with_all_that_was_said_before(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(attempts)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("write it", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        assert await pool.reject(task_id, "too long") is True
        assert (await pool.wait(task_id, timeout_secs=GUARD)).output == "attempt 2"
        assert await pool.reject(task_id, "now {args.too} short") is True
        assert (await pool.wait(task_id, timeout_secs=GUARD)).output == "attempt 3"
        task = await pool.task(task_id)
        assert (task.rejection_count, task.original_prompt, task.attempts) == (2, "write it", 3)
        await pool.approve(task_id)
        assert (await pool.task(task_id)).state is TaskState.completed
    first, second, third = agent.prompts
    assert first == "write it"
    assert second.startswith("write it\n\n")
    assert third.startswith("write it\n\n")
    assert ("attempt 1" in second, "too long" in second) == (True, True)
    assert [
        third.count(text) for text in ("attempt 2", "1. too long", "2. now {args.too} short")
    ] == [
        1,
        1,
        1,
    ]
    assert "attempt 1" not in third, "only what was handed in last is criticised"


async def test_who_is_rejected_once_too_often_has_failed_and_it_says_how_often_and_why(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 10)
        return await attempts(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("write", review=True, max_rejections=2)
        await pool.wait(task_id, timeout_secs=GUARD)
        assert await pool.reject(task_id, "no") is True
        await pool.wait(task_id, timeout_secs=GUARD)
        assert await pool.reject(task_id, "still no") is False
        result, task = await pool.wait(task_id, timeout_secs=GUARD), await pool.task(task_id)
        assert (task.state, task.rejection_count, task.max_rejections) == (TaskState.failed, 2, 2)
        assert (result.success, result.ending) == (False, Ending.failed)
        assert result.reason == "rejected 2 of 2 times; the last feedback: still no"
        assert (result.output, result.cost_microdollars) == ("attempt 2", 20), (
            "rejected attempts are paid for too"
        )
        assert (await pool.status()).failed_tasks == 1
        with pytest.raises(NotUnderReview):
            await pool.approve(task_id)
    assert len(agent.seen) == 2


async def test_nothing_but_what_waits_for_it_can_be_decided(open_pool: OpenPool) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return failed("no") if task.prompt == "fails" else await gate(task, folder, line)

    agent = Puppet(act)
    async with open_pool(agent) as pool:

        async def refused(task_id: TaskId) -> None:
            before = await pool.task(task_id)
            for decide in (pool.approve, lambda each: pool.reject(each, "no")):
                with pytest.raises(NotUnderReview, match="does not wait for approval"):
                    await decide(task_id)
            assert await pool.task(task_id) == before

        fails = await pool.submit("fails", review=True)
        await pool.wait(fails, timeout_secs=GUARD)
        await refused(fails)
        agent.arrived.clear()
        running = await pool.submit("a", review=True)
        await agent.arrived.wait()
        queued = await pool.submit("b")
        await until_here(lambda: agent.running == 1 and pool.load.tasks_waiting == 1)
        await refused(running)
        await refused(queued)
        gate.opened.set()
        for each in (running, queued):
            await pool.wait(each, timeout_secs=GUARD)
        await refused(queued)
        await pool.approve(running)
        await refused(running)
        with pytest.raises(UnknownTask):
            await pool.approve(TaskId("task-none"))


@pytest.mark.parametrize("decisions", ["approve+approve", "approve+reject", "reject+reject"])
async def test_of_two_decisions_at_once_one_counts_and_the_other_is_told_so(
    open_pool: OpenPool, decisions: str
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.attempt > 1:  # the second decision is not to be about the second attempt
            await gate(task, folder, line)
        return await attempts(task, folder, line)

    agent = Puppet(act)
    async with open_pool(agent) as pool:
        for _ in range(3):
            gate.opened.clear()
            task_id = await pool.submit("write", review=True)
            await pool.wait(task_id, timeout_secs=GUARD)
            made = [
                pool.approve(task_id) if each == "approve" else pool.reject(task_id, "again")
                for each in decisions.split("+")
            ]
            answers = await asyncio.gather(*made, return_exceptions=True)
            gate.opened.set()
            lost = [answer for answer in answers if isinstance(answer, PoolError)]
            assert len(lost) == 1
            assert isinstance(lost[0], NotUnderReview)
            won = [
                each
                for each, answer in zip(decisions.split("+"), answers, strict=True)
                if answer is not lost[0]
            ]
            result, task = await pool.wait(task_id, timeout_secs=GUARD), await pool.task(task_id)
            if won == ["approve"]:
                assert (task.state, task.rejection_count, result.output) == (
                    TaskState.completed,
                    0,
                    "attempt 1",
                )
            else:
                assert (task.state, task.rejection_count) == (TaskState.pending_review, 1)
                assert result.output == "attempt 2"


async def test_a_failure_never_waits_for_approval(open_pool: OpenPool) -> None:
    async def act(_task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return failed("no")

    async with open_pool(Puppet(act)) as pool:
        result = await pool.run("write", review=True)
        (task,) = await pool.tasks()
    assert (result.success, task.state) == (False, TaskState.failed)


async def test_what_waits_for_approval_can_be_cancelled(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(attempts)) as pool:
        task_id = await pool.submit("write", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        assert await pool.cancel(task_id) is True
        result, task = await pool.wait(task_id, timeout_secs=GUARD), await pool.task(task_id)
        assert (result.ending, result.success, result.output) == (
            Ending.cancelled,
            False,
            "attempt 1",
        )
        assert task.state is TaskState.cancelled
        with pytest.raises(NotUnderReview):
            await pool.approve(task_id)


async def test_a_review_outlives_the_pool(open_pool: OpenPool) -> None:
    agent = Puppet(attempts)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("write", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
    async with open_pool(agent) as pool:
        assert (await pool.task(task_id)).state is TaskState.pending_review
        await pool.reject(task_id, "again")
        assert (await pool.wait(task_id, timeout_secs=GUARD)).output == "attempt 2"
    async with open_pool(agent) as pool:
        await pool.approve(task_id)
        assert (await pool.task(task_id)).state is TaskState.completed
    assert "1. again" in agent.prompts[1]


async def test_a_rejected_task_waits_for_a_slot_as_long_as_a_new_one(open_pool: OpenPool) -> None:
    gate, clock = Gate(), Ticker()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return await (gate if task.prompt == "other" else attempts)(task, folder, line)

    agent = Puppet(act)
    async with open_pool(
        agent, config=PoolConfig(slot_assignment_timeout_secs=600), clock=clock
    ) as pool:
        task_id = await pool.submit("write", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        clock.now += 3_600_000  # somebody thought for an hour
        other = await pool.submit("other")
        await until_here(lambda: agent.running == 1)
        await pool.reject(task_id, "again")
        await until_here(lambda: pool.load.tasks_waiting == 1)
        gate.opened.set()
        assert (await pool.wait(task_id, timeout_secs=GUARD)).output == "attempt 2"
        assert (await pool.wait(other, timeout_secs=GUARD)).success


async def test_a_rejection_that_cannot_be_paid_for_is_refused_and_changes_nothing(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 600_000 if task.prompt == "write" else 590_000)
        return await attempts(task, folder, line)

    agent = Payer(act)
    config = PoolConfig(budget_microdollars=1_200_000, task_budget_usd=1.0)
    async with open_pool(agent, config=config) as pool:
        task_id = await pool.submit("write", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        await pool.run("other", config=TaskOverrides(max_budget_usd=0.6))
        with pytest.raises(
            CapReached,
            match=r"\$0.01 left, asked for \$0.02; .* set PoolConfig.budget_microdollars",
        ):
            await pool.reject(task_id, "again")
        task = await pool.task(task_id)
        assert (task.state, task.rejection_count) == (TaskState.pending_review, 0)
        await pool.approve(task_id)
        assert (await pool.status()).total_spend_microdollars == 1_190_000
    assert len(agent.seen) == 2


async def test_money_that_is_spent_and_under_review_is_not_waited_for(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 600_000)
        return await attempts(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent, config=PoolConfig(budget_microdollars=610_000)) as pool:
        task_id = await pool.submit("write", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        with pytest.raises(CapReached):
            await asyncio.wait_for(pool.run("another"), GUARD / 2)
