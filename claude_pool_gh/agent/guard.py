"""The host's own check of every tool call: the path it names, with links followed, lies in the worktree."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.agent import powers
from claude_pool_gh.pool.model.ports import AgentTask

_PATH_ARGUMENTS: Final = ("file_path", "path", "notebook_path")
_TRIMMED: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""What the CLI takes off the ends of a text besides the blanks that Python knows."""
_ESCAPE: Final = re.compile(rf"\.\.|(^|[{{,!\s{_TRIMMED}])[/~\\]")
"""Ways of a glob out of its folder: upwards, from the root or home, each also as one of several in braces."""


def refusal(tool: str, arguments: Mapping[str, Any], task: AgentTask, folder: Path) -> str | None:
    """The reason why a call is not allowed; None when it is."""
    if not powers.is_given(tool, task):
        return f"{tool} is not among this step's tools"
    if tool.startswith("mcp__"):
        return None  # whoever runs the server decides what it may reach
    for name in _PATH_ARGUMENTS:
        given = arguments.get(name)
        if given is None:
            continue
        why = _path_refusal(given, folder) if isinstance(given, str) else "is no path"
        if why:
            return f"{given} {why}"
    given = str(arguments.get("file_path", ""))
    if tool == "Read" and _is_pdf(given, folder):
        return f"{given} is a PDF: what reading it costs cannot be known before"
    pattern = arguments.get("pattern") if tool == "Glob" else arguments.get("glob")
    if pattern is not None and (
        why := _glob_refusal(tool, str(pattern), folder, str(arguments.get("path") or "."))
    ):
        return f"{pattern} {why}"
    return None


def _path_refusal(given: str, folder: Path) -> str:
    """The fault of a path, judged by where it leads; empty where there is none."""
    place = _place(given, folder)
    if place is None:
        return "lies outside the worktree"
    return "belongs to git" if _is_git(place, folder) else ""


def _place(given: str, folder: Path) -> Path | None:
    """The target of a path in the folder, links followed; None where it leads out, however the CLI may read it."""
    # The CLI trims, and knows a home.
    if given != given.strip() or given != given.strip(_TRIMMED) or given.startswith("~"):
        return None
    try:
        place, own = (folder / given).resolve(), folder.resolve()
    except (OSError, ValueError, RuntimeError):
        return None
    return place if place.is_relative_to(own) else None


def _is_git(place: Path, folder: Path) -> bool:
    """True where a place in the folder is git's: by its name as any file system reads it, or by being the same file."""
    inside = place.relative_to(folder.resolve())
    if any(_names_git(part) for part in inside.parts):
        return True
    own = _identity(folder / ".git")
    return own is not None and any(
        _identity(folder / part) == own for part in (inside, *inside.parents) if part != Path()
    )


def _names_git(part: str) -> bool:
    """True where some file system reads a name as git's folder: case, blanks or dots at its end, what is not seen."""
    seen = (
        "".join(c for c in part if unicodedata.category(c) != "Cf")
        .casefold()
        .partition(":")[0]
        .rstrip(" .")
    )
    return seen == ".git" or re.fullmatch(r"git~\d+", seen) is not None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _is_pdf(given: str, folder: Path) -> bool:
    place = _place(given, folder)
    return any(
        name.lower().endswith(".pdf") for name in (given, "" if place is None else place.name)
    )


def _glob_refusal(tool: str, pattern: str, folder: Path, start: str) -> str:
    """The fault of a glob that begins at `start`; empty where there is none."""
    outside = "reaches outside the worktree"
    if _ESCAPE.search(pattern):
        return outside
    if pattern.startswith("!"):
        return ""  # it only leaves out
    plain = re.split(r"[*?\[{]", pattern, maxsplit=1)[0].rpartition("/")[0]
    place = _place(f"{start}/{plain}", folder)
    if place is None:
        return outside
    # The CLI cuts the globs of a search apart at blanks, and at commas outside braces.
    parts = {*re.split(r"[/\s]", pattern), *re.split(r"[/\s,]", pattern)}
    if _is_git(place, folder) or any(map(_may_name_git, parts)):
        return "reaches what belongs to git; name what you look for, such as .github/**"
    beyond = pattern[len(plain) :].replace("/", "")
    if tool == "Grep" and set(beyond) <= {"*"} and (place / ".git").exists():
        # Such a glob overrides the CLI's own rule that git's folder is left out.
        return "names everything, what belongs to git too: leave it out"
    return ""


def _may_name_git(part: str) -> bool:
    """True where a part of a glob picks git's folder out by more than naming everything."""
    plain = part.casefold().replace("\\", "").replace("[^", "[!")
    readings = [each for each in _spelled_out(plain) if set(each) - {"*"}]
    return any(fnmatchcase(".git", each) for each in readings)


def _spelled_out(part: str, most: int = 64) -> list[str]:
    """A part of a glob without braces: each of its readings; as if it named git's folder where they are too many."""
    readings = [part]
    while any("{" in each for each in readings):
        again: list[str] = []
        for each in readings:
            found = re.search(r"\{([^{}]*)\}", each)
            if found is None:  # a brace that spans several parts, or is never closed
                again.append(each.replace("{", "*").replace("}", "*").replace(",", "*"))
                continue
            again += [
                each[: found.start()] + one + each[found.end() :] for one in found[1].split(",")
            ]
        readings = again
        if len(readings) > most:
            return [".git"]
    return [each.replace("}", "*").replace(",", "*") if "}" in each else each for each in readings]
