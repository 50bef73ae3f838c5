"""Judges a run by what was seen of it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.agent import models
from claude_pool_gh.agent.passes import OPERATOR, Pass
from claude_pool_gh.agent.record import Record
from claude_pool_gh.pool.model.config import PermissionMode
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending

_STDERR_LINES: Final = 20
_LOOK_BACK: Final = 4_000
_STARTED: Final = frozenset({"connected", "pending"})
"""States of an MCP server in which its tools are there, or still may come."""
_VERDICTS: Final = {
    "budget": Ending.out_of_budget,
    "quota": Ending.quota,
    "overload": Ending.quota,
    "model": Ending.failed,
    "request": Ending.failed,
    "key": Ending.failed,
    "credit": Ending.failed,
    "unknown_model": Ending.failed,
}
_BY_RULE: Final = re.compile(
    r"^Permission to use .* has been denied|denied by your permission settings", re.DOTALL
)
"""What the CLI says of a call that a rule refuses, and not of one that it would have asked about."""
_ADDRESS: Final = re.compile(r"\(?(?:https?://)?(?:127\.0\.0\.1|localhost)(?::\d+)?\S*\)?")
"""This process's own address, where the CLI believes the model's API to be."""
_WORTH_ANOTHER_TRY: Final = frozenset({408, 409, 500, 502, 503, 504, 529})


@dataclass(slots=True)
class AgentRunFacts:
    """The facts of an agent's run, while it lasts and after."""

    record: Record
    timed_out: str = ""
    stopped: bool = False
    """Ended because nobody wanted it any more."""
    broke: str = ""
    started: bool = True
    """Whether the CLI came so far as to be given its task."""
    exit_code: int | None = None
    command: str = ""
    session_id: str | None = None
    servers: frozenset[str] = frozenset()
    """The MCP servers that it was given."""
    guarded: set[str] = field(default_factory=set)
    """Calls that the host's own guard, or one of the task's rules, refused: nobody would have been asked."""
    distrust: str = ""
    model: str = ""
    """The one that answered last: after an overload the fallback."""
    elapsed_ms: int = 0
    result: Any = None
    stderr: deque[str] = field(default_factory=lambda: deque(maxlen=_STDERR_LINES))

    @property
    def has_result(self) -> bool:
        """True where the CLI said how it ended."""
        return self.result is not None

    def take(self, message: Any, task: AgentTask, line: AgentChannel) -> None:
        """Note one message of the CLI. Kinds it does not know are passed over."""
        match type(message).__name__:
            case "SystemMessage":
                self._system(message, task)
            case "AssistantMessage" | "UserMessage" as who:
                if who == "AssistantMessage" and message.model in (task.model, task.fallback_model):
                    # else a helper's own, or what the CLI itself puts in
                    self.model = message.model
                for block in message.content if isinstance(message.content, list) else ():
                    self._block(block, own=who == "AssistantMessage")
            case "StreamEvent":
                self._hear(_piece(message.event), line)
            case "ResultMessage":
                self.result, self.session_id = message, message.session_id
            case _:
                pass

    def _hear(self, piece: str, line: AgentChannel) -> None:
        """Pass on what the agent says. A secret comes in pieces too, so the newest of it is looked at each time."""
        if piece:
            line.say(piece)
            line.partial = line.partial[:-_LOOK_BACK] + self.record.redact(
                line.partial[-_LOOK_BACK:]
            )

    def _system(self, message: Any, task: AgentTask) -> None:
        if message.subtype == "permission_denied":
            why = str(message.data.get("message"))
            self.record.deny(str(message.data.get("tool_name")), why)
            if message.data.get("decision_reason_type") == "rule" or _BY_RULE.search(why):
                self.guarded.add(str(message.data.get("tool_use_id")))
        elif message.subtype == "init":
            self.session_id = message.data.get("session_id")
            self.distrust = _unlike(message.data, task, self.servers)
            if self.distrust:
                raise PermissionError(self.distrust)

    def _block(self, block: Any, *, own: bool) -> None:
        match type(block).__name__:
            case "TextBlock" if own:
                # else the CLI has spoken to the model, as when it is interrupted
                self.record.say(block.text)
            case "ToolUseBlock":
                self.record.use(block.id, block.name, block.input)
            case "ToolResultBlock":
                answer = _plain(block.content)
                self.record.answer(block.tool_use_id, answer, error=bool(block.is_error))
                if block.is_error and _BY_RULE.search(answer):
                    self.guarded.add(block.tool_use_id)
            case _:
                pass


def judge(task: AgentTask, facts: AgentRunFacts, line: AgentChannel, run: Pass) -> AgentOutcome:
    """The outcome. The gateway's own reason (`run.verdict`) outranks whatever the CLI says."""
    result = facts.result
    ending, reason, retryable = _ending(task, facts, run)
    complete = ending is Ending.completed
    said = (
        facts.record.text
        if complete or len(facts.record.text) > len(line.partial)
        else line.partial
    )
    return AgentOutcome(
        ending=ending,
        reason=facts.record.redact(reason)[:500],
        retryable=retryable,
        operator=run.verdict in OPERATOR,
        short=run.short if ending is Ending.out_of_budget else 0,
        broken=result is None and not facts.started and not facts.stopped,
        text=facts.record.redact(said if complete else _ADDRESS.sub("", said))[:20_000],
        structured=_redacted(_handed_in(task, facts, ending), facts.record.redact),
        turns=0 if result is None else int(result.num_turns),
        elapsed_ms=facts.elapsed_ms,
        model=facts.model or models.plain(task.model),
        session_id=facts.session_id if task.conversation is not None else None,
        command="" if complete else facts.command,
        exit_code=None if complete else facts.exit_code,
        stderr="" if complete else facts.record.redact("\n".join(facts.stderr)),
        looked_at=facts.record.looked_at(),
        transcript=tuple(facts.record.entries),
    )


