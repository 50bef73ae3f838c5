"""What is let through to the model's API, and in which words the rest is refused: no request is sent for it."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.agent import admission
from tests.agent.test_admission import SEARCH, TOOL, UNPRICED, asking

IMAGE = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
ADMITTED: dict[str, dict[str, Any]] = {
    "nothing": {},
    "what the CLI remarks of itself": {"diagnostics": {"x": 1}, "data_flow": [], "safeguards": "x"},
    "the usual speed": {"speed": "standard", "service_tier": "standard_only"},
    "a value that is none": {"speed": None, "service_tier": None, "inference_geo": None},
    "one country": {"inference_geo": "us"},
    "no tools": {"tools": None},
    "an empty list of tools": {"tools": []},
    "a tool": {"tools": [TOOL]},
    "a tool that says what it is": {"tools": [TOOL | {"type": "custom", "strict": True}]},
    "a tool for the model alone": {"tools": [TOOL | {"allowed_callers": ["direct"]}]},
    "a tool for nobody": {"tools": [TOOL | {"allowed_callers": []}]},
    "bounded searches": {"tools": [TOOL, SEARCH | {"allowed_domains": ["example.com"]}]},
    "no management": {"context_management": None},
    "an empty management": {"context_management": {"edits": []}},
    "thinking that is left out": {
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    },
    "a picture": asking(IMAGE),
    "a picture by its address": asking({"type": "image", "source": {"type": "url", "url": "x"}}),
    "a text as a document": asking({"type": "document", "source": {"type": "text", "data": "x"}}),
    "a document of blocks": asking(
        {"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}}
    ),
    "a result with a picture": asking(
        {"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]}
    ),
    "a result that is a text": asking({"type": "tool_result", "content": "x"}),
    "a text by itself": {"messages": [{"role": "user", "content": "container_upload"}]},
    "a system prompt of blocks": {"system": [{"type": "text", "text": "x"}]},
    "a source that is no file": asking({"type": "search_result", "source": "https://x.example"}),
}


@pytest.mark.parametrize("what", ADMITTED)
def test_what_can_be_priced_is_let_through(what: str) -> None:
    assert admission.fault(ADMITTED[what]) is None


@pytest.mark.parametrize("what", UNPRICED)
@pytest.mark.parametrize("beside", [{}, {"tools": [TOOL], "speed": "standard"}])
def test_what_cannot_is_named_whatever_stands_beside_it(what: str, beside: dict[str, Any]) -> None:
    body, told = UNPRICED[what]
    assert told in (admission.fault(beside | body) or "")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"speed": True}, "the field `speed` with the value 'True'"),
        ({"speed": "x" * 99}, f"the field `speed` with the value {'x' * 60!r}"),
        ({"tools": {}}, "the field `tools` in this form"),
        ({"tools": ["Read"]}, "the tool `no object`"),
        ({"tools": [SEARCH | {"max_uses": 0}]}, "the tool `web_search` without `max_uses`"),
        ({"tools": [SEARCH | {"max_uses": 2.0}]}, "the tool `web_search` without `max_uses`"),
        ({"tools": [SEARCH | {"depth": 1}]}, "a tool with the field `depth`"),
        ({"context_management": []}, "the field `context_management` in this form"),
        ({"context_management": {"edits": ["x"]}}, "the edit of the context `None`"),
        (
            {"messages": [{"content": [{"type": "text"}, {"type": "audio"}]}]},
            "content of the kind `audio`",
        ),
        (
            asking(
                {"type": "document", "source": {"type": "content", "content": [{"type": "audio"}]}}
            ),
            "content of the kind `audio`",
        ),
        (asking({"type": "image", "source": {"data": "x"}}), "a source of the kind `None`"),
    ],
)
def test_odd_forms_are_refused_by_what_they_are(body: dict[str, Any], told: str) -> None:
    assert admission.fault(body) == told


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, None),
        ({"beta": "true"}, None),
        ({"beta": "false"}, "the query `beta=false`"),
        ({"beta": "true", "speed": "fast"}, "the query `speed=fast`"),
    ],
)
def test_of_queries_one_is_known(query: dict[str, str], told: str | None) -> None:
    assert admission.query_fault(query) == told


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (None, None),
        ("2023-06-01", None),
        ("2030-01-01", "the version '2030-01-01' of the API"),
        ("", "the version '' of the API"),
        ("v" * 99, f"the version {'v' * 60!r} of the API"),
    ],
)
def test_of_versions_of_the_api_one_has_been_looked_at(
    version: str | None, told: str | None
) -> None:
    assert admission.version_fault(version) == told


@pytest.mark.parametrize(
    ("betas", "left"),
    [
        ("", ""),
        ("effort-2025-11-24", "effort-2025-11-24"),
        (" effort-2025-11-24 ,x, context-1m-2025-08-07", "effort-2025-11-24,context-1m-2025-08-07"),
        ("fast-mode-2026-02-01", ""),
        ("effort-2025-11-24-x,Effort-2025-11-24", ""),
    ],
)
def test_of_beta_features_those_that_are_listed_are_left(betas: str, left: str) -> None:
    assert admission.listed(betas) == left


@pytest.mark.parametrize("tools", [None, "x", {}, [], [TOOL], ["web_search_20250305"]])
def test_a_request_without_a_search_has_no_tool_for_it(tools: Any) -> None:
    assert admission.web_search({"tools": tools}) is None
    assert admission.web_search({"tools": [TOOL, SEARCH]}) == SEARCH
