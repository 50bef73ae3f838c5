"""The stream of events: what happened, once it is committed, in order, to everybody who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.errors import PoolShutdown, UnknownChain
from claude_pool_gh.pool.model.events import (
    ChainFinished,
    ChainParked,
    ChainQueued,
    ChainStarted,
    Event,
    Missed,
    PartialOutput,
    StepFinished,
    StepStarted,
    TaskFinished,
    TaskStarted,
)
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.pool.run.feed import Subscription
from claude_pool_gh.storage import Transaction
from tests.pool.acts import Witness
from tests.pool.kit import GUARD, QUICK, Part, ended, run_chain, script, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, failed, said


async def all_of(events: Subscription) -> list[Event]:
    async with asyncio.timeout(GUARD):
        return [event async for event in events]


def shown(events: Sequence[Event]) -> list[str]:
    """Each event as a few words."""
    return [_words(event) for event in events if not isinstance(event, PartialOutput)]


def _words(event: Event) -> str:
    match event:
        case ChainQueued() | ChainStarted():
            return type(event).__name__
        case ChainParked():
            return f"parked for {event.waits_for}"
        case ChainFinished():
            return f"finished: {event.verdict}"
        case StepStarted():
            return f"{event.step} started"
        case StepFinished():
            return f"{event.step} {event.state.value}{'' if event.success else ', no success'}"
        case TaskStarted():
            return f"{event.step}: run {event.attempt} on {event.slot_id}"
        case TaskFinished():
            return f"{event.step}: {event.ending.value} {event.reason}{'again' if event.again else ''}".rstrip()
        case PartialOutput():
            return f"{event.step}: {event.text}"
        case Missed():
            return f"missed {event.count}"


async def test_a_chain_tells_its_whole_story_in_order(open_pool: OpenPool) -> None:
    parts: dict[str, Part] = {
        "one": [failed("no luck ", retryable=True), said()],
        "bad": failed("no"),
    }
    async with open_pool(Puppet(script(parts)), config=QUICK) as pool:
        events = pool.events()
        chain = await pool.submit_chain(
            [
                step("one", "1"),
                step("none", "-", when={"value": "steps.one.output", "equals": "x"}),
                step("bad", "2", on_failure="continue"),
                step("last", "3", gate=True),
            ]
        )
        await pool.wait_chain(chain, timeout_secs=GUARD)
        await pool.reject(chain, "again")
        await pool.wait_chain(chain, timeout_secs=GUARD)
        await pool.approve(chain)
        await ended(pool, chain)
    found = await all_of(events)
    assert shown(found) == [
        "ChainQueued",
        "ChainStarted",
        "one started",
        "one: run 1 on slot-0",
        "one: failed no luck again",
        "one: run 2 on slot-0",
        "one: completed",
        "one completed",
        "none skipped, no success",
        "bad started",
        "bad: run 1 on slot-0",
        "bad: failed no",
        "bad completed, no success",
        "last started",
        "last: run 1 on slot-0",
        "last: completed",
        "parked for approval",
        "ChainQueued",
        "ChainStarted",
        "last started",
        "last: run 2 on slot-0",
        "last: completed",
        "parked for approval",
        "last completed",
        "finished: answered",
    ]
    assert {event.chain_id for event in found if not isinstance(event, Missed)} == {chain}


async def test_every_subscriber_hears_all_and_those_of_one_chain_only_that_until_its_end(
    open_pool: OpenPool,
) -> None:
    async with open_pool(Puppet(), slots=2) as pool:
        one, two = pool.events(), pool.events()
        first, second = [
            await pool.submit_chain([step("a", "a"), step("b", "b")]) for _ in range(2)
        ]
        of_second = pool.events(second)
        lone = await pool.submit("c")
        of_lone = pool.events(lone)
        story = await all_of(of_second)
        assert {event.chain_id for event in story if not isinstance(event, Missed)} == {second}
        assert isinstance(story[-1], ChainFinished)
        assert isinstance((await all_of(of_lone))[-1], ChainFinished)
        await ended(pool, first)
    heard = [await all_of(each) for each in (one, two)]
    assert heard[0] == heard[1]
    assert {event.chain_id for event in heard[0] if not isinstance(event, Missed)} == {
        first,
        second,
        lone,
    }


async def test_what_agents_say_comes_while_they_say_it(open_pool: OpenPool) -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def speaks(_task: AgentTask, _folder: object, line: AgentChannel) -> AgentOutcome:
        for number, gate in enumerate(gates):
            await gate.wait()
            await asyncio.to_thread(line.say, f"{number} ") if number == 1 else line.say(
                f"{number} "
            )
            line.partial = line.partial.replace("secret", "[key]")
        return said("done")

    async with open_pool(Puppet(speaks)) as pool:
        task_id = await pool.submit("a")
        texts: list[str] = []
        gates[0].set()
        async with asyncio.timeout(GUARD):
            async for event in pool.events(task_id):
                if isinstance(event, PartialOutput):
                    assert (event.task_id, event.step) == (task_id, "task")
                    texts.append(event.text)
                    gates[min(2, len(texts))].set()
    assert texts == ["0 ", "0 1 ", "0 1 2 "]


async def test_what_is_redacted_at_once_is_never_told(open_pool: OpenPool) -> None:
    """Pieces of an answer are looked through after they came; what is told is read when it is told."""

    async def speaks(_task: AgentTask, _folder: object, line: AgentChannel) -> AgentOutcome:
        for piece in ("the sec", "ret is out"):
            line.say(piece)
        line.partial = line.partial.replace("secret", "[key]")
        return said("done")

    async with open_pool(Puppet(speaks)) as pool:
        events = pool.events()
        await asyncio.wait_for(pool.run("a"), GUARD)
    (told,) = [event.text for event in await all_of(events) if isinstance(event, PartialOutput)]
    assert told == "the [key] is out"


async def test_who_is_too_slow_is_told_how_much_it_missed(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=4) as pool:
        slow, quick = pool.events(limit=5), pool.events()
        await asyncio.wait_for(pool.fan_out([f"{n}" for n in range(20)]), GUARD)
        assert len(slow._queue) == 5
    missed, *rest = await all_of(slow)
    every = await all_of(quick)
    assert missed == Missed(count=len(every) - 5)
    assert rest == every[-5:], "the newest"


async def test_a_transaction_that_is_rolled_back_tells_nothing(open_pool: OpenPool) -> None:
    def refuse(tx: Transaction, chain_id: str) -> None:  # noqa: ARG001
        raise ZeroDivisionError

    witness = Witness()
    async with open_pool(Puppet(), observer=witness) as pool:
        events, witness.act = pool.events(), refuse
        with pytest.raises(ZeroDivisionError):
            await pool.submit("a")
        witness.act = lambda _tx, _chain: None
        task_id = await pool.submit("b")
        await pool.wait(task_id, timeout_secs=GUARD)
    assert {event.chain_id for event in await all_of(events) if not isinstance(event, Missed)} == {
        ChainId(task_id)
    }


async def test_a_cancel_ends_with_the_end_of_the_chain(open_pool: OpenPool) -> None:
    agent = Puppet(Gate())
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "1"), step("two", "2")])
        events = pool.events(chain)
        await until(lambda: agent.running == 1)
        await pool.cancel_chain(chain)
        story = shown(await all_of(events))
    assert story[-4:] == [
        "one: cancelled",
        "one cancelled, no success",
        "two cancelled, no success",
        "finished: cancelled",
    ]


async def test_who_comes_late_learns_of_the_end_and_of_no_chain_that_is_not_there(
    open_pool: OpenPool,
) -> None:
    async with open_pool(Puppet()) as pool:
        chain = await pool.submit_chain([step("one", "1")])
        await ended(pool, chain)
        assert await all_of(pool.events(chain)) == [
            ChainFinished(chain_id=chain, verdict="answered", reason="")
        ]
        with pytest.raises(UnknownChain):
            await all_of(pool.events(ChainId("chain-nobody")))
    with pytest.raises(PoolShutdown, match="closed"):
        pool.events()


async def test_a_task_for_which_no_slot_came_in_time_is_told_too(open_pool: OpenPool) -> None:
    agent, config = Puppet(Gate()), PoolConfig(slot_assignment_timeout_secs=0.2)
    async with open_pool(agent, config=config) as pool:
        await pool.submit("a", priority=-1)
        await until(lambda: agent.running == 1)
        ids = [await pool.submit(f"{number}") for number in range(10)]
        for each in ids:
            *_, last = await all_of(pool.events(each))
            assert isinstance(last, ChainFinished)
            assert (last.verdict, "no slot came free" in last.reason) == ("failed", True)


async def test_nobody_who_has_gone_is_told_anything(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        events = pool.events()
        assert len(pool._core.feed.subscriptions) == 1
        del events
        assert len(pool._core.feed.subscriptions) == 0
        await run_chain(pool, [step("one", "1")])


def test_an_event_cannot_be_changed() -> None:
    event = StepFinished(chain_id=ChainId("c"), step="one", state=StepState.completed, success=True)
    with pytest.raises(AttributeError):
        event.success = False  # type: ignore[misc]
    assert Ending.completed == "completed"
