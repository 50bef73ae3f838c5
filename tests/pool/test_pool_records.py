"""What is stored can be read: what was sent, what came of it so far, what was looked at, which model answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.errors import UnknownChain, UnknownTask
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.records import TaskFilter, TaskRecord
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.store.metrics import MetricsFilter
from tests.pool.kit import GUARD, QUICK, ended, parked, run_chain, script, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, failed, said


async def attempts(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
    return said(f"attempt {task.attempt}")


async def test_a_task_s_prompt_is_what_its_agent_was_sent(open_pool: OpenPool) -> None:
    agent = Puppet(script({"list": said("the list", structured={"parts": ["x", "y"]})}))
    chain = [
        step("list", "list {args.what}", output_vars={"parts": "parts"}),
        step("do", "do {item} of {args.what}", each="list.parts"),
        step(
            "both", branches=[step("a", "a {steps.list.output}"), step("b", "b {previous_output}")]
        ),
    ]
    async with open_pool(agent) as pool:
        await run_chain(pool, chain, args={"what": "{args.what}"})
        records = await pool.tasks()
    assert [record.prompt for record in records] == agent.prompts
    assert agent.prompts[:3] == ["list {args.what}", "do x of {args.what}", "do y of {args.what}"]
    assert {record.original_prompt for record in records} == {None}


async def test_after_rejections_and_an_approval_the_prompt_is_still_what_was_sent(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(attempts)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("write", review=True)
        for feedback in ("longer", "shorter"):
            await pool.wait(task_id, timeout_secs=GUARD)
            await pool.reject(task_id, feedback)
        await pool.wait(task_id, timeout_secs=GUARD)
        waiting = await pool.task(task_id)
        await pool.approve(task_id)
        approved = await pool.task(task_id)
    assert [waiting.prompt, approved.prompt] == [agent.prompts[-1]] * 2
    assert (approved.original_prompt, approved.state) == ("write", TaskState.completed)
    assert "attempt 2" in approved.prompt
    assert "attempt 3" not in approved.prompt, "what was approved was never rejected"


async def test_of_a_chain_s_step_too(open_pool: OpenPool) -> None:
    agent = Puppet(attempts)
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain(
            [step("one", "write {args.what}", gate=True)], args={"what": "it"}
        )
        await parked(pool, chain)
        await pool.reject(chain, "longer")
        await parked(pool, chain)
        await pool.approve(chain)
        await ended(pool, chain)
        (record,) = await pool.tasks()
    assert (record.prompt, record.original_prompt) == (agent.prompts[-1], "write it")


async def test_what_a_rejected_task_will_be_sent_shows_before_it_runs_again(
    open_pool: OpenPool,
) -> None:
    gate, agent = Gate(), Puppet(attempts)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("write", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        agent.act = gate
        await pool.submit("blocker", priority=-1)
        await until(lambda: agent.running == 1)
        await pool.reject(task_id, "longer")
        before = await pool.task(task_id)
        assert (before.state, before.original_prompt) == (TaskState.pending, "write")
        gate.opened.set()
        await pool.wait(task_id, timeout_secs=GUARD)
    assert before.prompt == agent.prompts[-1]


async def test_the_prompt_of_a_second_attempt_tells_of_the_first(open_pool: OpenPool) -> None:
    agent = Puppet(script({"one": [failed("no luck", retryable=True), said()]}))
    async with open_pool(agent, config=QUICK) as pool:
        await run_chain(pool, [step("one", "go")])
        (record,) = await pool.tasks()
    assert record.prompt == agent.prompts[1] != agent.prompts[0] == "go"
    assert "no luck" in record.prompt


async def test_what_happened_in_a_task_can_be_read(open_pool: OpenPool) -> None:
    looked, entries = {"files": ["a.py"], "searches": []}, ({"what": "said", "text": "look"},)
    agent = Puppet(script({"task": said(looked_at=looked, transcript=entries)}))
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        assert (await pool.wait(task_id, timeout_secs=GUARD)).looked_at == looked
        assert await pool.transcript(task_id) == list(entries)
        with pytest.raises(UnknownTask):
            await pool.transcript(TaskId("task-nobody"))
        await pool.drain()
        assert await pool.transcript(task_id) == list(entries)


async def test_the_model_of_a_result_is_the_one_that_answered(open_pool: OpenPool) -> None:
    agent = Puppet(script({"task": said(model="fallback")}))
    async with open_pool(agent) as pool:
        own = await pool.run("a")
        asked = await pool.run("a", config=TaskOverrides(model="m"))
        agent.act = script({"task": said()})
        silent = await pool.run("a", config=TaskOverrides(model="m"))
        nobody = await pool.run("a")
        assert (await pool.metrics(MetricsFilter(model="fallback"))).total_tasks == 2
    assert [each.model for each in (own, asked, silent, nobody)] == [
        "fallback",
        "fallback",
        "m",
        None,
    ]


async def test_the_tasks_of_one_chain_can_be_listed(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=2) as pool:
        first, second = [
            await pool.submit_chain([step("one", "1"), step("two", "2")], args={}) for _ in range(2)
        ]
        lone = await pool.submit("3")
        for chain in (first, second):
            await ended(pool, chain)
        await pool.wait(lone, timeout_secs=GUARD)

        async def of(**wanted: object) -> list[TaskRecord]:
            return await pool.tasks(TaskFilter.model_validate(wanted))

        assert [(task.chain_id, task.step) for task in await of(chain_id=second)] == [
            (second, "one"),
            (second, "two"),
        ]
        assert [task.id for task in await of(chain_id=lone)] == [lone]
        assert await of(chain_id=first, state="failed") == []
        assert await of(chain_id="chain-nobody") == []
        assert len(await of()) == 5


async def test_what_finished_steps_of_a_running_chain_came_to_can_be_read(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    parts = {
        "one": said("the list", structured={"parts": ["x", "y"]}),
        "do": said("did it"),
        "bad": failed("no"),
    }
    agent = Puppet(script(parts | {"slow": gate}))
    chain = [
        step("one", "1", output_vars={"parts": "parts"}),
        step("skipped", "-", when={"value": "steps.one.parts", "empty": True}),
        step("do", "{item}", each="one.parts"),
        step("bad", "2", on_failure="continue"),
        step("slow", "3", gate=True),
        step("never", "4"),
    ]
    async with open_pool(agent) as pool:
        chain_id = await pool.submit_chain(chain)
        await until(lambda: bool(agent.prompts) and agent.prompts[-1] == "3")
        assert await pool.chain_result(chain_id) is None
        one, skipped, do, bad = await pool.chain_steps(chain_id)
        assert (one.name, one.success, one.structured) == ("one", True, {"parts": ["x", "y"]})
        assert (skipped.skipped, skipped.output) == (True, "")
        assert ([each.output for each in do.tasks], do.output) == (
            ["did it"] * 2,
            "did it\n\ndid it",
        )
        assert (bad.success, bad.ending, bad.error) == (False, Ending.failed, "no")
        gate.opened.set()
        await parked(pool, chain_id)
        *_, slow = await pool.chain_steps(chain_id)
        assert (slow.name, slow.output, slow.success) == ("slow", "<3>", True), (
            "what waits for approval"
        )
        await pool.approve(chain_id)
        result = await ended(pool, chain_id)
        assert await pool.chain_steps(chain_id) == result.steps
        with pytest.raises(UnknownChain):
            await pool.chain_steps(ChainId("chain-nobody"))
