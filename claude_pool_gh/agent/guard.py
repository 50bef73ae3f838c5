"""The host's own check of every tool call: the path it names, with links followed, lies in the worktree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_PATH_ARGUMENTS: Final = ("file_path", "path", "notebook_path")


def refusal(tool: str, arguments: Mapping[str, Any], tools: frozenset[str], folder: Path) -> str | None:
    """Why a call is not allowed; None when it is."""
    if tool not in tools:
        return f"{tool} is not among this step's tools"
    for name in _PATH_ARGUMENTS:
        given = arguments.get(name)
        if given is not None and not _inside(str(given), folder):
            return f"{given} lies outside the worktree"
    pattern = arguments.get("pattern") if tool == "Glob" else arguments.get("glob")
    if isinstance(pattern, str) and (pattern.startswith(("/", "~")) or ".." in pattern.split("/")):
        return f"{pattern} reaches outside the worktree"
    return None


def _inside(given: str, folder: Path) -> bool:
    try:
        return (folder / given).resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False
