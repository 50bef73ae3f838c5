"""CODEOWNERS: who owns a path, by GitHub's rules. The last pattern that matches counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in this order."""


_COMMENT: Final = re.compile(r"(?:^|\s)#")
_WORD: Final = re.compile(r"(?:\\.|[^\s\\])+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: whose paths these are. No owners: nobody's."""

    pattern: str
    owners: tuple[str, ...]


def parse(text: str) -> tuple[Rule, ...]:
    """The rules of a file; comments and lines with what is no owner are passed over, as GitHub does."""
    lines = (_WORD.findall(_COMMENT.split(line, maxsplit=1)[0]) for line in text.split("\n"))
    return tuple(
        Rule(words[0].replace("\\ ", " "), tuple(words[1:]))
        for words in lines
        if words and all("@" in owner for owner in words[1:])
    )


def owners_of(rules: Sequence[Rule], path: str) -> tuple[str, ...]:
    """Logins (without the `@`), teams (`org/team`) or mail addresses that own a path."""
    for rule in reversed(rules):
        if matches(rule.pattern, path):
            return tuple(owner.removeprefix("@") for owner in rule.owners)
    return ()


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern of a CODEOWNERS file, or of `.gitignore`'s kind, names a path."""
    return _compiled(pattern).fullmatch(path) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    rooted = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", body)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text = "".join(signs.get(part, re.escape(part)) for part in parts)
    # `docs/*` names the files in a folder, and not those below them; a folder's name all that is in it.
    below = "" if pattern.endswith("/*") else "(?:/.*)?"
    if pattern.endswith("/"):
        below = "/.*"
    return re.compile(f"{'' if rooted else '(?:.*/)?'}{text}{below}", re.DOTALL)
