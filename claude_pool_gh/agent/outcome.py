"""Judges a run by what was seen of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.agent.record import Record
from claude_pool_gh.pool.ports import AgentOutcome, AgentTask, Ending

_STDERR_LINES: Final = 20
_VERDICTS: Final = {
    "budget": Ending.out_of_budget,
    "quota": Ending.quota,
    "model": Ending.failed,
    "key": Ending.failed,
}
_WORTH_ANOTHER_TRY: Final = frozenset({408, 409, 500, 502, 503, 504, 529})


@dataclass(slots=True)
class Facts:
    """What is known of a run while it lasts and after."""

    record: Record
    timed_out: str = ""
    broke: str = ""
    distrust: str = ""
    elapsed_ms: int = 0
    result: Any = None
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=_STDERR_LINES))

    @property
    def has_result(self) -> bool:
        """Whether the CLI said how it ended."""
        return self.result is not None

    def take(self, message: Any, task: AgentTask) -> None:
        """Note one message of the CLI. Kinds it does not know are passed over."""
        match type(message).__name__:
            case "SystemMessage":
                self._system(message, task)
            case "AssistantMessage" | "UserMessage":
                for block in message.content if isinstance(message.content, list) else ():
                    self._block(block)
            case "ResultMessage":
                self.result = message
            case _:
                pass

    def _system(self, message: Any, task: AgentTask) -> None:
        if message.subtype == "permission_denied":
            self.record.deny(str(message.data.get("tool_name")), str(message.data.get("message")))
        elif message.subtype == "init":
            self.distrust = _unlike(message.data, task)
            if self.distrust:
                raise PermissionError(self.distrust)

    def _block(self, block: Any) -> None:
        match type(block).__name__:
            case "TextBlock":
                self.record.say(block.text)
            case "ToolUseBlock":
                self.record.use(block.id, block.name, block.input)
            case "ToolResultBlock":
                self.record.answer(block.tool_use_id, _plain(block.content), error=bool(block.is_error))
            case _:
                pass


def judge(task: AgentTask, facts: Facts, verdict: str | None, detail: str) -> AgentOutcome:
    """The outcome. The gateway's own reason (`verdict`) outranks whatever the CLI says."""
    result = facts.result
    ending, reason, retryable = _ending(task, facts, verdict, detail)
    complete = ending is Ending.completed
    return AgentOutcome(
        ending=ending,
        reason=facts.record.redact(reason)[:500],
        retryable=retryable,
        text=facts.record.redact(facts.record.text)[:20_000],
        structured=_redacted(result.structured_output, facts.record.redact)
        if complete and task.schema
        else None,
        turns=0 if result is None else int(result.num_turns),
        elapsed_ms=facts.elapsed_ms,
        model=task.model,
        looked_at=facts.record.looked_at(),
        transcript=tuple(facts.record.entries),
    )


def _ending(task: AgentTask, facts: Facts, verdict: str | None, detail: str) -> tuple[Ending, str, bool]:
    result = facts.result
    if verdict is not None:
        return _VERDICTS[verdict], detail, False
    if facts.distrust:
        return Ending.failed, facts.distrust, False
    if facts.timed_out:
        return Ending.timed_out, facts.timed_out, True
    if result is None:
        return Ending.failed, f"the CLI ended without a result: {_why(facts)}", True
    if result.terminal_reason == "max_turns":
        return Ending.out_of_turns, f"no result after {task.turns} turns", False
    if result.is_error:
        return _api_error(result)
    if task.schema and not isinstance(result.structured_output, dict):
        return Ending.failed, "the model gave no result of the form asked for", True
    return Ending.completed, "", False


def _api_error(result: Any) -> tuple[Ending, str, bool]:
    # An error of the API arrives as subtype "success": only `is_error` and the reasons can be trusted.
    status = result.api_error_status
    what = result.terminal_reason or result.subtype
    if status == 429:
        return Ending.quota, "the model's API is over its rate limit", True
    if what == "structured_output_retry_exhausted" or result.subtype == "error_max_structured_output_retries":
        return Ending.failed, "the model gave no result of the form asked for", True
    said = str(result.result or "; ".join(result.errors or ()))[:300]
    return Ending.failed, f"{what}: {said}", status is None or status in _WORTH_ANOTHER_TRY


def _why(facts: Facts) -> str:
    return " / ".join([*facts.stderr, facts.broke]) or "no reason given"


def _unlike(init: dict[str, Any], task: AgentTask) -> str:
    """What the CLI runs with that was not asked for: such a run is stopped before its first token."""
    if init.get("permissionMode") != "dontAsk":
        return f"the CLI runs in permission mode {init.get('permissionMode')!r}"
    if init.get("mcp_servers"):
        return "the CLI started MCP servers that nobody asked for"
    extra = set(init.get("tools", ())) - set(task.tools) - {"StructuredOutput"}
    if extra:
        return f"the CLI offers tools that nobody asked for: {', '.join(sorted(extra))}"
    if init.get("model") != task.model:
        return f"the CLI runs the model {init.get('model')!r}"
    return ""


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """A JSON value with every text in it redacted."""
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted(item, redact) for item in value]
        case dict():
            return {redact(key): _redacted(item, redact) for key, item in value.items()}
        case _:
            return value


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""
