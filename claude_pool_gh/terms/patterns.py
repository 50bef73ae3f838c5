"""The one language of path patterns: that of CODEOWNERS and `.gitignore`, wherever people name paths.

A pattern without a slash in it names files and folders anywhere, another one from the repository's root; a folder's
name means all that is in it. `*` stays within a name, `**` does not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final


def matches(pattern: str, path: str) -> bool:
    """True where a pattern names a path."""
    return _compiled(pattern).fullmatch(path) is not None


def names(word: str, path: str) -> bool:
    """True where what a person gave as a path, which may be a pattern too, names a path.

    A path that stands for itself comes first: `app/[id]/page.tsx` is a file's name.
    """
    literal = _plain(word).strip("/")
    return (
        path == literal
        or path.startswith(f"{literal}/")
        or literal in ("", ".")
        or matches(word, path)
    )


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
    # `docs/*` names the files in a folder, and not those below them; a folder's name all that is in it.
    below = "" if pattern.endswith("/*") else "(?:/.*)?"
    if pattern.endswith("/"):
        below = "/.*"
    return re.compile(_text(body if rooted else f"**/{body}") + below, re.DOTALL)


_DEEP: Final = re.compile(r"((?:\*\*/)+|\*{2,})")
_FREE: Final = {True: "(?:.*?/)??", False: ".*?"}
"""What `**/` and `**` stand for."""


def _text(body: str) -> str:
    """As a regular expression that takes time in proportion to a path's length squared at most.

    A wildcard that another one of at least its power follows takes the first place that fits, and never another one:
    what comes after it can reach wherever a later place could.
    """
    first, *rest = _DEEP.split(body)
    text = _within(first, is_last=not rest)
    for at in range(0, len(rest), 2):
        is_last = at + 2 >= len(rest)
        part = _FREE["/" in rest[at]] + _within(rest[at + 1], is_last=is_last)
        text += part if is_last else f"(?>{part})"
    return text


def _within(part: str, *, is_last: bool) -> str:
    """A part without `**`."""
    first, *rest = (
        "".join("[^/]" if sign == "?" else re.escape(sign) for sign in piece)
        for piece in part.split("*")
    )
    free = [f"[^/]*?{piece}" for piece in rest]
    return first + "".join(
        piece if is_last and number == len(free) else f"(?>{piece})"
        for number, piece in enumerate(free, 1)
    )
