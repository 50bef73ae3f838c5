"""How a run is judged by what was seen of it: why it ended, whether to try again, and what of it is handed on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from claude_agent_sdk.types import (
    AssistantMessage,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
)

from claude_pool_gh.agent.outcome import AgentRunFacts, judge
from claude_pool_gh.agent.passes import Pass, Verdict
from claude_pool_gh.agent.record import Record
from claude_pool_gh.pool.model.config import PermissionMode
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from tests.agent.bench import MODEL, a_task

OK = {"answer": "42"}
COMPLETED, FAILED = Ending.completed, Ending.failed


def result(**more: Any) -> ResultMessage:
    """The CLI's last word: it has come to its end and handed in an answer."""
    given = {"subtype": "success", "duration_ms": 1, "duration_api_ms": 1, "is_error": False}
    given |= {"num_turns": 3, "session_id": "s", "structured_output": OK}
    return ResultMessage(**{**given, "terminal_reason": "completed", **more})


def facts(**more: Any) -> AgentRunFacts:
    record = Record(lambda text: text.replace("secret", "***"), "/srv/tree")
    return AgentRunFacts(record=record, **more)


def judged(
    seen: AgentRunFacts | None = None,
    *,
    task: AgentTask | None = None,
    run: Pass | None = None,
    partial: str = "",
    **said: Any,
) -> AgentOutcome:
    """The outcome of a run. `said`: how the CLI's last word differs from that of one that completed."""
    if seen is None:
        seen = facts(result=result(**said))
    line = AgentChannel(partial=partial)
    return judge(task or a_task("t"), seen, line, run or Pass("t.1", frozenset({MODEL})))


def test_a_run_that_handed_in_its_answer_completed_and_needs_no_command_line() -> None:
    seen = facts(result=result(), command="claude ...", exit_code=0, elapsed_ms=7)
    seen.stderr.append("a warning")
    found = judged(seen)
    assert (found.ending, found.structured, found.turns) == (COMPLETED, OK, 3)
    assert (found.command, found.exit_code, found.stderr) == ("", None, "")
    assert (found.elapsed_ms, found.model, found.reason) == (7, MODEL, "")


@pytest.mark.parametrize(
    ("said", "ending", "again", "reason"),
    [
        ({"is_error": True, "api_error_status": 429}, Ending.quota, True, "over its rate limit"),
        (
            {"is_error": True, "api_error_status": 500, "result": "boom"},
            FAILED,
            True,
            "completed: boom",
        ),
        ({"is_error": True, "api_error_status": 529, "result": "busy"}, FAILED, True, "busy"),
        ({"is_error": True, "api_error_status": 408, "result": "late"}, FAILED, True, "late"),
        ({"is_error": True, "api_error_status": 400, "result": "no"}, FAILED, False, "no"),
        ({"is_error": True, "api_error_status": 403, "result": "no"}, FAILED, False, "no"),
        ({"is_error": True, "errors": ["a", "b"]}, FAILED, True, "completed: a; b"),
        ({"is_error": True, "terminal_reason": None, "result": "x"}, FAILED, True, "success: x"),
        (
            {
                "is_error": True,
                "api_error_status": 400,
                "subtype": "error_max_structured_output_retries",
            },
            FAILED,
            True,
            "no result of the form asked for",
        ),
        (
            {"is_error": True, "terminal_reason": "structured_output_retry_exhausted"},
            FAILED,
            True,
            "no result of the form asked for",
        ),
        ({"terminal_reason": "max_turns"}, Ending.out_of_turns, False, "no result after 40 turns"),
        # the error is only how the turns ran out
        (
            {"terminal_reason": "max_turns", "is_error": True},
            Ending.out_of_turns,
            False,
            "40 turns",
        ),
        ({"structured_output": None}, FAILED, True, "no result of the form asked for"),
        ({"structured_output": "prose"}, FAILED, True, "no result of the form asked for"),
    ],
)
def test_the_clis_last_word_is_read_by_its_reasons(
    said: dict[str, Any], ending: Ending, reason: str, *, again: bool
) -> None:
    found = judged(**said)
    assert (found.ending, found.retryable) == (ending, again)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("status", "told"), [(None, True), (502, True), (400, False), (404, False)]
)
def test_what_the_api_said_last_is_the_reason_where_it_can_be(
    status: int | None, *, told: bool
) -> None:
    run = Pass("t.1", frozenset({MODEL}), trouble="it is overloaded")
    found = judged(run=run, is_error=True, api_error_status=status, result="its own words")
    assert (found.reason == "the model's API: it is overloaded") is told
    assert ("its own words" in found.reason) is not told


