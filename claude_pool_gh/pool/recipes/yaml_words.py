"""The complaints of a YAML parser, for people who do not know its words."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = (
    (
        r"mapping values are not allowed here",
        "a value with a colon and a blank in it: put the value in quotes, or correct the indentation",
    ),
    (r"found character '\\t' that cannot start any token", "a tab: indent with blanks"),
    (
        r"found character '(.)' that cannot start any token",
        r"a value that begins with `\1`: put it in quotes",
    ),
    (
        r"expected <block end>, but found .*",
        "this line does not fit the indentation above it, or a quote in the line is not closed",
    ),
    (r"found unexpected end of stream", "a quote that is not closed"),
    (r"expected ',' or '(.)', but got .*", r"a `\1` or a comma is missing before this"),
    (r"could not find expected ':'", "a line without the colon that makes it a key"),
)


def plainly(problem: str) -> str:
    """A parser's words in words of ours, as far as people cause them; else as they are."""
    for pattern, told in _WORDS:
        if (match := re.fullmatch(pattern, problem)) is not None:
            return match.expand(told)
    return problem
