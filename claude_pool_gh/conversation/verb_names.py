"""The names of the verbs, known without importing one: each is the name of a file."""

from __future__ import annotations

from pathlib import Path

from claude_pool_gh.conversation import verbs


def verb_names() -> frozenset[str]:
    """The names of all verbs, for whoever needs to know no more of them."""
    files = (file for folder in verbs.__path__ for file in Path(folder).glob("*.py"))
    return frozenset(name_in(file.stem) for file in files if not file.name.startswith("_"))


def name_in(stem: str) -> str:
    """The verb that a file without its `.py` holds; what is a keyword of Python ends with `_` there."""
    return stem.rstrip("_")
