"""The limits of a request to the model's API: only what can be priced. Everything else is refused by name.

Unknown must not mean free: a field, a kind of tool or a query that is not listed here is not forwarded. Names of beta
features that are not listed are left out, since nothing in the body can then use them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

QUERY: Final = {"beta": ("true",)}
VERSIONS: Final = ("2023-06-01",)

BETAS: Final = frozenset(
    {
        "claude-code-20250219",
        "context-1m-2025-08-07",  # priced by the tiers of the list
        "context-management-2025-06-27",  # the kinds of edit are checked
        "effort-2025-11-24",
        "extended-cache-ttl-2025-04-11",  # priced by the request's own ttl
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "mid-conversation-system-2026-04-07",
        "mid-conversation-tool-changes-2026-07-01",
        "per-turn-control-2026-07-01",
        "prompt-caching-scope-2026-01-05",
        "redact-thinking-2026-02-12",
        "structured-outputs-2025-12-15",
        "task-budgets-2026-03-13",
        "thinking-display-updates-2026-08-18",
        "thinking-token-count-2026-05-13",
        "token-efficient-tools-2025-02-19",
        "web-search-2025-03-05",  # the tool is priced
    }
)
"""Beta features that cost nothing beside tokens that the API reports and the reservation holds."""

_FIELDS: Final = frozenset(
    {
        "cache_control",
        "context_management",
        "inference_geo",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
LEFT_OUT: Final = frozenset({"data_flow", "diagnostics", "safeguards"})
"""Remarks of the CLI's about its request. The features that read them are not listed, so they go no further."""
_VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "speed": (None, "standard"),
    "service_tier": (None, "standard_only"),
    "inference_geo": (None, "global", "us"),
}
"""Fields of which only some values have a known price."""

_EDITS: Final = frozenset({"clear_thinking_20251015"})
"""Edits of the context that only make it smaller, and never ask a model."""

_TOOL_KEYS: Final = frozenset(
    {
        "allowed_callers",
        "cache_control",
        "defer_loading",
        "description",
        "eager_input_streaming",
        "input_examples",
        "input_schema",
        "name",
        "strict",
        "type",
    }
)
WEB_SEARCH: Final = "web_search_20250305"
_SEARCH_KEYS: Final = frozenset(
    {
        "allowed_domains",
        "blocked_domains",
        "cache_control",
        "max_uses",
        "name",
        "type",
        "user_location",
    }
)

_BLOCKS: Final = frozenset(
    {
        "document",
        "image",
        "redacted_thinking",
        "search_result",
        "server_tool_use",
        "text",
        "thinking",
        "tool_addition",
        "tool_reference",
        "tool_removal",
        "tool_result",
        "tool_use",
        "web_search_result",
        "web_search_tool_result",
        "web_search_tool_result_error",
    }
)
"""Kinds of content whose tokens are bounded by what stands in the request."""
_SOURCES: Final = frozenset({"base64", "content", "text", "url"})


def query_fault(query: Mapping[str, str]) -> str | None:
    """The part of a query that cannot be priced."""
    return next(
        (
            f"the query `{name}={query[name]}`"
            for name in query
            if query[name] not in QUERY.get(name, ())
        ),
        None,
    )


def version_fault(version: str | None) -> str | None:
    """A version of the API whose prices and counts nobody has looked at."""
    return (
        None
        if version is None or version in VERSIONS
        else f"the version {version[:60]!r} of the API"
    )


def listed(betas: str) -> str:
    """A header's beta features without those that are not listed."""
    return ",".join(name for name in (part.strip() for part in betas.split(",")) if name in BETAS)


def fault(body: Mapping[str, Any]) -> str | None:
    """The first thing in a request that cannot be priced, by name; None where there is none."""
    return next(_faults(body), None)


def web_search(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The request's tool that searches the web, if it has one."""
    tools = body.get("tools")
    every = tools if isinstance(tools, list) else []
    return next(
        (tool for tool in every if isinstance(tool, dict) and tool.get("type") == WEB_SEARCH), None
    )


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"the field `{name}`" for name in body if name not in _FIELDS | LEFT_OUT)
    for name, values in _VALUES.items():
        if (value := body.get(name)) not in values or isinstance(value, bool):
            yield f"the field `{name}` with the value {str(value)[:60]!r}"
    yield from _tool_faults(body.get("tools"))
    yield from _edit_faults(body.get("context_management"))
    for part in (body.get("system"), body.get("messages")):
        yield from _block_faults(part)


def _tool_faults(tools: Any) -> Iterator[str]:
    if tools is not None and not isinstance(tools, list):
        yield "the field `tools` in this form"
        return
    searches = 0
    for tool in tools or ():
        kind = tool.get("type") if isinstance(tool, dict) else "no object"
        if kind == WEB_SEARCH:
            searches += 1
            keys = _SEARCH_KEYS
            uses = tool.get("max_uses")
            if not isinstance(uses, int) or isinstance(uses, bool) or uses < 1 or searches > 1:
                yield (
                    "the tool `web_search` without `max_uses`"
                    if searches == 1
                    else "a second tool `web_search`"
                )
        elif kind in (None, "custom"):
            keys = _TOOL_KEYS
            if tool.get("allowed_callers") not in (None, [], ["direct"]):
                yield "a tool with `allowed_callers`"
        else:
            yield f"the tool `{str(kind)[:60]}`"
            continue
        yield from (f"a tool with the field `{key}`" for key in tool if key not in keys)


def _edit_faults(management: Any) -> Iterator[str]:
    if management is None:
        return
    if not isinstance(management, dict) or set(management) - {"edits"}:
        yield "the field `context_management` in this form"
        return
    for edit in management.get("edits") or ():
        kind = edit.get("type") if isinstance(edit, dict) else None
        if kind not in _EDITS:
            yield f"the edit of the context `{str(kind)[:60]}`"


def _block_faults(value: Any) -> Iterator[str]:
    """Kinds of content that may bring in more than they are long. What an agent's tool was called with is only text."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            kind = each.get("type")
            if kind is not None and kind not in _BLOCKS:
                yield f"content of the kind `{str(kind)[:60]}`"
            source = each.get("source")
            if (
                kind in ("document", "image")
                and isinstance(source, dict)
                and source.get("type") not in _SOURCES
            ):
                yield f"a source of the kind `{str(source.get('type'))[:60]}`"
            left += [each[key] for key in ("content", "source") if isinstance(each.get(key), list)]
            if isinstance(source, dict) and isinstance(source.get("content"), list):
                left.append(source["content"])
