"""A scripted model for any program: answers every prompt in the form that is asked for, and knows nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Text, ToolUse

_RESULT = "StructuredOutput"
_PIECES = 4


@dataclass(frozen=True, slots=True)
class Companion:
    """A script for `ScriptedModel`. An answer comes in a few pieces, `pace` seconds apart."""

    pace: float = 0.1

    def __call__(self, request: ModelRequest) -> Answer:
        """Answer one request of the Messages API."""
        schema = self._schema(request)
        if schema is not None:
            return Answer((ToolUse(_RESULT, instance(schema)),), delay=self.pace)
        words = f"This is a scripted answer, in the place of a model's, to: {_asked(request)[:600]}".split()
        size = -(-len(words) // _PIECES)
        pieces = (words[start : start + size] for start in range(0, len(words), size))
        return Answer(tuple(Text(" ".join(piece) + " ") for piece in pieces), pause=self.pace)

    def _schema(self, request: ModelRequest) -> Mapping[str, Any] | None:
        tools = request.body.get("tools") or ()
        return next(
            (tool.get("input_schema") for tool in tools if tool.get("name") == _RESULT), None
        )


def _asked(request: ModelRequest) -> str:
    """The newest thing that a user said, in one line, without what the CLI puts around it."""
    said = [
        message.get("content")
        for message in request.body.get("messages", ())
        if message.get("role") == "user"
    ]
    blocks = (
        said[-1] if said and isinstance(said[-1], list) else [{"text": said[-1] if said else ""}]
    )
    texts = [str(block.get("text") or "") for block in blocks]
    own = [text for text in texts if text.strip() and not text.startswith("<system-reminder>")]
    return " ".join(own[-1].split()) if own else "nothing"


def instance(schema: Mapping[str, Any]) -> Any:
    """The plainest value that a JSON Schema allows, of the keywords that people use for an agent's result."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: instance(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [
                instance(schema.get("items", {})) for _ in range(max(1, schema.get("minItems", 0)))
            ]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case _:
            return "scripted"
