"""A request as a script sees it, and the answers that it may give. No HTTP here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.model.bill import Usage


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call of the Messages API, with the questions a script usually asks of it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    size: int
    """Bytes of the body as it came."""

    @property
    def model(self) -> str:
        """The model id asked for."""
        return str(self.body.get("model", ""))

    @property
    def turn(self) -> int:
        """The number of answers of the model in this conversation so far."""
        return sum(
            1 for message in self.body.get("messages", ()) if message.get("role") == "assistant"
        )

    @property
    def tools(self) -> frozenset[str]:
        """Names of the tools on offer."""
        return frozenset(str(tool.get("name", "")) for tool in self.body.get("tools", ()))

    @property
    def system(self) -> str:
        """The system prompt as one text."""
        return _flatten(self.body.get("system", ""))

    @property
    def text(self) -> str:
        """Every user and tool text of the conversation, oldest first."""
        messages = self.body.get("messages", ())
        return "\n".join(_flatten(message.get("content", "")) for message in messages)

    @property
    def last(self) -> str:
        """The newest message of the user: the prompt, or what a tool answered."""
        messages = self.body.get("messages", ())
        return _flatten(messages[-1].get("content", "")) if messages else ""


def _flatten(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_flatten(block) for block in content)
    if isinstance(content, Mapping):
        return _flatten(content.get("text") or content.get("content") or "")
    return ""


@dataclass(frozen=True, slots=True)
class Text:
    """A block of prose."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one of the offered tools."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A normal answer, with the ways it can go wrong on its way.

    `delay` seconds pass before the first byte, `pause` between two blocks. `stall_after` blocks the stream
    falls silent for ever; `cut_after` blocks the connection is reset.
    """

    blocks: tuple[Text | ToolUse, ...]
    usage: Usage | None = None
    stop_reason: str | None = None
    delay: float = 0.0
    pause: float = 0.0
    stall_after: int | None = None
    cut_after: int | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """An error of the API, in its own JSON form."""

    status: int
    kind: str = "api_error"
    message: str = "scripted failure"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that no API would send."""

    body: bytes
    status: int = 200
    content_type: str = "text/html"


Reply = Answer | Fail | Raw
Script = Callable[[ModelRequest], Reply | Awaitable[Reply]]


def say(text: str, **options: Any) -> Answer:
    """An answer of one text."""
    return Answer((Text(text),), **options)


def use(name: str, arguments: Mapping[str, Any], **options: Any) -> Answer:
    """An answer that calls one tool."""
    return Answer((ToolUse(name, arguments),), **options)