def _ending(task: AgentTask, facts: AgentRunFacts, run: Pass) -> tuple[Ending, str, bool]:
    result = facts.result
    if run.verdict is not None:
        return _VERDICTS[run.verdict], run.detail, False
    if facts.distrust:
        return Ending.failed, facts.distrust, False
    if facts.stopped:
        return Ending.cancelled, "", False
    if facts.timed_out:
        # It has cost what a whole run costs, and would again: only a run that never began is worth another try.
        return Ending.timed_out, facts.timed_out, not facts.started
    if result is None:
        return Ending.failed, f"the CLI ended without a result: {_why(facts)}", True
    if result.terminal_reason == "max_turns":
        return Ending.out_of_turns, f"no result after {task.turns} turns", False
    if result.is_error:
        return _api_error(result, run.trouble)
    return _completed(task, facts)


def _handed_in(task: AgentTask, facts: AgentRunFacts, ending: Ending) -> Any:
    """The typed result; of a run that ran out of turns, what it had handed in before."""
    if (
        facts.result is None
        or not task.schema
        or ending not in (Ending.completed, Ending.out_of_turns)
    ):
        return None
    return facts.result.structured_output


def _completed(task: AgentTask, facts: AgentRunFacts) -> tuple[Ending, str, bool]:
    """The run came to its end by itself; whether it did what it was asked to is another question."""
    if task.detect_permission_prompts and task.permission_mode is not PermissionMode.dont_ask:
        denials = facts.result.permission_denials or ()
        asked = [denial for denial in denials if denial.get("tool_use_id") not in facts.guarded]
        if asked:
            return Ending.failed, _would_ask(asked, task.permission_mode), False
    if task.schema and not isinstance(facts.result.structured_output, dict):
        return Ending.failed, "the model gave no result of the form asked for", True
    return Ending.completed, "", False


def _api_error(result: Any, trouble: str) -> tuple[Ending, str, bool]:
    # An error of the API arrives as subtype "success": only `is_error` and the reasons can be trusted.
    status = result.api_error_status
    what = result.terminal_reason or result.subtype
    if status == 429:
        return Ending.quota, "the model's API is over its rate limit", True
    if (
        what == "structured_output_retry_exhausted"
        or result.subtype == "error_max_structured_output_retries"
    ):
        return Ending.failed, "the model gave no result of the form asked for", True
    again = status is None or status in _WORTH_ANOTHER_TRY
    if trouble and (status is None or status in _WORTH_ANOTHER_TRY):
        return Ending.failed, f"the model's API: {trouble}", again
    said = _ADDRESS.sub("", str(result.result or "; ".join(result.errors or ()))).strip()[:300]
    return Ending.failed, f"{what}: {said}", again


def _why(facts: AgentRunFacts) -> str:
    return " / ".join([*facts.stderr, facts.broke]) or "no reason given"


def _would_ask(denials: list[dict[str, Any]], mode: PermissionMode) -> str:
    names = ", ".join(dict.fromkeys(str(denial.get("tool_name")) for denial in denials))
    if mode is PermissionMode.plan:  # whatever `allowed_tools` says
        return f"the agent wanted to use {names}, and the permission mode `plan` does not let it"
    return (
        f"the agent would have had to ask whether it may use {names}, and nobody is there: add it to `allowed_tools`, "
        "or set `unattended_mode`, so that the agent is told no and goes on without"
    )


def _piece(event: dict[str, Any]) -> str:
    """The prose in one event of a streamed answer."""
    delta = event.get("delta") or {}
    return str(delta.get("text", "")) if delta.get("type") == "text_delta" else ""


def _unlike(init: dict[str, Any], task: AgentTask, servers: frozenset[str]) -> str:
    """The settings that the CLI runs with and that were not asked for: such a run is stopped before its first token."""
    if init.get("permissionMode") != task.permission_mode:
        return f"the CLI runs in permission mode {init.get('permissionMode')!r}"
    states = {server.get("name"): server.get("status") for server in init.get("mcp_servers") or ()}
    if set(states) - servers:
        return "the CLI started MCP servers that nobody asked for"
    if why := _not_started(states, task):
        return why
    given = (tool for tool in init.get("tools", ()) if not tool.startswith("mcp__") or not servers)
    # its old name
    asked = {*task.tools, "StructuredOutput"} | ({"Task"} if "Agent" in task.tools else set())
    extra = set(given) - asked
    if extra:
        return f"the CLI offers tools that nobody asked for: {', '.join(sorted(extra))}"
    if init.get("model") != models.plain(task.model):
        return f"the CLI runs the model {init.get('model')!r}"
    return ""


def _not_started(states: Mapping[Any, Any], task: AgentTask) -> str:
    """Which of the settings' MCP servers are not there: the task was given their tools to work with."""
    missing = {
        name: states.get(name) for name in task.mcp_servers if states.get(name) not in _STARTED
    }
    if not missing:
        return ""
    told = ", ".join(
        f"{name!r} ({state or 'not accepted by the CLI'})" for name, state in missing.items()
    )
    return f"MCP servers did not start: {told}; check `command` or `url` in `mcp_servers`, or leave them out"


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
