"""Every option of the SDK that safety hangs on, in one place; no caller can override them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from claude_agent_sdk import ClaudeAgentOptions, HookMatcher
from claude_agent_sdk.types import HookEvent, SystemPromptPreset

from claude_pool_gh.agent import powers
from claude_pool_gh.agent.guard import refusal
from claude_pool_gh.agent.outcome import AgentRunFacts
from claude_pool_gh.agent.process import Launch
from claude_pool_gh.agent.reminder import Reminder
from claude_pool_gh.pool.model.ports import AgentTask


def options(
    task: AgentTask,
    folder: Path,
    launch: Launch,
    facts: AgentRunFacts,
    reminder: Reminder,
    *,
    trusted: bool,
    live: bool,
) -> ClaudeAgentOptions:
    """The options of one run."""
    servers = powers.servers(task, folder, trusted=trusted)
    task = replace(task, mcp_servers=servers)
    facts.servers = frozenset(servers)
    resume = None if task.conversation is None else task.conversation.resume
    switches: dict[str, str | None] = {"disable-slash-commands": None}
    if not trusted:
        switches["restricted"] = None
    if task.conversation is None:
        switches["no-session-persistence"] = None
    return ClaudeAgentOptions(
        cwd=folder,
        cli_path=launch.executable,
        model=task.model,
        fallback_model=task.fallback_model,
        effort=task.effort,  # type: ignore[arg-type]  # checked by the configuration
        session_id=None if resume else str(uuid4()),
        resume=resume,
        system_prompt=_system_prompt(task),
        setting_sources=[],  # None, the default, runs the hooks of a stranger's repository
        strict_mcp_config=True,  # what the folder's own file may add is read by us, see `powers.servers`
        mcp_servers=_file(servers, launch) if servers else {},
        verbatim_prompts=True,  # else `@/path` in a pull request's text reads that file
        tools=list(task.tools),
        allowed_tools=powers.allowed(task, trusted=trusted),
        disallowed_tools=powers.disallowed(task),
        permission_mode=task.permission_mode.value,
        hooks=_hooks(None if trusted else _guard(task, folder, facts), reminder),
        output_format={"type": "json_schema", "schema": dict(task.schema)} if task.schema else None,
        max_turns=task.turns,
        include_partial_messages=live,
        max_buffer_size=64 * 2**20,
        extra_args=switches,
        stderr=facts.stderr.append,
    )


def _hooks(guard: HookMatcher | None, reminder: Reminder) -> dict[HookEvent, list[HookMatcher]]:
    after: HookEvent = "PostToolBatch"  # type: ignore[assignment]  # the CLI knows it, the SDK's types do not yet
    hooks: dict[HookEvent, list[HookMatcher]] = {
        after: [HookMatcher(hooks=[reminder.hook], timeout=10)]
    }
    return hooks if guard is None else {**hooks, "PreToolUse": [guard]}


def _guard(task: AgentTask, folder: Path, facts: AgentRunFacts) -> HookMatcher:
    async def check(call: Any, use_id: str | None, _context: Any) -> Any:
        why = refusal(call["tool_name"], call["tool_input"], task, folder)
        if why is None:
            return {}
        facts.guarded.add(str(use_id))
        facts.record.deny(call["tool_name"], why)
        decision = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": why,
        }
        return {"hookSpecificOutput": decision}

    return HookMatcher(hooks=[check], timeout=10, on_failure="block")


def _system_prompt(task: AgentTask) -> str | SystemPromptPreset:
    """The task's own, or the CLI's; what else is to be said stands after it, never in its place."""
    if task.system:
        return f"{task.system}\n\n{task.more_system}".strip()
    preset: SystemPromptPreset = {"type": "preset", "preset": "claude_code"}
    return {**preset, "append": task.more_system} if task.more_system else preset


def _file(servers: dict[str, Any], launch: Launch) -> Path:
    """The servers in a file that goes with the run: on a command line everybody could read their tokens."""
    path = launch.folder / "mcp.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"mcpServers": servers}))
    return path