@pytest.mark.parametrize(
    ("verdict", "ending", "operator"),
    [
        ("budget", Ending.out_of_budget, False),
        ("quota", Ending.quota, False),
        ("overload", Ending.quota, False),
        ("model", FAILED, False),
        ("request", FAILED, False),
        ("key", FAILED, True),
        ("credit", FAILED, True),
        ("unknown_model", FAILED, True),
    ],
)
def test_the_gateways_own_reason_outranks_whatever_the_cli_says(
    verdict: Verdict, ending: Ending, *, operator: bool
) -> None:
    run = Pass("t.1", frozenset({MODEL}), short=700)
    run.refuse(verdict, "why it was")
    run.refuse("request", "what came of that")
    for seen in (facts(result=result()), facts(timed_out="too long"), facts(stopped=True)):
        found = judged(seen, run=run)
        assert (found.ending, found.reason, found.retryable) == (ending, "why it was", False)
        assert found.operator is operator
        assert found.short == (700 if ending is Ending.out_of_budget else 0)
        assert found.structured is None


@pytest.mark.parametrize(
    ("seen", "ending", "again", "broken"),
    [
        (facts(stopped=True), Ending.cancelled, False, False),
        (facts(stopped=True, started=False), Ending.cancelled, False, False),
        (facts(stopped=True, timed_out="too long"), Ending.cancelled, False, False),
        (facts(timed_out="silent for 30 seconds"), Ending.timed_out, False, False),
        (facts(timed_out="never began", started=False), Ending.timed_out, True, True),
        (facts(distrust="it offers Bash", stopped=True), FAILED, False, False),
        (facts(), FAILED, True, False),
        (facts(started=False), FAILED, True, True),
    ],
)
def test_a_run_without_a_last_word_is_judged_by_what_ended_it(
    seen: AgentRunFacts, ending: Ending, *, again: bool, broken: bool
) -> None:
    found = judged(seen)
    assert (found.ending, found.retryable, found.broken) == (ending, again, broken)
    assert (
        found.reason == seen.distrust or ending is not FAILED or "without a result" in found.reason
    )


def test_a_cli_that_ended_in_the_middle_is_told_of_with_its_last_lines() -> None:
    seen = facts(broke="the pipe was closed", command="claude --secret", exit_code=3)
    for number in range(25):
        seen.stderr.append(f"line {number} of a secret")
    found = judged(seen)
    assert found.reason.startswith("the CLI ended without a result: line 5 of a *** / ")
    assert found.reason.endswith(" / the pipe was closed")
    assert found.stderr.split("\n")[0] == "line 5 of a ***"
    assert (found.command, found.exit_code) == ("claude --secret", 3)
    seen.stderr.extend(["x" * 40] * 20)
    assert len(judged(seen).reason) == 500
    assert judged(facts()).reason.endswith("no reason given")


def test_what_was_handed_in_before_the_turns_ran_out_is_kept_and_after_a_failure_is_not() -> None:
    assert judged(terminal_reason="max_turns").structured == OK
    assert judged(is_error=True, api_error_status=500).structured is None
    assert judged(task=a_task("t", schema=None)).structured is None


def test_nothing_that_is_handed_on_holds_a_secret() -> None:
    deep = {"a secret": ["secret", {"b": "secret", "n": 1}], "ok": True}
    seen = facts(result=result(structured_output=deep, is_error=False))
    seen.record.say("I saw a secret")
    found = judged(seen)
    assert found.structured == {"a ***": ["***", {"b": "***", "n": 1}], "ok": True}
    assert found.text == "I saw a ***"


