"""Names of branches: what git itself allows, and no name that a command line could take for an option."""

from __future__ import annotations

import re
from typing import Final

_NEVER: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")
_LONGEST: Final = 244
"""Bytes. A ref is a file's path below `refs/heads/` on GitHub's side, and longer names are refused there."""


def why_no_branch(name: str) -> str:
    """The reason why a name can be no branch that we push to; "" where it can. As `git check-ref-format`."""
    parts = name.split("/")
    if name.startswith("-"):
        return "it begins with a dash"
    if not name or "" in parts or name == "@":
        return "a part of it is empty"
    if (found := _NEVER.search(name)) or (".." in name and (found := re.search(r"\.\.", name))):
        return f"it contains {found[0]!r}"
    if "@{" in name:
        return "it contains '@{'"
    if name.endswith(".") or any(part.startswith(".") or part.endswith(".lock") for part in parts):
        return "a part of it begins with a dot or ends with `.lock`, or it ends with a dot"
    if len(name.encode(errors="surrogateescape")) > _LONGEST:
        return "it is too long"
    return ""
