"""Reads the token counts out of an answer of the Messages API, whole or streamed."""

from __future__ import annotations

import json
from typing import Any, Final

_LINE_LIMIT: Final = 64 * 2**20


class StreamUsage:
    """Follows a stream of server-sent events and keeps the newest counts.

    `complete` once the API has said its last count; before that, what was seen is only a part.
    """

    def __init__(self) -> None:
        self.counts: dict[str, Any] = {}
        self.complete = False
        self.error = ""
        """The kind of error that the API has sent instead of an answer's events."""
        self.events = 0
        """Events besides those that only say that the connection stands."""
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._rest = b""
        for line in lines:
            if line.startswith(b"data:"):
                self._take(line[5:])

    @property
    def refused(self) -> bool:
        """True where the API has sent an error before it had begun to answer, so nothing was read or written."""
        return bool(self.error) and self.events == 1

    @property
    def has_input(self) -> bool:
        """True where the API has said what it has read."""
        return isinstance(self.counts.get("input_tokens"), int)

    def _take(self, data: bytes) -> None:
        event = _object(data)
        if event.get("type") != "ping":
            self.events += 1
        match event.get("type"):
            case "error":
                self.error = str(_object_at(event, "error").get("type") or "api_error")
            case "message_start":
                self.counts |= _object_at(_object_at(event, "message"), "usage")
            case "message_delta":
                self.counts |= _object_at(event, "usage")
                self.complete = _is_whole(self.counts)
            case _:
                pass


def whole_usage(body: bytes) -> dict[str, Any] | None:
    """The counts of an answer that came in one piece; None when it is none of the API's answers."""
    usage = _object_at(_object(body), "usage")
    return usage if _is_whole(usage) else None


def is_error(body: bytes) -> bool:
    """True where an answer in one piece is the API's word that there is none."""
    return _object(body).get("type") == "error"


def _is_whole(counts: dict[str, Any]) -> bool:
    """True where the counts say both what was read and what was written: with less, a price would be a guess."""
    return all(isinstance(counts.get(name), int) for name in ("input_tokens", "output_tokens"))


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _object_at(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return {k: v for k, v in found.items() if v is not None} if isinstance(found, dict) else {}