def test_of_a_run_that_was_stopped_the_longer_of_what_it_had_said_is_kept_without_our_address() -> (
    None
):
    seen = facts(stopped=True)
    seen.record.say("I have looked at (http://127.0.0.1:4711/v1/messages) it")
    assert judged(seen, partial="I have").text == "I have looked at  it"
    longer = "I have looked at it and at more than was in the last whole message of localhost:99/x"
    assert judged(seen, partial=longer).text == longer.removesuffix("localhost:99/x")
    done = facts(result=result())
    done.record.say("done at http://localhost:1/")
    assert judged(done, partial="x" * 99).text == "done at http://localhost:1/"


# ---- questions that nobody answers

DENIED = {"tool_name": "Edit", "tool_use_id": "u1"}


def asked(task: AgentTask, *denials: dict[str, str], guarded: Iterable[str] = ()) -> AgentOutcome:
    return judged(
        facts(result=result(permission_denials=list(denials)), guarded=set(guarded)), task=task
    )


@pytest.mark.parametrize("mode", [PermissionMode.default, PermissionMode.accept_edits])
def test_a_run_that_would_have_had_to_ask_fails_and_says_for_what(mode: PermissionMode) -> None:
    task = a_task("t", detect_permission_prompts=True, permission_mode=mode)
    again = {"tool_name": "WebFetch", "tool_use_id": "u2"}
    found = asked(task, DENIED, again, DENIED | {"tool_use_id": "u3"})
    assert (found.ending, found.retryable) == (FAILED, False)
    assert "ask whether it may use Edit, WebFetch, and nobody is there" in found.reason
    assert "`allowed_tools`" in found.reason


@pytest.mark.parametrize(
    ("changes", "guarded"),
    [
        ({"detect_permission_prompts": False}, set()),
        ({"permission_mode": PermissionMode.dont_ask}, set()),
        ({}, {"u1"}),
    ],
    ids=["nobody wants to know", "in this mode nobody is asked", "a rule refused it"],
)
def test_a_refusal_that_is_no_question_fails_nothing(
    changes: dict[str, Any], guarded: set[str]
) -> None:
    usual = {"detect_permission_prompts": True, "permission_mode": PermissionMode.default}
    task = a_task("t", **{**usual, **changes})
    assert asked(task, DENIED, guarded=guarded).ending is COMPLETED


def test_in_the_plan_mode_allowing_a_tool_is_no_advice() -> None:
    task = a_task("t", detect_permission_prompts=True, permission_mode=PermissionMode.plan)
    reason = asked(task, DENIED).reason
    assert "the permission mode `plan` does not let it" in reason
    assert "allowed_tools" not in reason


# ---- message by message


def taken(*messages: Any, task: AgentTask | None = None) -> tuple[AgentRunFacts, AgentChannel]:
    seen, line = facts(servers=frozenset({"shop"})), AgentChannel()
    for message in messages:
        seen.take(message, task or a_task("t"), line)
    return seen, line


def test_only_a_rules_refusal_is_none_that_a_person_would_have_decided() -> None:
    def denied(use: str, why: str, kind: str = "mode") -> SystemMessage:
        data = {"tool_name": "Edit", "tool_use_id": use, "message": why}
        return SystemMessage("permission_denied", data | {"decision_reason_type": kind})

    def refused(use: str, why: str, *, error: bool = True) -> UserMessage:
        return UserMessage([ToolResultBlock(use, why, is_error=error)])

    seen, _ = taken(
        denied("1", "not now", "rule"),
        denied("2", "Permission to use Edit has been denied"),
        denied("3", "it would have to be asked for"),
        refused("4", "Denied: denied by your permission settings"),
        refused("5", "No such file"),
        refused("6", "denied by your permission settings, says the file", error=False),
    )
    assert seen.guarded == {"1", "2", "4"}
    assert seen.record.looked_at()["denied"] == [
        "Edit: not now",
        "Edit: Permission to use Edit has been denied",
        "Edit: it would have to be asked for",
    ]


