"""A request is bounded by what the API has counted of its conversation, never below what it really has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.agent.counted import Conversation, Counts, conversation
from claude_pool_gh.agent.prices import Load, kept_for, most_for_input, price
from claude_pool_gh.rehearsal.model import Answer, Usage, use
from tests.agent.bench import Bench, done, one_by_one

MARK = {"type": "ephemeral"}
TOOLS = [
    {"name": "Read", "input_schema": {}},
    {"name": "Later", "description": "x" * 500, "defer_loading": True},
]


def of(*messages: Any, **more: Any) -> Conversation:
    body = {"model": "claude-sonnet-5-5", "system": "S" * 1_000, "messages": list(messages)} | more
    return conversation(body, len(json.dumps(body)))


def text(words: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": words, **more}]}


def size(message: dict[str, Any]) -> int:
    return of(message).weights[0]


FIRST, ANSWER, SECOND = text("a" * 9_000), text("b" * 300, "assistant"), text("c" * 400)


def after_first(output: int = 100, **more: Any) -> Counts:
    counts = Counts()
    usage = {
        "input_tokens": 50,
        "cache_read_input_tokens": 2_000,
        "cache_creation_input_tokens": 450,
    }
    counts.learn(of(FIRST, **more), usage | {"output_tokens": output})
    return counts


def test_what_was_counted_before_is_not_counted_by_bytes_again() -> None:
    longer = of(FIRST, ANSWER, SECOND)
    assert after_first().bound(longer) == 2_500 + 100 + size(ANSWER) + size(SECOND) < longer.whole
    assert Counts().bound(longer) == longer.whole


@pytest.mark.parametrize(
    "longer",
    [
        of(text("A" + "a" * 8_999), ANSWER, SECOND),
        of(FIRST, ANSWER, SECOND, system="S" * 999 + "s"),
        of(FIRST, ANSWER, SECOND, model="claude-opus-5-5"),
        of(FIRST, ANSWER, SECOND, tools=TOOLS),
        of(FIRST, ANSWER, SECOND, thinking={"type": "adaptive"}),
        of(FIRST, ANSWER, SECOND, tool_choice={"type": "any"}),
        of(text("a" * 9_000, "assistant"), ANSWER, SECOND),
        of({**FIRST, "output_config": {"effort": "max"}}, ANSWER, SECOND),
        of(ANSWER, FIRST, SECOND),
        of(text("a" * 4_500), text("a" * 4_500), SECOND),
    ],
    ids=[
        "a letter",
        "system",
        "model",
        "tools",
        "thinking",
        "choice",
        "role",
        "effort",
        "order",
        "cut elsewhere",
    ],
)
def test_another_conversation_is_not_taken_for_the_same(longer: Conversation) -> None:
    assert after_first().bound(longer) == longer.whole


def test_marks_for_the_cache_do_not_make_another_conversation() -> None:
    """The CLI moves its mark to the newest message, and writes a text alone as itself."""
    counts = Counts()
    marked = of(
        text("a" * 9_000, cache_control=MARK),
        system=[{"type": "text", "text": "S", "cache_control": MARK}],
    )
    counts.learn(marked, {"input_tokens": 2_500, "output_tokens": 1})
    plain = {"role": "user", "content": "a" * 9_000}
    longer = of(
        plain,
        ANSWER,
        text("c", cache_control={**MARK, "ttl": "1h"}),
        system=[{"type": "text", "text": "S"}],
    )
    assert counts.bound(longer) < 5_000 < longer.whole


def test_a_mark_that_is_content_is_content() -> None:
    """What a tool is called with is read by the model, whatever its keys are called."""

    def call(value: Any) -> dict[str, Any]:
        block = {"type": "tool_use", "id": "t", "name": "Read", "input": {"cache_control": value}}
        return {"role": "assistant", "content": [block]}

    counts = Counts()
    counts.learn(of(FIRST, call("short")), {"input_tokens": 2_600, "output_tokens": 1})
    hidden = of(FIRST, call("x" * 90_000), SECOND)
    assert counts.bound(hidden) == hidden.whole


def test_tools_that_come_later_count_with_what_is_new() -> None:
    counts = Counts()
    counts.learn(of(FIRST, tools=TOOLS), {"input_tokens": 2_500, "output_tokens": 0})
    brought = text("{}")
    assert counts.bound(of(FIRST, brought, tools=TOOLS)) >= 2_500 + size(brought) + 500


@pytest.mark.parametrize(
    ("edits", "known"),
    [
        ([{"type": "clear_thinking_20251015", "keep": "all"}], True),
        (
            [{"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}],
            False,
        ),
        ([{"type": "clear_thinking_20251015"}], False),
    ],
)
def test_where_the_context_is_edited_nothing_is_taken_as_known(
    edits: list[Any], *, known: bool
) -> None:
    counts, more = Counts(), {"context_management": {"edits": edits}}
    counts.learn(of(FIRST, **more), {"input_tokens": 2_500, "output_tokens": 0})
    longer = of(FIRST, ANSWER, **more)
    assert (counts.bound(longer) < longer.whole) is known


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 1, "iterations": [{"type": "message"}]},
        {"input_tokens": 1, "server_tool_use": {"web_search_requests": 1}},
        {"output_tokens": 5},
        {"input_tokens": -5, "output_tokens": 1},
        {"input_tokens": 5, "output_tokens": "many"},
    ],
)
def test_a_count_that_is_none_is_not_remembered(usage: dict[str, Any]) -> None:
    counts = Counts()
    counts.learn(of(FIRST), usage)
    assert not counts.known


def test_a_picture_that_is_new_counts_as_a_picture() -> None:
    picture = {
        "role": "user",
        "content": [{"type": "image", "source": {"type": "base64", "data": "AA"}}],
    }
    assert after_first().bound(of(FIRST, picture)) >= 2_600 + 5_000


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1)), min_size=1, max_size=12), st.data())
@settings(max_examples=200, deadline=None)
def test_the_bound_is_never_below_what_the_api_counts(
    turns: list[tuple[int, float]], data: st.DataObject
) -> None:
    """Conversations that grow, fork and are cut; the API counts any number of tokens up to the bytes of each part."""
    counts, messages, real = Counts(), [text("go" * 50)], [40]
    system = data.draw(st.integers(0, 900))
    for step, (kind, share) in enumerate(turns):
        if kind == 0 and len(messages) > 1:
            keep = data.draw(st.integers(1, len(messages)))
            messages, real = messages[:keep], real[:keep]
        now = of(*messages)
        tokens = system + sum(real)
        assert tokens <= counts.bound(now), "the bound is below what is really read"
        output = data.draw(st.integers(0, 500))
        if kind != 1:  # else the answer broke off
            counts.learn(now, {"input_tokens": tokens, "output_tokens": output})
        for role in ("assistant", "user"):
            message = text(f"{step}" + 'é\n"x' * data.draw(st.integers(0, 80)), role)
            messages.append(message)
            real.append(int(share * size(message)))


# the price of what is written into the cache


@pytest.mark.parametrize(
    ("control", "kept", "factor"),
    [
        (None, "", 1.0),
        ({"type": "ephemeral"}, "5m", 1.25),
        ({"type": "ephemeral", "ttl": "5m"}, "5m", 1.25),
        ({"type": "ephemeral", "ttl": "1h"}, "1h", 2.0),
        ({"type": "ephemeral", "ttl": "2d"}, "1h", 2.0),
        ("x", "1h", 2.0),
    ],
)
def test_the_cache_is_priced_by_the_requests_own_ttl(
    control: Any, kept: str, factor: float
) -> None:
    block = {"type": "text", "text": "a"} | ({} if control is None else {"cache_control": control})
    for body in (
        {"messages": [{"role": "user", "content": [block]}]},
        {"system": [block]},
        {"tools": [block]},
    ):
        assert kept_for(body) == kept
    assert most_for_input("claude-sonnet-5-5", Load(98_000, kept)) == round(
        100_000 * 2 * factor * 1.1
    )


def test_the_longest_ttl_of_a_request_counts() -> None:
    short, long = (
        {"type": "text", "cache_control": {"type": "ephemeral", "ttl": ttl}} for ttl in ("5m", "1h")
    )
    assert kept_for({"system": [long], "messages": [{"role": "user", "content": [short]}]}) == "1h"


# what the API reports

MANY = {"input_tokens": 10_000, "output_tokens": 2_000}


@pytest.mark.parametrize(
    ("model", "more", "factor"),
    [
        ("claude-opus-5", {}, 1.0),
        ("claude-opus-5", {"speed": "standard", "inference_geo": "global"}, 1.0),
        ("claude-opus-5", {"speed": "fast"}, 2.0),
        ("claude-opus-4-6", {"speed": "fast"}, 6.0),
        ("claude-sonnet-5-5", {"speed": "who knows"}, 6.0),
        ("claude-opus-5", {"inference_geo": "us"}, 1.1),
        ("claude-opus-5", {"inference_geo": "not_available"}, 1.0),
        ("claude-opus-5", {"inference_geo": "us", "speed": "fast"}, 2.2),
    ],
)
def test_every_multiplier_that_the_api_reports_is_booked(
    model: str, more: dict[str, Any], factor: float
) -> None:
    assert price(model, MANY | more) == round(price(model, MANY) * factor)


def test_every_pass_is_booked_at_its_own_model() -> None:
    passes = [
        {"type": "message", **MANY},
        {"type": "fallback_message", "model": "claude-fable-5", **MANY},
    ]
    expected = price("claude-sonnet-5-5", MANY) + price("claude-fable-5", MANY)
    assert price("claude-sonnet-5-5", MANY | {"iterations": passes}) == expected
    assert price(
        "claude-sonnet-5-5", MANY | {"iterations": [{"type": "message", "input_tokens": 1}]}
    ) == price("claude-sonnet-5-5", MANY)
    unknown = [{"type": "advisor_message", "model": "claude-nobody-knows-1", **MANY}]
    assert price("claude-sonnet-5-5", MANY | {"iterations": unknown}) >= price(
        "claude-opus-4-1", MANY
    )


# with the real CLI


async def test_a_long_conversation_is_not_refused_far_below_its_money(bench: Bench) -> None:
    """Sixty kilobytes, read in eight pieces: some 20,000 tokens; taken as bytes, twenty-five cents."""
    for number in range(8):
        (bench.folder / f"f{number}.py").write_text(f"x = {number}  # remark\n" * 270)
    reads = [
        Answer(
            use("Read", {"file_path": f"f{number}.py"}).blocks,
            Usage(
                cache_read_input_tokens=500 + 2_500 * number,
                cache_creation_input_tokens=2_500,
                output_tokens=90,
            ),
        )
        for number in range(8)
    ]
    run = await bench.run(one_by_one(*reads, done()), most=200_000)
    assert run.outcome.ending.value == "completed", run.outcome.reason
    assert len(bench.model.requests) == 9
    assert (run.cost, run.bound) == (bench.model.bill.total, False)


async def test_a_long_beginning_is_counted_by_the_api_where_its_bytes_would_not_fit(
    bench: Bench,
) -> None:
    prompt = "def f(x):\n    return x + 1\n\n" * 5_000
    refused = await bench.run(one_by_one(done()), most=200_000, prompt=prompt)
    assert refused.outcome.ending.value == "out_of_budget"
    assert refused.outcome.short > 300_000
    bench.gateway._upstream.counts = True  # type: ignore[union-attr]
    bench.model.counts = lambda request: request.size // 4
    run = await bench.run(one_by_one(done()), most=200_000, prompt=prompt)
    assert run.outcome.ending.value == "completed", run.outcome.reason
    assert run.cost == bench.model.bill.total <= 200_000
