"""CODEOWNERS: who owns a path, by GitHub's rules. The last pattern that matches counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.terms.patterns import matches

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
