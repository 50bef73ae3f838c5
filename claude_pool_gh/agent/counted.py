"""Bounds the tokens of a request by what the API has counted of the same conversation before.

An agent sends its whole conversation with each request, and the API says each time how many tokens it has read. So
only what was appended since has to be bounded by its bytes. That it is the same conversation is proved: by digests of
everything that decides how it is read, message by message.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.agent import prices

_APART: Final = frozenset(
    {
        "cache_control",
        "max_tokens",
        "messages",
        "metadata",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    }
)
"""Fields that do not decide how many tokens a conversation has, or are looked at by themselves."""
_KEPT: Final = 64
"""Conversations of one run whose counts are remembered."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request's messages: a digest of each beginning of it, and a weight in tokens for each message."""

    digests: tuple[bytes, ...]
    """With none, one, ... and all of its messages."""
    weights: tuple[int, ...]
    whole: int
    """The weight of the whole request, with nothing known of it."""
    late: int
    """The weight of tools that the API reads only once a message brings them in."""
    comparable: bool
    """Whether a longer conversation is never read as fewer tokens than its beginning was counted as."""


@dataclass(slots=True)
class Counts:
    """The API's own token counts of one run's conversations."""

    known: OrderedDict[bytes, int] = field(default_factory=OrderedDict)

    def bound(self, of: Conversation) -> int:
        """The most tokens that the request's input can be."""
        if not of.comparable:
            return of.whole
        bounds, appended = [of.whole], 0
        for place in range(len(of.weights), -1, -1):
            if (counted := self.known.get(of.digests[place])) is not None:
                bounds.append(counted + appended + of.late)
            if place:
                appended += of.weights[place - 1]
        return min(bounds)

    def learn(self, of: Conversation, usage: Mapping[str, Any]) -> None:
        """Remember what the API has counted of a request, with all that it has answered."""
        if not of.comparable or usage.get("iterations") or usage.get("server_tool_use"):
            return  # counted over several passes
        names = (
            "input_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "output_tokens",
        )
        counts = [usage.get(name) or 0 for name in names]
        if not all(isinstance(count, int) and count >= 0 for count in counts) or not any(
            counts[:3]
        ):
            return
        self.known[of.digests[-1]] = sum(counts)
        self.known.move_to_end(of.digests[-1])
        while len(self.known) > _KEPT:
            self.known.popitem(last=False)


def conversation(body: Mapping[str, Any], size: int) -> Conversation:
    """The conversation in a request of `size` bytes. The messages' marks for the cache do not count."""
    messages = body.get("messages")
    every = messages if isinstance(messages, list) else []
    running = hashlib.sha256(_text(_settled(body)))
    digests, weights = [running.digest()], []
    for message in every:
        text = _text(_plain(message))
        running.update(len(text).to_bytes(8, "big") + text)
        digests.append(running.digest())
        weights.append(len(_text(message)) + prices.packed(message))
    tools = body.get("tools")
    late = (
        [t for t in tools if isinstance(t, dict) and t.get("defer_loading")]
        if isinstance(tools, list)
        else []
    )
    return Conversation(
        digests=tuple(digests),
        weights=tuple(weights),
        whole=prices.weigh(body, size),
        late=sum(len(_text(tool)) for tool in late),
        comparable=isinstance(messages, list) and _only_grows(body),
    )


def _only_grows(body: Mapping[str, Any]) -> bool:
    """True where nothing is left out of the conversation that may be read again later."""
    management = body.get("context_management")
    edits = management.get("edits") if isinstance(management, dict) else None
    return all(isinstance(edit, dict) and edit.get("keep") == "all" for edit in edits or ())


def _settled(body: Mapping[str, Any]) -> dict[str, Any]:
    """Everything but the messages that decides how they are read."""
    kept = {name: body[name] for name in body if name not in _APART}
    for name in ("system", "tools"):
        if isinstance(kept.get(name), list):
            kept[name] = [_unmarked(each) for each in kept[name]]
    if isinstance(thinking := kept.get("thinking"), dict):
        kept["thinking"] = {key: value for key, value in thinking.items() if key != "budget_tokens"}
    return kept


def _plain(message: Any) -> Any:
    """A message without marks for the cache; a text by itself is the same as a list of that one text."""
    if not isinstance(message, dict):
        return message
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": [{"type": "text", "text": content}]}
    return {**message, "content": _blocks(content)} if isinstance(content, list) else message


def _blocks(content: list[Any]) -> list[Any]:
    """Blocks without their marks. Only where the API looks for one: what a tool was called with is content."""
    every = []
    for block in content:
        own = _unmarked(block)
        if (
            isinstance(own, dict)
            and own.get("type") == "tool_result"
            and isinstance(own.get("content"), list)
        ):
            own = {**own, "content": _blocks(own["content"])}
        every.append(own)
    return every


def _unmarked(block: Any) -> Any:
    return (
        {key: each for key, each in block.items() if key != "cache_control"}
        if isinstance(block, dict)
        else block
    )


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
