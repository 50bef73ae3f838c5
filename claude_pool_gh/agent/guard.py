"""The host's own check of every tool call: the path it names, with links followed, lies in the worktree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.agent import powers
from claude_pool_gh.pool.ports import AgentTask

_PATH_ARGUMENTS: Final = ("file_path", "path", "notebook_path")
_ESCAPE: Final = re.compile(r"\.\.|(^|[{,!])\s*[/~\\]")
"""Ways of a glob out of its folder: upwards, from the root or home, each also as one of several in braces."""


def refusal(tool: str, arguments: Mapping[str, Any], task: AgentTask, folder: Path) -> str | None:
    """Why a call is not allowed; None when it is."""
    if not powers.is_given(tool, task):
        return f"{tool} is not among this step's tools"
    if tool.startswith("mcp__"):
        return None  # whoever runs the server decides what it may reach
    for name in _PATH_ARGUMENTS:
        given = arguments.get(name)
        if given is not None and not _inside(str(given), folder):
            return f"{given} lies outside the worktree"
        if given is not None and _is_git(str(given)):
            return f"{given} belongs to git"
    given = str(arguments.get("file_path", ""))
    if tool == "Read" and given.lower().endswith(".pdf"):
        return f"{given} is a PDF: what reading it costs cannot be known before"
    pattern = arguments.get("pattern") if tool == "Glob" else arguments.get("glob")
    if pattern is not None and not _stays_below(str(pattern), folder, str(arguments.get("path") or ".")):
        return f"{pattern} reaches outside the worktree"
    return None


def _inside(given: str, folder: Path) -> bool:
    """Whether a path lies in the folder, however the CLI may read it: it trims, and knows a home."""
    if given != given.strip() or given.startswith("~"):
        return False
    try:
        return (folder / given).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def _is_git(given: str) -> bool:
    return any(part.lower().rstrip(" .") == ".git" for part in given.split("/"))


def _stays_below(pattern: str, folder: Path, start: str) -> bool:
    """Whether a glob that begins at `start` names nothing outside the folder, also not through a link."""
    if _ESCAPE.search(pattern):
        return False
    plain = re.split(r"[*?\[{]", pattern, maxsplit=1)[0].rpartition("/")[0]
    return _inside(f"{start}/{plain}", folder)
