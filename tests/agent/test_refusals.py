"""What an agent is answered where the model gives no answer, and what its run is ended for."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from claude_pool_gh.agent import refusals
from claude_pool_gh.agent.passes import Pass
from claude_pool_gh.agent.upstream import UpstreamResponse

MODEL = "claude-sonnet-5-5"
UNTIL = "07:06 UTC"


def a_run(*models: str, **more: Any) -> Pass:
    return Pass("t.1", frozenset(models or (MODEL,)), **more)


@asynccontextmanager
async def answered(
    status: int, headers: dict[str, str] | None = None
) -> AsyncIterator[UpstreamResponse]:
    """An answer of the API with this status."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_get("/", answer)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/")) as response,
    ):
        yield UpstreamResponse(response, response.status)


def said(answer: web.Response | None) -> tuple[int, str, str]:
    """Status, kind and words of an answer to an agent."""
    assert answer is not None
    assert isinstance(answer.body, bytes)
    told = json.loads(answer.body)
    assert told["type"] == "error"
    return answer.status, told["error"]["type"], told["error"]["message"]


@pytest.mark.parametrize(
    ("status", "headers", "body", "verdict", "detail"),
    [
        (401, {}, b"", "key", "refused the server's key (HTTP 401)"),
        (403, {}, b"", "key", "refused the server's key (HTTP 403)"),
        (402, {}, b"", "credit", "has no credit (HTTP 402)"),
        (400, {}, b"Your Credit Balance is too low", "credit", "has no credit (HTTP 400)"),
        (404, {}, b"", "unknown_model", f"does not know the model {MODEL!r}"),
        (429, {"retry-after": "5000"}, b"", "quota", f"asks to wait until {UNTIL}"),
        (529, {}, b"", "overload", "it is busy, tried for 5 minutes"),
        (500, {}, b"", "overload", "it is busy, tried for 5 minutes"),
        (429, {"retry-after": "5"}, b"", "overload", "it is busy, tried for 5 minutes"),
        (400, {}, b"messages: too long", None, ""),
        (413, {}, b"", None, ""),
    ],
)
async def test_what_no_further_try_can_change_ends_the_run_with_its_reason(
    status: int, headers: dict[str, str], body: bytes, verdict: str | None, detail: str
) -> None:
    run = a_run(trouble="it is busy")
    async with answered(status, headers) as found:
        answer = refusals.final(run, MODEL, found, body, UNTIL, 300)
    assert run.verdict == verdict
    assert detail in run.detail
    if verdict is None:
        assert answer is None
    else:
        assert said(answer) == (402, "billing_error", run.detail)


@pytest.mark.parametrize(("models", "patience"), [((MODEL, "other"), 300.0), ((MODEL,), 0.0)])
async def test_an_overload_is_left_to_an_agent_with_another_model_or_that_waits_itself(
    models: tuple[str, ...], patience: float
) -> None:
    run = a_run(*models, trouble="it is busy")
    async with answered(529) as found:
        assert refusals.final(run, MODEL, found, b"", UNTIL, patience) is None
    assert said(refusals.unreachable(run, OSError(), patience)) == (
        502,
        "api_error",
        "the model's API cannot be reached: OSError",
    )
    assert run.verdict is None


@pytest.mark.parametrize(
    ("patience", "told"),
    [(5, "5 seconds"), (119, "119 seconds"), (120, "2 minutes"), (300, "5 minutes")],
)
def test_how_long_an_api_that_is_not_there_was_tried_is_told(patience: float, told: str) -> None:
    run = a_run()
    answer = refusals.unreachable(run, OSError("secret address"), patience)
    detail = f"the model's API cannot be reached, tried for {told}"
    assert said(answer) == (402, "billing_error", detail)
    assert (run.verdict, run.detail) == ("overload", detail)


def test_the_first_reason_is_the_one_that_stays_and_each_request_hears_its_own() -> None:
    run = a_run()
    refusals.refused(run, "budget", "the money is used up")
    answer = refusals.refused(run, "request", "the field `container`")
    assert said(answer) == (402, "billing_error", "the field `container`")
    assert (run.verdict, run.detail) == ("budget", "the money is used up")
    assert said(refusals.over()) == (404, "not_found_error", "this run is over")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": {"message": "Overloaded"}}', "Overloaded"),
        (b'{"error": {"message": "' + b"x" * 400 + b'"}}', "x" * 300),
        (b'{"error": "no"}', '{"error": "no"}'),
        (b"[]", "[]"),
        (b"null", "null"),
        (b"<html>" + b"y" * 400, "<html>" + "y" * 294),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, "[" * 300),
        (b"", ""),
    ],
)
def test_the_apis_own_words_are_told_or_the_beginning_of_what_is_none_of_its_form(
    body: bytes, reason: str
) -> None:
    assert refusals.reason_of(body) == reason


@pytest.mark.parametrize(
    ("verdict", "status", "level", "do"),
    [
        ("key", "401", logging.ERROR, "set ANTHROPIC_API_KEY"),
        ("credit", "402", logging.ERROR, "add credit"),
        ("unknown_model", "404", logging.ERROR, "name a model by its full id"),
        (None, "unreachable", logging.ERROR, "check ANTHROPIC_BASE_URL"),
        ("overload", "529", logging.WARNING, ""),
        (None, "400", logging.WARNING, ""),
    ],
)
def test_the_operator_is_told_what_to_do_where_nobody_else_can_do_anything(
    caplog: pytest.LogCaptureFixture, verdict: Any, status: str, level: int, do: str
) -> None:
    caplog.set_level(logging.INFO)
    refusals.log(a_run(verdict=verdict), MODEL, status, "why")
    (record,) = caplog.records
    fields = vars(record)
    assert record.levelno == level
    assert (fields["do"].startswith(do), bool(fields["do"])) == (True, bool(do))
    told = {name: fields[name] for name in ("action", "run", "model", "status", "reason")}
    assert told == {
        "action": "model_refused",
        "run": "t.1",
        "model": MODEL,
        "status": status,
        "reason": "why",
    }


@pytest.mark.parametrize(("wait", "has_day"), [(0, False), (43_199, False), (43_200, True)])
def test_a_wait_of_half_a_day_is_told_with_its_day(wait: float, *, has_day: bool) -> None:
    assert ("%d" in refusals.shape_of(wait)) is has_day


async def test_a_refusal_that_is_passed_on_is_the_apis_own_without_its_other_headers() -> None:
    headers = {"retry-after": "7", "request-id": "r1", "x-other": "no", "content-type": "text/x"}
    async with answered(429, headers) as found:
        answer = refusals.passed_on(found, b"its words")
    assert (answer.status, answer.body) == (429, b"its words")
    told = {name.lower(): value for name, value in answer.headers.items()}
    assert (
        told.items() >= {"retry-after": "7", "request-id": "r1", "content-type": "text/x"}.items()
    )
    assert "x-other" not in told
