"""Finds the lines of a comment that are commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.commands.mail import own_lines
from claude_pool_gh.commands.shown import ShownLine, shown

WORD: Final = "/pool"
_BODY_LIMIT: Final = 64 * 1024
_SOURCE_LIMIT: Final = 2_000
"""Lines of a comment that are read."""
_LINES_LIMIT: Final = 5
_BEGINS: Final = re.compile(r"/pool(?=[ \t]|\Z)", re.ASCII | re.IGNORECASE)
"""Phones write the first letter large."""
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)")
_FORMULA: Final = "$$"


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A line of a comment that is a command."""

    text: str
    leads: bool = True
    """Whether nothing but commands stands above it."""


def command_lines(body: str) -> list[str]:
    """The command lines of a comment, in order, at most five."""
    return [each.text for each in find(body)]


def find(body: str) -> list[CommandLine]:
    """The command lines of a comment, in order, at most five.

    A command begins its line, and the page shows it as a line of its own (see `shown`). What follows the line that
    begins a quoted mail is not read.
    """
    if WORD not in body[:_BODY_LIMIT].lower():
        return []
    text = body[:_BODY_LIMIT].replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    source = text.split("\n", _SOURCE_LIMIT)[:_SOURCE_LIMIT]
    source = source[: own_lines(source)]
    begun = [number for number, line in enumerate(source) if _BEGINS.match(line)]
    formulas = _in_formulas(source) if _FORMULA in text else frozenset()
    leading = _leading(source)
    found = [
        CommandLine(_as_shown(source[each.number], each), each.number < leading)
        for each in shown(source, begun)
        if each.number not in formulas
    ]
    return found[:_LINES_LIMIT]


def _as_shown(line: str, each: ShownLine) -> str:
    """A line without what the page does not show of it."""
    if each.comments:
        line = _COMMENT.sub("", line)
    if each.ends and line.endswith("\\"):
        line = line[:-1]
    return WORD + line[len(WORD) :]


def _leading(source: list[str]) -> int:
    """The number of the first line that is neither blank nor begins as a command does."""
    return next(
        (at for at, line in enumerate(source) if line.strip() and not _BEGINS.match(line)),
        len(source),
    )


def _in_formulas(source: list[str]) -> frozenset[int]:
    """The lines between two `$$` of one paragraph: GitHub shows a formula there, which Markdown knows nothing of."""
    found: list[int] = []
    within: list[int] = []
    marks = 0
    for number, line in enumerate(source):
        if not line.strip():
            within, marks = [], 0
            continue
        if marks % 2:
            within.append(number)
        if count := line.count(_FORMULA):
            found += within
            within = []
            marks += count
    return frozenset(found)
