"""The money of a step is for whichever of its runs needs it: one that is short gets what the others leave."""

from __future__ import annotations

import asyncio

from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.rehearsal.model import ScriptedModel, say
from claude_pool_gh.storage import Database
from tests.agent.bench import MODEL, REAL_KEY, Bench, WallClock, one_by_one
from tests.agent.test_bill import ask

SHARE, PART, CAP = 400_000, 100_000, 300_000
"""Microdollars: of the step, set aside for each of its runs at first, and of one run."""
DEAR = "x" * 45_000
"""A prompt whose answer pays for itself out of a run's cap, not out of its first part."""


async def asked(url: str, text: str) -> int:
    return (await ask(url, max_tokens=1024, messages=[{"role": "user", "content": text}]))[0]


async def test_a_run_that_is_short_takes_what_its_step_has_left(bench: Bench) -> None:
    bench.model.script = one_by_one(say("ok"))
    first = await bench.grant(PART)
    models = frozenset({MODEL})
    async with bench.gateway.admit(f"{first}.1", models) as (run, url):
        assert await asked(url, DEAR) == 402, "the control: its part alone does not reach"
        assert run.verdict == "budget"
    second = await bench.grant(PART)
    async with bench.gateway.admit(f"{second}.1", models, CAP, step=SHARE) as (run, url):
        assert await asked(url, DEAR) == 200
        assert run.verdict is None
    held = await bench.database.read(lambda tx: ledger.granted(tx, f"{second}.1"))
    assert PART < held <= CAP


async def test_it_waits_for_those_beside_it_and_never_takes_more_than_the_step_has(
    bench: Bench,
) -> None:
    bench.model.script = one_by_one(say("ok"))
    first, second = await bench.grant(SHARE - PART), await bench.grant(PART)
    async with bench.gateway.admit(f"{second}.1", frozenset({MODEL}), CAP, step=SHARE) as (_, url):
        asking = asyncio.create_task(asked(url, DEAR))
        await asyncio.sleep(1.5)
        assert not asking.done(), (
            "all of the step's money is set aside, and the other run may leave some"
        )
        await bench.settle(first)
        assert await asyncio.wait_for(asking, 60) == 200
    used = await bench.database.read(lambda tx: ledger.used_by_step(tx, bench.chain, "find"))
    assert used <= SHARE


async def test_of_two_that_wait_for_each_other_the_last_is_refused_and_the_first_goes_on(
    bench: Bench,
) -> None:
    bench.model.script = one_by_one(say("ok"))
    first, second = await bench.grant(SHARE // 2 - 50_000), await bench.grant(SHARE // 2 + 50_000)
    models = frozenset({MODEL})
    dear = DEAR * 3
    async with bench.gateway.admit(f"{first}.1", models, CAP + 100_000, step=SHARE) as (_, url):
        waiting = asyncio.create_task(asked(url, dear))
        await asyncio.sleep(1.0)
        async with bench.gateway.admit(f"{second}.1", models, CAP + 100_000, step=SHARE) as (
            run,
            other,
        ):
            assert await asyncio.wait_for(asked(other, dear), 60) == 402
            assert run.verdict == "budget"
        await bench.settle(second)
        assert await asyncio.wait_for(waiting, 60) == 200


async def test_nobody_waits_for_ever(
    bench: Bench, database: Database, model: ScriptedModel
) -> None:
    hasty = Gateway(Meter(database, WallClock()), model.url, REAL_KEY, read_on=0.1, money=1.0)
    await hasty.start()
    try:
        await bench.grant(SHARE - PART)
        second = await bench.grant(PART)
        async with hasty.admit(f"{second}.1", frozenset({MODEL}), CAP, step=SHARE) as (run, url):
            assert await asyncio.wait_for(asked(url, DEAR), 60) == 402
            assert run.verdict == "budget"
    finally:
        await hasty.close()
