"""An API that is overloaded or not there for a while ends no run, and costs nothing.

What only an operator can fix ends it at once, and is marked as that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from claude_pool_gh.agent.claude import _PINGS, _Session
from claude_pool_gh.agent.connection import Connection
from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.agent.passes import SignsOfLife
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.rehearsal.model import Fail, ModelRequest, Raw, Reply, say, use
from tests.agent.bench import MODEL, REAL_KEY, Bench, done, one_by_one
from tests.agent.test_bill import ask
from tests.patience import PATIENCE
from tests.proxies import refusing

OVERLOADED = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n'


@asynccontextmanager
async def patient(
    bench: Bench, seconds: float, url: str = "", proxy: str = ""
) -> AsyncIterator[Gateway]:
    gateway = Gateway(
        bench.gateway._meter,
        url or bench.model.url,
        REAL_KEY,
        read_on=0.1,
        patience=seconds,
        connection=Connection(proxy=proxy),
    )
    await gateway.start()
    bench.gateway = gateway
    try:
        yield gateway
    finally:
        await gateway.close()


@pytest.mark.parametrize(
    "failure",
    [
        Fail(529, "overloaded_error"),
        Fail(503),
        Fail(500),
        Fail(429, headers={"retry-after": "1"}),
        Raw(OVERLOADED, content_type="text/event-stream"),
    ],
    ids=["529", "503", "500", "429", "in a stream"],
)
async def test_an_outage_is_waited_out_without_the_agents_knowing(
    bench: Bench, failure: Reply
) -> None:
    async with patient(bench, 30):
        task = await bench.grant(300_000)
        bench.model.script = one_by_one(failure, failure, say("here again"))
        async with bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (run, url):
            status, text = await ask(url)
    assert (status, "here again" in text) == (200, True)
    assert len(bench.model.requests) == 3
    assert run.verdict is None
    assert await bench.settle(task) == (bench.model.bill.total, False)


async def test_an_overload_beyond_all_patience_ends_the_run_as_such_and_costs_nothing(
    bench: Bench,
) -> None:
    async with patient(bench, 2):
        run = await bench.run(one_by_one(Fail(529, "overloaded_error")))
    assert run.outcome.ending is Ending.quota
    assert run.outcome.reason == "the model's API: it is overloaded (HTTP 529), tried for 2 seconds"
    assert (run.cost, run.bound) == (0, False)
    assert not run.outcome.operator
    assert len(bench.model.requests) == 2, "the CLI itself does not try again"


async def test_an_api_that_is_not_there_is_told_without_our_own_address(bench: Bench) -> None:
    async with patient(bench, 2, "http://127.0.0.1:9"):
        run = await bench.run()
    assert run.outcome.ending is Ending.quota
    assert run.outcome.reason == "the model's API cannot be reached, tried for 2 seconds"
    assert "127.0.0.1" not in f"{run.outcome.text} {run.outcome.reason}"
    assert (run.cost, run.bound) == (0, False)


async def test_a_proxy_that_makes_no_connection_costs_nothing_and_shows_no_login(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with refusing(407) as proxy, patient(bench, 0.1, "https://api.invalid", proxy):
        task = await bench.grant(300_000)
        async with bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (_, url):
            _, told = await ask(url)
    assert "cannot be reached" in told
    (refusal,) = (vars(each) for each in caplog.records)
    assert "407" in refusal["reason"]
    assert "canary" not in f"{told} {refusal}"
    assert await bench.settle(task) == (0, False)


async def test_with_another_model_to_go_on_with_an_overload_is_passed_on_at_once(
    bench: Bench,
) -> None:
    bench.model.script = one_by_one(Fail(529, "overloaded_error"))
    async with patient(bench, 30):
        task = await bench.grant(300_000)
        async with bench.gateway.admit(f"{task}.1", frozenset({MODEL, "claude-haiku-4-5"})) as (
            _,
            url,
        ):
            assert (await ask(url))[0] == 529
    assert len(bench.model.requests) == 1


async def test_a_run_that_ends_is_not_waited_for_by_its_patience(bench: Bench) -> None:
    bench.model.script = one_by_one(Fail(529, "overloaded_error"))
    async with patient(bench, 10 * PATIENCE):
        task = await bench.grant(300_000)
        async with bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (_, url):
            asking = asyncio.create_task(ask(url))
            await asyncio.sleep(0.3)
        async with asyncio.timeout(PATIENCE):
            await asking
    assert await bench.settle(task) == (0, False)


async def test_an_old_refusal_makes_no_later_request_free(bench: Bench) -> None:
    """Its open answer breaks off after the run's end: the API may have worked for it."""
    asked, cut = asyncio.Event(), asyncio.Event()
    overloaded = {"type": "error", "error": {"type": "overloaded_error"}}
    answer = {"type": "message", "usage": {"input_tokens": 10, "output_tokens": 5}}
    replies = [(529, overloaded), (200, answer)]

    async def api(request: web.Request) -> web.Response:
        await request.read()
        if replies:
            status, body = replies.pop(0)
            return web.json_response(body, status=status)
        asked.set()
        await cut.wait()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/messages", api)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with patient(bench, 30, f"http://127.0.0.1:{runner.addresses[0][1]}") as gateway:
            task = await bench.grant(300_000)
            async with gateway.admit(f"{task}.1", frozenset({MODEL})) as (run, url):
                run.read_on = PATIENCE
                assert (await ask(url, stream=False))[0] == 200
                assert run.trouble == "", "what was got over is no reason of a later fault"
                left = asyncio.create_task(ask(url, stream=False))
                await asked.wait()
                run.over.set()
                cut.set()
            assert (await left)[0] == 502
            assert run.trouble == "it broke off before it answered"
    finally:
        await runner.cleanup()
    rows = sorted(await bench.requests_in_ledger(task), key=lambda row: row.created_ms)
    assert [row.upper_bound for row in rows] == [False, True]
    assert rows[1].settled == rows[1].reserved


