"""Secrets in quotes: what an agent says is kept with a mark in the place of each one, and the file has the secret.

Without this nobody could be told of a key that somebody has committed: a quote of that line is nowhere in the file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

_MARK: Final = re.compile(r"\[redacted(?: [0-9a-f]{10})?\]")
_LEAST: Final = 8
"""Characters that a secret has at least."""
_KEY_OF_LINES: Final = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END_OF_KEY: Final = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_TRIED: Final = 200
"""Places in one line at which a part of it is looked at."""
_WORD: Final = re.compile(r"\w")
_NAME: Final = re.compile(r"\w\w")


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


def is_part_but_for_the_hidden(line: str, part: str) -> bool:
    """True where a part of a line is what was quoted, with something without a blank where the quote has a mark.

    There must be something of the line on both sides of each secret, and a word of it.
    """
    first, *others = _MARK.split(part.strip())
    if not others or not first or not all(others) or not _NAME.search("".join((first, *others))):
        return False
    at = line.find(first)
    for _ in range(_TRIED):
        if at < 0:
            return False
        if _begins_word(line, at) and _follow(line, at + len(first), others):
            return True
        at = line.find(first, at + 1)
    return False


def _follow(line: str, at: int, pieces: Sequence[str]) -> bool:
    for piece in pieces:
        end = line.find(piece, at + _LEAST)
        if end < 0 or _has_blank(line, at, end):
            return False
        at = end + len(piece)
    return not (_WORD.match(line, at) and _WORD.match(line, at - 1))


def _begins_word(line: str, at: int) -> bool:
    return not (at and _WORD.match(line, at) and _WORD.match(line, at - 1))


def without_bodies_of_keys(lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Numbered lines without those of private keys below the first: a quote has one mark in the place of all."""
    kept: list[tuple[int, str]] = []
    ends = [at for at, (_, line) in enumerate(lines) if _END_OF_KEY.search(line)]
    until = -1
    for at, (number, line) in enumerate(lines):
        if at <= until:
            continue
        kept.append((number, line))
        begin = _KEY_OF_LINES.search(line)
        if begin is not None and not _END_OF_KEY.search(line, begin.end()):
            next_ = bisect_right(ends, at)
            until = ends[next_] if next_ < len(ends) else -1
    return kept


def _has_blank(line: str, start: int, end: int) -> bool:
    return any(each.isspace() for each in line[start:end])
