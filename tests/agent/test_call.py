"""A request of an agent's on its way: lowered to what is paid for, and read anew where that changes how it is read."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from claude_pool_gh.agent.call import Call
from claude_pool_gh.agent.counted import conversation
from claude_pool_gh.agent.meter import LEAST_OUTPUT, MOST_OUTPUT, needed, worst_case
from claude_pool_gh.agent.passes import UNWANTED, Pass, SignsOfLife
from claude_pool_gh.agent.prices import Load

MODEL = "claude-sonnet-5-5"
OTHER_TOOL = {"name": "find", "input_schema": {}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


async def a_call(**body: Any) -> Call:
    """Made where a loop runs: whoever asked waits for its head."""
    run = Pass("t.1", frozenset({MODEL}))
    return Call(run, MODEL, body, {}, {}, conversation(body, 10), own=True)


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"max_tokens": 100}, 100),
        ({"max_tokens": 0}, 4096),
        ({"max_tokens": -5}, 4096),
        ({"max_tokens": "100"}, 4096),
        ({}, 4096),
    ],
)
async def test_a_request_that_names_no_length_asks_for_a_usual_one(
    body: dict[str, Any], asked: int
) -> None:
    assert (await a_call(**body)).asked == asked


@pytest.mark.parametrize(
    ("paid", "thinking", "rewritten"),
    [
        (8_000, {"type": "enabled", "budget_tokens": 4_000}, False),
        (10_000, {"type": "enabled", "budget_tokens": 5_000}, False),
        (30_000, {"type": "enabled", "budget_tokens": 10_000}, False),
        (2_048, {"type": "enabled", "budget_tokens": 1_024}, False),
        (2_047, {"type": "disabled"}, True),
        (1, {"type": "disabled"}, True),
    ],
)
async def test_a_thinking_budget_fits_below_what_is_paid_for_or_there_is_none(
    paid: int, thinking: dict[str, Any], *, rewritten: bool
) -> None:
    call = await a_call(max_tokens=32_000, thinking={"type": "enabled", "budget_tokens": 10_000})
    call.lower(paid)
    assert (call.body["max_tokens"], call.body["thinking"]) == (paid, thinking)
    assert call.rewritten is rewritten


@pytest.mark.parametrize("thinking", [None, {"type": "adaptive"}, {"budget_tokens": "x"}])
async def test_thinking_without_a_budget_stays_as_it_was_asked_for(thinking: Any) -> None:
    call = await a_call(max_tokens=32_000, thinking=thinking)
    call.lower(1_024)
    assert call.body == {"max_tokens": 1_024, "thinking": thinking}
    assert not call.rewritten


async def test_only_the_searches_that_are_paid_for_are_allowed() -> None:
    tools: list[dict[str, Any]] = [OTHER_TOOL, SEARCH | {"max_uses": 5}]
    call = await a_call(tools=tools)
    assert call.searches == 5
    call.search_at_most(5)
    assert (call.body["tools"], call.rewritten) == (tools, False)
    call.search_at_most(2)
    assert call.body["tools"] == [OTHER_TOOL, SEARCH | {"max_uses": 2}]
    assert call.rewritten, "its count says nothing of the agent's next request"
    assert tools[1]["max_uses"] == 5, "what the agent sent is not changed under it"


@pytest.mark.parametrize("tools", [None, [], [OTHER_TOOL], "x"])
async def test_a_request_without_a_search_has_none_to_be_cut(tools: Any) -> None:
    call = await a_call(tools=tools)
    assert call.searches == 0
    call.search_at_most(1)
    assert (call.body["tools"], call.rewritten) == (tools, False)


async def test_whoever_asked_gets_one_head_and_a_request_that_was_not_let_through_has_no_name() -> (
    None
):
    call = await a_call()
    first = web.Response()
    call.answer(first)
    call.answer(web.Response())
    assert call.head.result() is first
    assert call.request_id == ""


# ---- what its money pays for


@pytest.mark.parametrize("asked", [500, LEAST_OUTPUT, 8_000, 10**6])
def test_what_is_set_aside_is_never_more_than_is_left_and_pays_for_an_answer_worth_asking_for(
    asked: int,
) -> None:
    load = Load(20_000)
    enough = needed(MODEL, load, min(asked, LEAST_OUTPUT))
    assert worst_case(MODEL, load, asked, enough // 2) is None
    assert worst_case(MODEL, load, asked, 0) is None
    for left in (enough, 2 * enough, 10**9):
        found = worst_case(MODEL, load, asked, left)
        assert found is not None
        tokens, amount = found
        assert min(asked, LEAST_OUTPUT) <= tokens <= min(asked, MOST_OUTPUT)
        assert amount <= left
    rich = worst_case(MODEL, load, asked, 10**9)
    assert rich is not None
    assert rich[0] == min(asked, MOST_OUTPUT), "with money enough it is all that was asked for"


# ---- its run


def test_a_run_that_waits_for_the_api_is_not_silent_and_what_comes_after_counts_anew() -> None:
    signs = SignsOfLife(work=1.0, ping=1.0)
    signs.heard(work=False)
    assert signs.work == 1.0
    assert signs.ping > 1.0
    seen = []
    with suppress(OSError), signs.patient():
        with signs.patient():
            seen.append(signs.waiting)
        seen.append(signs.waiting)
        raise OSError
    assert seen == [2, 1]
    assert signs.waiting == 0
    assert time.monotonic() - signs.work < 60
    assert signs.work == signs.ping


def test_nobody_waits_longer_for_the_answers_of_a_run_because_it_is_unwanted() -> None:
    run = Pass("t.1", frozenset({MODEL}), read_on=20.0)
    run.hurry()
    assert run.read_on == UNWANTED
    run.hurry(5.0)
    assert run.read_on == UNWANTED
    assert Pass("t.1", frozenset({MODEL})).token != run.token


async def test_a_run_that_is_over_before_anybody_saw_what_it_runs_with_asks_nothing() -> None:
    run = Pass("t.1", frozenset({MODEL}), unchecked=True)
    run.over.set()
    assert not await run.is_checked()
    seen = Pass("t.1", frozenset({MODEL}), unchecked=True)
    seen.checked.set()
    assert await seen.is_checked()
    assert await Pass("t.1", frozenset({MODEL})).is_checked(), "of others there is nothing to see"
