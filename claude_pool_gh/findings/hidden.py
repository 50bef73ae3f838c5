"""Secrets in quotes: what an agent says is kept with a mark in the place of each one, and the file has the secret.

Without this nobody could be told of a key that somebody has committed: a quote of that line is nowhere in the file.
"""

from __future__ import annotations

import re
from typing import Final

_MARK: Final = re.compile(r"\[redacted(?: [0-9a-f]{10})?\]")
_LEAST: Final = 8
"""Characters that a secret has at least."""
_KEY_OF_LINES: Final = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_WORD: Final = re.compile(r"\w")


def has_hidden(text: str) -> bool:
    """True where a mark stands in a text."""
    return _MARK.search(text) is not None


def equal_but_for_the_hidden(line: str, quoted: str) -> bool:
    """True where a line is what was quoted, with something without a blank where the quote has a mark.

    A private key takes lines of its own: its first one is meant. A mark alone says nothing of any other line.
    """
    first, *others = _MARK.split(quoted.strip())
    line = line.strip()
    if not others or not line.startswith(first):
        return not others and line == first
    if _KEY_OF_LINES.match(line, len(first)):
        return True
    if len(_WORD.findall("".join((first, *others)))) < 2:
        return False
    *between, last = others
    at = len(first)
    for piece in between:
        end = line.find(piece, at + _LEAST)
        if end < 0 or _has_blank(line, at, end):
            return False
        at = end + len(piece)
    end = len(line) - len(last)
    return line.endswith(last) and end - at >= _LEAST and not _has_blank(line, at, end)


def _has_blank(line: str, start: int, end: int) -> bool:
    return any(each.isspace() for each in line[start:end])