async def test_waiting_for_the_api_is_no_silence(bench: Bench) -> None:
    async with patient(bench, 30):
        busy = Fail(529, "overloaded_error")
        run = await bench.run(one_by_one(busy, busy, busy, done()), idle_seconds=2)
    assert run.outcome.ending is Ending.completed, run.outcome.reason
    assert run.seconds > 6


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (Fail(401, "authentication_error"), "the model's API refused the server's key (HTTP 401)"),
        (Fail(403, "permission_error"), "the model's API refused the server's key (HTTP 403)"),
        (
            Fail(402, "billing_error"),
            "the server's account with the model's API has no credit (HTTP 402)",
        ),
        (
            Fail(400, "invalid_request_error", "Your credit balance is too low to access the API"),
            "the server's account with the model's API has no credit (HTTP 400)",
        ),
        (
            Fail(404, "not_found_error", "model: x"),
            f"the model's API does not know the model '{MODEL}' (HTTP 404)",
        ),
    ],
)
async def test_what_only_an_operator_can_mend_ends_the_run_at_once_and_is_marked(
    bench: Bench, failure: Reply, says: str
) -> None:
    run = await bench.run(one_by_one(failure))
    assert (run.outcome.ending, run.outcome.reason) == (Ending.failed, says)
    assert (run.outcome.operator, run.outcome.retryable) == (True, False)
    assert len(bench.model.requests) == 1
    assert (run.cost, run.bound) == (0, False)


async def test_other_failures_are_not_the_operators(bench: Bench) -> None:
    run = await bench.run(one_by_one(Fail(400, "invalid_request_error", "no such thing")))
    assert (run.outcome.ending, run.outcome.operator) == (Ending.failed, False)


# silence


def left(idle: float, **ago: float) -> float:
    session = _Session(None, None, SignsOfLife(work=1000 - ago["work"], ping=1000 - ago["ping"]))  # type: ignore[arg-type]
    return session._left(1000 - ago["heard"], 1000, idle)


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        ({"heard": 0, "work": 500, "ping": 500}, 100),
        ({"heard": 90, "work": 90, "ping": 90}, 10),
        ({"heard": 500, "work": 5, "ping": 5}, 95),
        ({"heard": 150, "work": 150, "ping": 1}, 99),
        ({"heard": 101, "work": 101, "ping": 101}, -1),
        ({"heard": 100 * (_PINGS + 1) + 1, "work": 100 * (_PINGS + 1) + 1, "ping": 0}, -1),
    ],
    ids=[
        "a message",
        "silence",
        "an answer's pieces",
        "pings",
        "silence beyond",
        "pings for too long",
    ],
)
def test_every_sign_of_work_feeds_the_idle_clock_and_pings_only_for_a_while(
    ago: dict[str, float], expected: float
) -> None:
    assert left(100, **ago) == pytest.approx(expected)


async def thinking(request: web.Request) -> web.StreamResponse:
    """An API that thinks for five seconds: nothing but pings, then the answer."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    start = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
        b'"model":"claude-sonnet-5-5","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
    )
    await response.write(start)
    for _ in range(10):
        await response.write(b'event: ping\ndata: {"type":"ping"}\n\n')
        await asyncio.sleep(0.5)
    for event in (
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "thought"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    ):
        await response.write(
            f"event: {event['type']}\ndata: {web.json_response(event).text}\n\n".encode()
        )
    return response


async def test_a_model_that_thinks_in_silence_is_not_idle(bench: Bench) -> None:
    app = web.Application()
    app.router.add_post("/v1/messages", thinking)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with patient(bench, 0, f"http://127.0.0.1:{runner.addresses[0][1]}"):
            run = await bench.run(idle_seconds=2, schema=None)
    finally:
        await runner.cleanup()
    assert (run.outcome.ending, run.outcome.text) == (Ending.completed, "thought")


# the last turns


async def test_an_agent_near_its_last_turn_is_told_and_what_it_hands_in_is_kept(
    bench: Bench,
) -> None:
    def script(request: ModelRequest) -> Reply:
        told = "This is your last turn" in str(request.body["messages"])
        return done("what I have") if told else use("Read", {"file_path": "a.txt"})

    run = await bench.run(script, turns=5)
    assert (run.outcome.ending, run.outcome.structured) == (
        Ending.completed,
        {"answer": "what I have"},
    )
    told = [str(request.body["messages"]) for request in bench.model.requests]
    assert [
        text.count(" turns left of 5") + text.count("This is your last turn") for text in told
    ] == [
        0,
        0,
        1,
        2,
        3,
    ]


async def test_trusted_agents_are_told_too(bench: Bench) -> None:
    run = await bench.run(
        one_by_one(
            use("Read", {"file_path": "a.txt"}),
            use("Read", {"file_path": "a.txt"}),
            say("all I have"),
        ),
        agent=bench.agent(trusted=True),
        turns=3,
        schema=None,
    )
    assert run.outcome.ending is Ending.completed
    assert "Use no other tool: give your answer with what you have now" in bench.bodies
