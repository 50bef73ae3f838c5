"""An answer as the API sends it: one JSON object, or a stream of server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from claude_pool_gh.rehearsal.model.bill import Usage
from claude_pool_gh.rehearsal.model.script import Answer, Text, ToolUse


def message(answer: Answer, model: str, usage: Usage) -> dict[str, Any]:
    """The whole answer as one object of the Messages API."""
    return {
        "id": f"msg_{uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [_block(block) for block in answer.blocks],
        "stop_reason": stop_reason(answer),
        "stop_sequence": None,
        "usage": asdict(usage),
    }


def stop_reason(answer: Answer) -> str:
    """The scripted reason, or the one that the blocks imply."""
    if answer.stop_reason is not None:
        return answer.stop_reason
    calls = any(isinstance(block, ToolUse) for block in answer.blocks)
    return "tool_use" if calls else "end_turn"


def opening(answer: Answer, model: str, usage: Usage) -> bytes:
    """The first event: the message without content, and what the input has cost so far."""
    start = message(answer, model, usage) | {"content": [], "stop_reason": None}
    start["usage"] = asdict(usage) | {"output_tokens": 1}
    return _event("message_start", {"message": start}) + _event("ping", {})


def block_events(index: int, block: Text | ToolUse) -> Iterator[bytes]:
    """The events of one content block."""
    if isinstance(block, Text):
        empty: dict[str, Any] = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": block.text}
    else:
        empty = _block(ToolUse(block.name, {}))
        delta = {"type": "input_json_delta", "partial_json": json.dumps(dict(block.input))}
    yield _event("content_block_start", {"index": index, "content_block": empty})
    yield _event("content_block_delta", {"index": index, "delta": delta})
    yield _event("content_block_stop", {"index": index})


def closing(answer: Answer, usage: Usage) -> bytes:
    """The last events: why it stopped, and the final count of tokens."""
    delta = {"stop_reason": stop_reason(answer), "stop_sequence": None}
    counted = {"delta": delta, "usage": {"output_tokens": usage.output_tokens}}
    return _event("message_delta", counted) + _event("message_stop", {})


def _block(block: Text | ToolUse) -> dict[str, Any]:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolUse(name, arguments):
            return {
                "type": "tool_use",
                "id": f"toolu_{uuid4().hex[:24]}",
                "name": name,
                "input": dict(arguments),
            }


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data)}\n\n".encode()
