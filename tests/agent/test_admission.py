"""What the gateway forwards: what can be priced, and what the real CLI sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from claude_pool_gh.agent import admission
from claude_pool_gh.pool.model.config import PermissionMode
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.rehearsal.model import Fail, ModelRequest, Reply, Usage, say, use
from tests.agent.bench import MODEL, Bench, done, one_by_one
from tests.agent.test_bill import ask

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
TOOL = {"name": "Read", "description": "Reads.", "input_schema": {"type": "object"}}


def asking(*blocks: Mapping[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


UNPRICED: dict[str, tuple[dict[str, Any], str]] = {
    "fast mode": ({"speed": "fast"}, "the field `speed`"),
    "another place": ({"inference_geo": "eu"}, "the field `inference_geo`"),
    "priority": ({"service_tier": "auto"}, "the field `service_tier`"),
    "fallbacks": ({"fallbacks": [{"model": "claude-fable-5"}]}, "the field `fallbacks`"),
    "MCP servers": (
        {"mcp_servers": [{"type": "url", "url": "https://x.example"}]},
        "the field `mcp_servers`",
    ),
    "a container": ({"container": {"skills": [{"skill_id": "pdf"}]}}, "the field `container`"),
    "what nobody knows": ({"turbo": True}, "the field `turbo`"),
    "betas in the body": ({"betas": ["fast-mode-2026-02-01"]}, "the field `betas`"),
    "an advisor": (
        {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "x"}]},
        "the tool `advisor_2",
    ),
    "code execution": (
        {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
        "the tool `code_",
    ),
    "web fetch": (
        {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 1}]},
        "the tool `web_f",
    ),
    "endless searches": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "without `max_uses`",
    ),
    "no searches": ({"tools": [{**SEARCH, "max_uses": True}]}, "without `max_uses`"),
    "two searches": ({"tools": [SEARCH, SEARCH]}, "a second tool `web_search`"),
    "a newer search": (
        {"tools": [{**SEARCH, "type": "web_search_20260209"}]},
        "the tool `web_search_20260209`",
    ),
    "a tool from code": (
        {"tools": [{**TOOL, "allowed_callers": ["code_execution_20250825"]}]},
        "`allowed_callers`",
    ),
    "an odd tool": ({"tools": [{**TOOL, "retries": 5}]}, "a tool with the field `retries`"),
    "no tools": ({"tools": "all"}, "the field `tools`"),
    "compaction": (
        {"context_management": {"edits": [{"type": "compact_20260112"}]}},
        "the edit of the context `com",
    ),
    "clearing of tools": (
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        "the edit of the context `clear_",
    ),
    "another management": ({"context_management": {"plan": "x"}}, "the field `context_management`"),
    "an upload": (
        asking({"type": "container_upload", "file_id": "file_1"}),
        "content of the kind `container_upload`",
    ),
    "a stored file": (
        asking({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        "a source of the kind `file`",
    ),
    "a stored file in a result": (
        asking(
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [
                    {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
                ],
            }
        ),
        "a source of the kind `file`",
    ),
    "a kind of content": (
        asking({"type": "advisor_tool_result"}),
        "content of the kind `advisor_tool_result`",
    ),
    "in the system prompt": ({"system": [{"type": "video"}]}, "content of the kind `video`"),
}


@pytest.mark.parametrize("what", UNPRICED)
async def test_what_cannot_be_priced_is_refused_by_name_before_the_api_hears_of_it(
    bench: Bench, what: str
) -> None:
    body, named = UNPRICED[what]
    task = await bench.grant(300_000)
    async with bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (run, url):
        status, text = await ask(url, **body)
    assert status == 402
    assert named in json.loads(text)["error"]["message"]
    assert (run.verdict, bench.model.requests) == ("request", [])
    assert await bench.settle(task) == (0, False)


async def test_no_other_address_or_query_reaches_the_api(bench: Bench) -> None:
    task = await bench.grant(300_000)
    async with (
        bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (_, url),
        aiohttp.ClientSession() as session,
    ):
        for path in (
            "v1/messages/batches",
            "v1/files",
            "v1/complete",
            "v1/models",
            "v1/messages/count_tokens",
        ):
            async with session.post(
                f"{url}/{path}", json={"model": MODEL, "requests": []}
            ) as answer:
                assert answer.status == 404, path
        body = {"model": MODEL, "max_tokens": 10, "messages": []}
        async with session.post(f"{url}/v1/messages?beta=true&speed=fast", json=body) as answer:
            assert answer.status == 402
        async with session.post(
            f"{url}/v1/messages", json=body, headers={"anthropic-version": "2030-01-01"}
        ) as answer:
            assert answer.status == 402
    assert bench.model.requests == []


async def test_beta_features_that_nobody_has_priced_are_left_out(bench: Bench) -> None:
    task = await bench.grant(300_000)
    headers = {
        "anthropic-beta": "fast-mode-2026-02-01, effort-2025-11-24,server-side-fallback-2026-07-01"
    }
    async with (
        bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (_, url),
        aiohttp.ClientSession() as session,
    ):
        body = {"model": MODEL, "max_tokens": 10, "messages": []}
        for given in (headers, {"anthropic-beta": "fast-mode-2026-02-01"}):
            async with session.post(f"{url}/v1/messages", json=body, headers=given) as answer:
                assert answer.status == 200
    assert [request.headers.get("anthropic-beta") for request in bench.model.requests] == [
        "effort-2025-11-24",
        None,
    ]


def test_what_a_tool_was_called_with_is_only_text() -> None:
    """An agent may write about any of this; it is read as what it says, not as what it is."""
    call = {
        "type": "tool_use",
        "id": "t",
        "name": "Write",
        "input": {"type": "container_upload", "speed": "fast"},
    }
    assert admission.fault({"messages": [{"role": "assistant", "content": [call]}]}) is None


async def test_a_search_of_the_web_is_priced_at_all_that_it_may_bring_in(bench: Bench) -> None:
    """One that does not fit is refused; of several, as many are allowed as the money pays for."""
    read = Usage(input_tokens=900_000, output_tokens=10)
    bench.model.script = lambda _: say("found", usage=read)
    for most, expected in ((1_000_000, None), (3_000_000, 1), (9_000_000, 2)):
        task = await bench.grant(most)
        async with bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (run, url):
            status, _ = await ask(url, tools=[SEARCH])
        cost, _ = await bench.settle(task)
        assert cost <= most
        if expected is None:
            assert (status, run.verdict) == (402, "budget")
            assert "a search of the web may bring in" in run.detail
        else:
            assert status == 200
            assert bench.model.requests[-1].body["tools"][0]["max_uses"] == expected


# the real CLI


def fallback(request: ModelRequest) -> Reply:
    return Fail(529, "overloaded_error") if request.model == MODEL else done()


@pytest.mark.parametrize(
    "mode", ["plain", "opus", "haiku", "sonnet 4.5", "trusted", "fallback", "search"]
)
async def test_everything_that_the_real_cli_sends_is_forwarded(bench: Bench, mode: str) -> None:
    """With it the list is kept up to date: an update of the CLI that sends something new makes this fail."""
    more: dict[str, Any] = {}
    script = one_by_one(use("Read", {"file_path": "a.txt"}), done())
    match mode:
        case "opus":
            more = {"model": "claude-opus-5-5", "effort": "max"}
        case "haiku":
            more = {"model": "claude-haiku-4-5"}
        case "sonnet 4.5":
            more = {"model": "claude-sonnet-4-5", "effort": "max"}
        case "trusted":
            more = {
                "tools": ("Read", "Bash", "WebFetch", "WebSearch", "Agent", "Edit"),
                "permission_mode": PermissionMode.plan,
            }
        case "fallback":
            more, script = {"fallback_model": "claude-haiku-4-5"}, fallback
        case "search":
            more = {"tools": ("WebSearch",), "allowed_tools": ("WebSearch",)}
            script = one_by_one(use("WebSearch", {"query": "x y z"}), say("found"), done())
        case _:
            pass
    run = await bench.run(
        script, agent=bench.agent(trusted="tools" in more), most=5_000_000, **more
    )
    assert run.outcome.ending is Ending.completed, run.outcome.reason
    for request in bench.model.requests:
        assert admission.fault(request.body) is None
    if mode == "search":
        assert any(admission.web_search(request.body) for request in bench.model.requests)
    betas = [request.headers.get("anthropic-beta", "") for request in bench.model.requests]
    assert all(betas), "the features that the CLI relies on are passed on"
