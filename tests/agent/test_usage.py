"""What a stream says of its own cost, event by event: when it is all that there is, and when nothing was spent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_pool_gh.agent.usage import StreamUsage, is_error, whole_usage


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | more)}\n\n".encode()


START = event("message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}})
PIECE = event("content_block_delta", delta={"type": "text_delta", "text": "x"})
END = event("message_delta", usage={"output_tokens": 9})
PING = event("ping")
BUSY = event("error", error={"type": "overloaded_error"})


def seen(*events: bytes) -> StreamUsage:
    found = StreamUsage()
    for each in events:
        found.feed(each)
    return found


@pytest.mark.parametrize(
    ("events", "complete", "has_input", "counts"),
    [
        ((), False, False, {}),
        ((PING,), False, False, {}),
        ((START,), False, True, {"input_tokens": 5, "output_tokens": 1}),
        ((START, PIECE), False, True, {"input_tokens": 5, "output_tokens": 1}),
        ((START, PIECE, END), True, True, {"input_tokens": 5, "output_tokens": 9}),
        # an end without a beginning does not say what was read
        ((END,), False, False, {"output_tokens": 9}),
        (
            (START, event("message_delta", usage={"output_tokens": None})),
            True,
            True,
            {"input_tokens": 5, "output_tokens": 1},
        ),
        (
            (START, event("message_delta", usage="all")),
            True,
            True,
            {"input_tokens": 5, "output_tokens": 1},
        ),
        (
            (event("message_start", message={"usage": {"input_tokens": "5"}}), END),
            False,
            False,
            {"input_tokens": "5", "output_tokens": 9},
        ),
    ],
)
def test_a_stream_is_complete_once_it_has_said_its_last_count(
    events: tuple[bytes, ...], counts: dict[str, Any], *, complete: bool, has_input: bool
) -> None:
    found = seen(*events)
    assert (found.complete, found.has_input, found.counts) == (complete, has_input, counts)


@pytest.mark.parametrize(
    ("events", "error", "refused"),
    [
        ((BUSY,), "overloaded_error", True),
        ((PING, PING, BUSY), "overloaded_error", True),
        ((event("error"),), "api_error", True),
        ((event("error", error={"type": ""}),), "api_error", True),
        # it had begun to answer: that was read, and is paid
        ((START, BUSY), "overloaded_error", False),
        ((START,), "", False),
        ((), "", False),
    ],
)
def test_an_error_in_place_of_an_answer_costs_nothing_and_one_within_it_does(
    events: tuple[bytes, ...], error: str, *, refused: bool
) -> None:
    found = seen(*events)
    assert (found.error, found.refused) == (error, refused)


def test_pings_are_no_sign_of_work() -> None:
    assert [seen(*[PING] * 3).events, seen(PING, START, PIECE).events] == [0, 2]


@pytest.mark.parametrize("line", [b"data: {", b"data: [1]", b"data:", b": ping", b"id: 7", b"x"])
def test_what_is_no_event_of_the_apis_counts_for_nothing_but_a_sign(line: bytes) -> None:
    found = seen(START, line + b"\n", END)
    assert found.complete
    assert found.counts == {"input_tokens": 5, "output_tokens": 9}


@pytest.mark.parametrize(
    ("body", "usage", "error"),
    [
        (
            {"usage": {"input_tokens": 1, "output_tokens": 2}},
            {"input_tokens": 1, "output_tokens": 2},
            False,
        ),
        (
            {"usage": {"input_tokens": 1, "output_tokens": 2, "x": None}},
            {"input_tokens": 1, "output_tokens": 2},
            False,
        ),
        ({"usage": {"input_tokens": 1, "output_tokens": None}}, None, False),
        ({"usage": {"input_tokens": True, "output_tokens": 2.5}}, None, False),
        ({"type": "error", "error": {}}, None, True),
        ({"type": "message"}, None, False),
        ([], None, False),
    ],
)
def test_an_answer_in_one_piece_says_both_counts_or_none(
    body: Any, usage: dict[str, int] | None, *, error: bool
) -> None:
    raw = json.dumps(body).encode()
    assert (whole_usage(raw), is_error(raw)) == (usage, error)