def test_what_the_cli_says_to_the_model_is_not_the_agents_word() -> None:
    seen, _ = taken(
        AssistantMessage([TextBlock("mine"), ToolUseBlock("1", "Read", {"file_path": "a"})], MODEL),
        UserMessage([TextBlock("[Request interrupted]"), ToolResultBlock("1", [{"text": "x"}])]),
        UserMessage("a text by itself"),
        object(),
    )
    assert seen.record.text == "mine"
    assert [each["what"] for each in seen.record.entries] == ["says", "uses", "gets"]
    assert seen.record.entries[-1]["text"] == "x"
    assert seen.record.looked_at()["files"] == ["a"]


@pytest.mark.parametrize(
    ("models", "counts"),
    [
        ((MODEL,), MODEL),
        ((MODEL, "claude-b"), "claude-b"),
        ((MODEL, "<synthetic>"), MODEL),
        ((), MODEL),
    ],
)
def test_the_model_that_answered_last_is_one_that_was_asked(
    models: tuple[str, ...], counts: str
) -> None:
    task = a_task("t", fallback_model="claude-b")
    said = [AssistantMessage([], each) for each in models]
    seen, _ = taken(*said, task=task)
    seen.result = result()
    assert judged(seen, task=task).model == counts


def test_a_secret_that_comes_in_pieces_is_never_told_whole() -> None:
    def piece(text: str, kind: str = "text_delta") -> StreamEvent:
        return StreamEvent("u", "s", {"delta": {"type": kind, "text": text}})

    pieces = [piece(text) for text in ("a ", "sec", "ret", " is here")]
    _, line = taken(*pieces, piece("thought", "thinking_delta"), StreamEvent("u", "s", {}))
    assert line.partial == "a *** is here"


INIT = {
    "session_id": "s1",
    "permissionMode": "dontAsk",
    "mcp_servers": [{"name": "shop", "status": "connected"}],
    "tools": ["Read", "Grep", "Glob", "StructuredOutput", "mcp__shop__find"],
    "model": MODEL,
}


@pytest.mark.parametrize(
    ("more", "distrust"),
    [
        ({}, ""),
        ({"tools": []}, ""),
        ({"tools": [*INIT["tools"], "Bash", "Agent"]}, "nobody asked for: Agent, Bash"),
        ({"tools": ["Task"]}, "nobody asked for: Task"),
        ({"permissionMode": "acceptEdits"}, "permission mode 'acceptEdits'"),
        ({"mcp_servers": [{"name": "other", "status": "connected"}]}, "servers that nobody asked"),
        ({"mcp_servers": [{"name": "shop", "status": "pending"}]}, ""),
        ({"mcp_servers": [{"name": "shop", "status": "failed"}]}, "not start: 'shop' (failed)"),
        ({"mcp_servers": []}, "not start: 'shop' (not accepted by the CLI)"),
        ({"mcp_servers": None}, "not start: 'shop' (not accepted by the CLI)"),
        ({"model": "claude-other"}, "runs the model 'claude-other'"),
    ],
)
def test_a_cli_that_runs_with_something_else_than_was_asked_for_is_stopped(
    more: dict[str, Any], distrust: str
) -> None:
    task = a_task("t", mcp_servers={"shop": {"command": "x"}})
    seen, line = facts(servers=frozenset({"shop"})), AgentChannel()
    message = SystemMessage("init", INIT | more)
    if not distrust:
        seen.take(message, task, line)
        assert (seen.distrust, seen.session_id) == ("", "s1")
        return
    with pytest.raises(PermissionError) as error:
        seen.take(message, task, line)
    assert distrust in str(error.value)
    assert judged(seen, task=task).reason == seen.distrust


def test_tools_of_servers_are_none_that_were_asked_for_where_no_server_was() -> None:
    seen = facts()
    with pytest.raises(PermissionError, match="mcp__shop__find"):
        seen.take(SystemMessage("init", INIT | {"mcp_servers": []}), a_task("t"), AgentChannel())


def test_a_task_that_may_start_agents_has_that_tool_under_its_old_name_too() -> None:
    task = a_task("t", tools=("Read", "Agent"))
    init = INIT | {"mcp_servers": [], "tools": ["Read", "Task", "Agent"]}
    seen, _ = taken(SystemMessage("init", init), task=task)
    assert seen.distrust == ""
