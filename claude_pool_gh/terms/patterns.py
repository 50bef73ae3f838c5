"""The one language of path patterns: that of CODEOWNERS and `.gitignore`, wherever people name paths.

A pattern without a slash in it names files and folders anywhere, another one from the repository's root; a folder's
name means all that is in it. `*` stays within a name, `**` does not.
"""

from __future__ import annotations

import re
from functools import lru_cache


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern names a path."""
    return _compiled(pattern).fullmatch(path) is not None


def names(word: str, path: str) -> bool:
    """Whether what a person gave as a path, which may be a pattern too, names a path.

    A path that stands for itself comes first: `app/[id]/page.tsx` is a file's name.
    """
    literal = _plain(word).strip("/")
    return path == literal or path.startswith(f"{literal}/") or literal in ("", ".") or matches(word, path)


def _plain(pattern: str) -> str:
    """Without `./` at the start, which says that it begins at the root."""
    while pattern.startswith("./"):
        pattern = "/" + pattern[2:].lstrip("/")
    return pattern


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    pattern = _plain(pattern)
    rooted = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    parts = re.split(r"((?:\*\*/)+|\*{2,}|\*|\?)", body)
    text = "".join(_sign(part) for part in parts)
    # `docs/*` names the files in a folder, and not those below them; a folder's name all that is in it.
    below = "" if pattern.endswith("/*") else "(?:/.*)?"
    if pattern.endswith("/"):
        below = "/.*"
    return re.compile(f"{'' if rooted else '(?:.*/)?'}{text}{below}", re.DOTALL)


def _sign(part: str) -> str:
    if part.startswith("**/"):
        return "(?:.*/)?"
    if part.startswith("**"):
        return ".*"
    return {"*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
