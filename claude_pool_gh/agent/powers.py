"""The powers of an agent: the tools and permission rules of a run, for one that is trusted and for one that is not."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.pool.model.config import READING, PermissionMode
from claude_pool_gh.pool.model.ports import AgentTask

CONFINED: Final = frozenset({*READING, "Edit", "Write", "NotebookEdit", "TodoWrite"})
"""Tools that the guard can hold to one folder."""
RESULT_TOOL: Final = "StructuredOutput"
_CHANGING: Final = frozenset({"Write", "NotebookEdit"})
_WITHOUT_PATHS: Final = frozenset({"TodoWrite"})
_NEVER_UNASKED: Final = ("WebFetch", "WebSearch", "Agent", "SendMessage")


def refusal(task: AgentTask, *, trusted: bool) -> str | None:
    """The reason why a run cannot have what it wants; None when it can."""
    beyond = [tool for tool in task.tools if tool not in CONFINED]
    if beyond and not trusted:
        return (
            f"{', '.join(beyond)} cannot be held to the run's folder: it reaches whatever this process can reach. "
            "Give it only to agents whose every input you trust, with ClaudeAgent(trusted=True)"
        )
    if task.permission_mode is PermissionMode.bypass_permissions:
        if not trusted:
            return "the permission mode bypassPermissions is only for ClaudeAgent(trusted=True)"
        if os.geteuid() == 0:
            return "the CLI does not let root have the permission mode bypassPermissions: run as another user"
    return None


def tools(task: AgentTask) -> frozenset[str]:
    """Every tool that the run has, with the one for typed results."""
    return frozenset(task.tools) | ({RESULT_TOOL} if task.schema else frozenset())


def may_change(task: AgentTask, folder: Path, *, trusted: bool) -> tuple[Path, ...] | None:
    """The folders in which a run may change files, besides its own; None where it cannot be held to any.

    A trusted one reaches what this process reaches, and MCP servers are programs of the operator's choice.
    """
    if trusted or task.mcp_servers:
        return None
    return () if set(task.tools) <= set(READING) else (folder,)


def is_given(tool: str, task: AgentTask) -> bool:
    """True where a tool is among the run's own, or comes from one of its MCP servers."""
    return tool in tools(task) or any(
        tool.startswith(f"mcp__{name}__") for name in task.mcp_servers
    )


def allowed(task: AgentTask, *, trusted: bool) -> list[str]:
    """Rules for what needs no question. Nobody can be asked in the mode `dontAsk`: there it is all that is given."""
    given = (
        task.tools
        if task.permission_mode is PermissionMode.dont_ask
        else [t for t in task.tools if t in READING]
    )
    wanted = [*given, *task.allowed_tools]
    return list(
        dict.fromkeys(map(_as_edit, wanted) if trusted else filter(None, map(_held, wanted)))
    )


def disallowed(task: AgentTask) -> list[str]:
    """Rules for what is refused whatever allows it."""
    return [
        *(tool for tool in _NEVER_UNASKED if tool not in task.tools),
        *map(_as_edit, task.disallowed_tools),
    ]


def _held(rule: str) -> str | None:
    """A rule that reaches no further than the run's folder; None where that cannot be."""
    tool, _, pattern = rule.removesuffix(")").partition("(")
    if tool in _WITHOUT_PATHS or tool.startswith("mcp__"):
        return rule
    if tool not in CONFINED or pattern.startswith(("/", "~")) or ".." in pattern:
        return None
    # A bare `Read` would follow a link in the folder to any file of this machine.
    return _as_edit(f"{tool}({pattern or './**'})")


def _as_edit(rule: str) -> str:
    """A rule with a path, as the CLI wants it: whichever tool changes a file, the rule about it is one for `Edit`."""
    tool, bracket, rest = rule.partition("(")
    return f"Edit({rest}" if bracket and tool in _CHANGING else rule


def servers(task: AgentTask, folder: Path, *, trusted: bool) -> dict[str, Any]:
    """The run's MCP servers: the settings' own and, only where everything is trusted and asked for, the folder's."""
    if task.strict_mcp_config or not trusted:
        return dict(task.mcp_servers)
    return {**_of_folder(folder), **task.mcp_servers}


def _of_folder(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / ".mcp.json").read_text())["mcpServers"]
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return found if isinstance(found, dict) else {}
