"""What can be seen of a chain while it runs, and that nothing of that stays behind in memory."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from claude_pool_gh.pool.model.errors import UnknownChain
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.ports import AgentTask
from tests.pool.kit import Spender, ended, parked, run_chain, script, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, failed, said


@dataclass
class FixedClock:
    """Says what the test says."""

    ms: int = 1_786_000_000_000

    def now_ms(self) -> int:
        return self.ms


async def test_a_running_chain_shows_its_step_since_when_and_what_is_said(
    open_pool: OpenPool,
) -> None:
    gates = {name: Gate() for name in ("one", "two")}
    agent, clock = Puppet(script(dict(gates))), FixedClock()
    async with open_pool(agent, clock=clock) as pool:
        chain = [step(name, name) for name in ("one", "two", "three")]
        first = await pool.submit_chain(chain)
        await until(lambda: agent.running == 1)
        second = await pool.submit_chain(chain)

        async def speaks(name: str) -> bool:
            return (await pool.chain_progress(first)).current_step_name == name and agent.prompts[
                -1
            ] == name

        for number, name in enumerate(gates):
            started = clock.ms // 1000
            await until(lambda name=name: speaks(name))  # type: ignore[misc]
            clock.ms += 60_000  # the clock goes on while the step runs
            progress = await pool.chain_progress(first)
            assert progress.status == "running"
            assert (progress.total_steps, progress.completed_steps) == (3, number)
            assert (progress.current_step, progress.current_step_name) == (number, name)
            assert progress.current_step_started_at == started
            assert progress.current_step_partial_output == f"working on {name}"
            assert progress.waits_for is None
            assert await pool.chain_result(first) is None
            if name == "one":
                assert (await pool.chain_progress(second)).current_step_partial_output is None
            gates[name].opened.set()
        await ended(pool, first)
        await ended(pool, second)
        progress = await pool.chain_progress(first)
        assert (progress.status, progress.completed_steps, progress.current_step) == (
            "completed",
            3,
            None,
        )
        assert progress.current_step_partial_output is None
        assert progress.current_step_started_at is None
        assert progress.current_step_name is None


async def test_branches_show_what_each_of_them_says_and_a_finished_one_no_more(
    open_pool: OpenPool,
) -> None:
    left, right = Gate(), Gate()

    async def by_prompt(task: AgentTask, folder: object, line: object) -> object:
        return await (left if task.prompt == "left" else right)(task, folder, line)  # type: ignore[arg-type]

    agent = Puppet(by_prompt)  # type: ignore[arg-type]
    async with open_pool(agent, slots=2) as pool:
        chain = await pool.submit_chain(
            [step("both", branches=[step("left", "left"), step("right", "right")])]
        )

        async def said_now() -> str:
            return (await pool.chain_progress(chain)).current_step_partial_output or ""

        async def both() -> bool:
            return set((await said_now()).splitlines()) == {"working on left", "working on right"}

        async def only_right() -> bool:
            return await said_now() == "working on right"

        await until(both)
        left.opened.set()
        await until(only_right)
        right.opened.set()
        await ended(pool, chain)
        assert await said_now() == ""


async def test_a_chain_shows_where_it_is_from_the_queue_to_each_of_its_ends(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(script({"wait": gate, "bad": failed("no"), "park": said("x")}))
    async with open_pool(agent) as pool:
        blocker = await pool.submit_chain([step("wait", "w")])
        await until(lambda: agent.running == 1)
        ids = await pool.fan_out_chains([[step("one", "1"), step("two", "2")]] * 6)
        queued = [await pool.chain_progress(chain) for chain in ids]
        waiting = queued[-1]
        assert waiting.status == "queued"
        assert (waiting.completed_steps, waiting.current_step, waiting.current_step_started_at) == (
            0,
            0,
            None,
        )
        assert (await pool.chain_progress(blocker)).status == "running"
        await pool.cancel_chain(ids[-1])
        gate.opened.set()
        for chain in ids:
            await ended(pool, chain)
        failing = await pool.submit_chain([step("ok", "1"), step("bad", "2"), step("three", "3")])
        await ended(pool, failing)
        parking = await pool.submit_chain([step("park", "1", gate=True)])
        await parked(pool, parking)
        every = {each.chain_id: each.status for each in await pool.chains()}
        assert list(every) == [blocker, *ids, failing, parking]
        assert list(every.values()) == ["completed"] * 6 + ["cancelled", "failed", "parked"]
        assert [each.chain_id for each in await pool.chains(unfinished=True)] == [parking]
        assert (await pool.chain_progress(failing)).completed_steps == 1
        await pool.run("a lone task is no chain in this list")
        assert len(await pool.chains()) == len(every)


async def test_a_chain_that_nobody_knows_is_an_error(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        for asked in (pool.chain_progress, pool.chain_result, pool.wait_chain, pool.cancel_chain):
            with pytest.raises(UnknownChain, match="chain-nobody"):
                await asked(ChainId("chain-nobody"))


async def test_a_chain_s_money_shows_while_it_runs_and_counts_once(open_pool: OpenPool) -> None:
    gate, agent = Gate(), Spender()

    async def pays(task: AgentTask, folder: object, line: object) -> object:
        await agent.ask(task, 1_000, 700)
        return await gate(task, folder, line)  # type: ignore[arg-type]

    agent.act = pays  # type: ignore[assignment]
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one"), step("two", "two")])

        async def paid() -> bool:
            return (await pool.chain_progress(chain)).cost_microdollars == 700

        await until(paid)
        gate.opened.set()
        result = await ended(pool, chain)
        assert (
            result.total_cost_microdollars
            == sum(each.cost_microdollars for each in result.steps)
            == 1_400
        )
        assert (await pool.chain_progress(chain)).cost_microdollars == 1_400
        status = await pool.status()
        assert (status.total_spend_microdollars, status.reserved_microdollars) == (1_400, 0)
        assert (status.completed_tasks, status.running_tasks, status.pending_tasks) == (2, 0, 0)
        assert (await pool.metrics()).total_spend_microdollars == 1_400


async def test_nothing_of_ended_chains_stays_in_memory(open_pool: OpenPool) -> None:
    agent = Puppet(script({"bad": failed("no")}))
    async with open_pool(agent, slots=3) as pool:
        every = [
            [step("one", "1"), step("bad" if number % 2 else "good", "2")] for number in range(20)
        ]
        for chain in await pool.fan_out_chains(every):
            await ended(pool, chain)
        parking = await pool.submit_chain([step("one", "1", gate=True)])
        await parked(pool, parking)
        await pool.cancel_chain(parking)
        await run_chain(pool, [step("one", "1")])
        await until(lambda: not pool.live.held and not pool._core.dispatcher._carried)
        assert not pool._core.waiting.events
        assert pool.load.busy == pool.load.tasks_waiting == 0


async def test_who_gives_up_waiting_for_a_chain_does_not_end_it(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one")])
        with pytest.raises(TimeoutError):
            await pool.wait_chain(chain, timeout_secs=0.01)
        assert not pool._core.waiting.events
        await until(lambda: agent.running == 1)
        gate.opened.set()
        assert (await ended(pool, chain)).success
