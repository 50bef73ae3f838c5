"""A pool with the real CLI, while it runs and when it is told to stop."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from claude_pool_gh import ChainStep, Ending, Pool, PoolConfig, SlotState, TaskOverrides, TaskResult
from claude_pool_gh.agent.process import bundled_cli
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.rehearsal.model import Answer, Text, say, use
from tests.agent.bench import alive, killed_at_last
from tests.local.house import KEY, STALL, House, in_turn, ledger_of, until

logger = logging.getLogger(__name__)

SLOW: Final = Answer(tuple(Text(f"part {n} ") for n in range(1000)), pause=0.1)
ENDLESS: Final = [STALL, SLOW]


@pytest.fixture(autouse=True)
def nothing_is_left(short_folder: Path) -> Iterator[None]:
    with killed_at_last(str(short_folder)):
        yield
        left = alive(str(short_folder))
    assert left == []


async def partial(pool: Pool, chain_id: TaskId | ChainId) -> str:
    return (await pool.chain_progress(chain_id)).current_step_partial_output or ""


async def speaks(pool: Pool, chain_id: TaskId | ChainId) -> bool:
    return bool(await partial(pool, chain_id))


async def cancelled(pool: Pool, task_id: TaskId) -> tuple[TaskResult, float]:
    """Cancel a task; gives how it ended and how long that took, by the clock of its row."""
    began = time.time()
    assert await pool.cancel(task_id)
    result = await pool.wait(task_id)
    task = await pool.task(task_id)
    assert task.completed_at_ms is not None
    return result, task.completed_at_ms / 1000 - began


async def the_slot_still_works(runtime: House, pool: Pool) -> None:
    (slot,) = await pool.slots()
    assert (slot.state, slot.current_task, slot.restart_count) == (SlotState.idle, None, 0)
    again = await runtime.run_in(pool, in_turn(say("still here")))
    assert again.result.output == "still here"
    assert (await pool.slots())[0].id == slot.id


async def test_what_an_agent_says_is_seen_while_it_speaks(runtime: House) -> None:
    runtime.model.script = in_turn(SLOW)
    async with runtime.open() as pool:
        chain = await pool.submit_chain([ChainStep(name="talk", prompt="Go")])
        await until(lambda: speaks(pool, chain))
        first = await partial(pool, chain)
        assert first.startswith("part 0 ")

        async def says_more() -> bool:
            return len(await partial(pool, chain)) > len(first)

        await until(says_more)
        assert (await partial(pool, chain)).startswith(first)
        await pool.cancel_chain(chain)
        result = await pool.wait_chain(chain)
    assert result is not None
    assert result.verdict == "cancelled"


async def test_a_secret_that_comes_in_pieces_is_not_seen(runtime: House) -> None:
    runtime.model.script = in_turn(
        Answer((Text("the red-"), Text("canary sings"), Text("never")), stall_after=2)
    )
    async with runtime.open(
        runtime.agent(redact=lambda text: text.replace("red-canary", "***"))
    ) as pool:
        task = await pool.submit("Go")

        async def sings() -> bool:
            return "sings" in await partial(pool, task)

        await until(sings)
        assert await partial(pool, task) == "the *** sings"
        await pool.cancel(task)
        assert "canary" not in (await pool.wait(task)).output


@pytest.mark.parametrize("answer", ENDLESS, ids=["silent", "slow"])
async def test_a_cancel_ends_an_agent_in_mid_answer(runtime: House, answer: Answer) -> None:
    runtime.model.script = in_turn(answer)
    async with runtime.open() as pool:
        task = await pool.submit("Go")
        await until(lambda: speaks(pool, task))
        said = await partial(pool, task)
        result, seconds = await cancelled(pool, task)
        logger.info("a cooperative agent ended %.2f seconds after its cancel", seconds)
        assert seconds < 5
        assert (result.ending, result.success) == (Ending.cancelled, False)
        assert result.output.startswith(said.strip())
        assert result.session_id is not None, "it ended by itself, and was not given up"
        assert result.cost_microdollars > 0
        assert result.cost_microdollars == sum(row.settled for row in await ledger_of(pool, task))
        assert alive(f"{runtime.place}/tmp/cpg-") == []
        await the_slot_still_works(runtime, pool)


async def test_what_the_cli_says_of_a_cancel_is_not_the_agents_word(runtime: House) -> None:
    runtime.model.script = in_turn(say("late", delay=600))
    async with runtime.open() as pool:
        task = await pool.submit("Go")
        await until(lambda: bool(runtime.model.requests))
        result, _ = await cancelled(pool, task)
    assert (result.ending, result.output) == (Ending.cancelled, "")


async def test_a_pool_that_closes_ends_its_agents_and_goes_on_later(runtime: House) -> None:
    runtime.model.script, state = in_turn(STALL), runtime.place / "state"
    async with runtime.open(state=state) as pool:
        task = await pool.submit("Go")
        await until(lambda: speaks(pool, task))
        assert alive(f"{runtime.place}/tmp/cpg-") != []
    assert alive(f"{runtime.place}/tmp/cpg-") == []
    runtime.model.script = in_turn(say("done at last"))
    async with runtime.open(state=state) as pool:
        result = await pool.wait(task)
        assert (await pool.task(task)).attempts == 2
    assert (result.output, result.upper_bound) == ("done at last", True)


async def test_a_cancel_ends_what_bash_has_started(runtime: House) -> None:
    mark = runtime.place / "never-ends"
    mark.touch()
    command = f"setsid tail -f {mark} & tail -f {mark}"
    runtime.model.script = in_turn(use("Bash", {"command": command}), say("done"))
    settings = TaskOverrides(tools=("Bash",), allowed_tools=("Bash",))
    async with runtime.open(runtime.agent(trusted=True)) as pool:
        task = await pool.submit("Go", config=settings)
        await until(lambda: len([p for p in alive(str(mark)) if p.name() == "tail"]) == 2)
        result, seconds = await cancelled(pool, task)
        logger.info("with Bash at work it ended %.2f seconds after its cancel", seconds)
        assert result.ending is Ending.cancelled
        assert result.session_id is not None, "it ended by itself, and was not given up"
        assert alive(str(mark)) == []
        await the_slot_still_works(runtime, pool)


HOSTILE = """
import os, signal, sys, time
flag, real = {flag!r}, {real!r}
if not os.path.exists(flag):
    os.execv(real, [real, *sys.argv[1:]])
