"""Parts a command line into words: by spaces and tabs, held together by quotes of every kind that keyboards make."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CLOSING: Final = {
    '"': '"',
    "'": "'",
    "\u201c": "\u201d\u201c",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
    "\u2039": "\u203a",
    "\u203a": "\u2039",
    "\u300c": "\u300d",
    "\uff02": "\uff02",
}
"""For each quote that opens, those that close it."""
_BLANK: Final = " \t"
DASHES: Final = r"[-\u058a\u05be\u2010-\u2015\u2043\u2212\u2e3a\u2e3b\ufe58\ufe63\uff0d]+"
"""Dashes of all kinds: phones make one of two."""
_DASHED: Final = re.compile(DASHES)


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line."""

    text: str
    """Without its quotes."""
    start: int
    end: int
    quoted: bool = False
    """Whether it begins with a quote, so that what looks like a flag is none."""

    @property
    def dashes(self) -> str:
        """The dashes that it begins with, outside quotes."""
        match = None if self.quoted else _DASHED.match(self.text)
        return match[0] if match else ""


class NotClosed(ValueError):
    """A quote has no end."""


def words(line: str, start: int = 0) -> list[Word]:
    """All words from a place on. Raises NotClosed."""
    found = []
    while (word := next_word(line, start)) is not None:
        found.append(word)
        start = word.end
    return found


def quoted(text: str) -> str:
    """A text as `next_word` reads it as one word that is no flag, in quotes where that needs them."""
    if text and not _DASHED.match(text) and not {*_BLANK, *_CLOSING} & set(text):
        return text
    body = text.rstrip("\\")  # before the quote that closes, the last one would be none of the text
    escaped = body.replace('"', '\\"')
    return f'"{escaped}"{text[len(body) :]}'


def next_word(line: str, start: int) -> Word | None:
    """The first word from a place on, or None. Raises NotClosed.

    A quote begins at the beginning of a word or after the `=` of a flag; a double one also in its midst, where an
    apostrophe would not. In double quotes a backslash makes the next one a part of the text.
    """
    while start < len(line) and line[start] in _BLANK:
        start += 1
    if start == len(line):
        return None
    text: list[str] = []
    at = start
    while at < len(line) and line[at] not in _BLANK:
        letter = line[at]
        opens = letter == '"' or (letter in _CLOSING and (at == start or line[at - 1] == "="))
        if not opens:
            text.append(letter)
            at += 1
            continue
        inner, at = _quoted(line, at)
        text.append(inner)
    return Word("".join(text), start, at, quoted=line[start] in _CLOSING)


def _quoted(line: str, start: int) -> tuple[str, int]:
    """The text in quotes that open at a place, and where they end. An apostrophe closes nothing."""
    text: list[str] = []
    closing = _CLOSING[line[start]]
    at = start + 1
    while at < len(line):
        letter = line[at]
        if letter == "\\" and line[at + 1 : at + 2] == '"' == closing:
            text.append('"')
            at += 2
        elif letter in closing and not (letter in "'\u2019" and line[at + 1 : at + 2].isalnum()):
            return "".join(text), at + 1
        else:
            text.append(letter)
            at += 1
    raise NotClosed(line[start])