if {speaks} and os.fork() == 0:
    os.execv(real, [real, *sys.argv[1:]])
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("speaks_", [True, False], ids=["speaking", "silent"])
async def test_a_cancel_ends_a_hostile_cli(runtime: House, *, speaks_: bool) -> None:
    """It heeds no signal, and starts a child in a session of its own; once without ever saying a word."""
    flag, cli = runtime.place / "be-hostile", runtime.place / "hostile-cli"
    flag.touch()
    script = HOSTILE.format(flag=str(flag), real=str(bundled_cli()), speaks=speaks_)
    cli.write_text(f"#!{sys.executable} -IS\n{script}")
    cli.chmod(0o755)
    runtime.model.script = in_turn(STALL)
    async with runtime.open(runtime.agent(cli=cli)) as pool:
        task = await pool.submit("Go")
        await until(lambda: len(alive(str(cli))) >= 2)  # itself and its child, both deaf by now
        if speaks_:
            await until(lambda: speaks(pool, task))
        assert len(alive(str(cli))) >= 2
        result, seconds = await cancelled(pool, task)
        logger.info("a hostile CLI was gone %.2f seconds after its cancel", seconds)
        assert alive(str(runtime.place)) == []
        assert seconds < 10
        assert (result.ending, result.output) == (Ending.cancelled, "half of it" if speaks_ else "")
        assert (result.cost_microdollars > 0) is speaks_
        flag.unlink()
        await the_slot_still_works(runtime, pool)


async def test_the_key_and_the_environment_stay_with_the_pool(
    runtime: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_PROCESS", "swordfish-4712")
    run = await runtime.run(
        in_turn(use("Bash", {"command": "env"}), say("done")),
        agent=runtime.agent(trusted=True),
        pool=PoolConfig(unattended_mode=True),
        tools=("Bash",),
    )
    assert "ANTHROPIC_API_KEY=held-by-the-gateway" in run.told
    assert KEY not in run.told
    assert "swordfish" not in run.told
    assert f"HOME={runtime.place}/tmp/cpg-" in run.told
    assert {request.headers["x-api-key"] for request in run.requests} == {KEY}
