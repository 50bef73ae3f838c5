"""The end of the author's own words in a text that came by mail: below stands what was answered, often without a `>`.

A line that begins a quoted message is known by what it is made of rather than by its language, where that is possible:
an address before a colon, words between dashes, header fields in a row. The words of the common mail programs are
known besides, in `mail_words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from claude_pool_gh.commands import mail_words as words

_WRAPPED: Final = 4
"""Over so many lines programs wrap the sentence that says who wrote what follows."""
_HEADER: Final = 6
"""Within so many lines a second header field follows the first."""
_LINE_LIMIT: Final = 400
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*\Z)|~{3,})")
_FORMAT: Final = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff*_]+")
"""Marks of direction, and what programs make of bold type."""
_ADDRESS: Final = re.compile(r"[\w*>-]@[\w-]+\.\w")
_DIVIDER: Final = re.compile(r"-{3,}[^-].*[^-]-{3,}|-{2,} ?on .+ wrote ?-{2,}")
_COMMAND: Final = re.compile(r"/pool(?=\s|\Z)", re.IGNORECASE)


def own_lines(lines: list[str]) -> int:
    """The number of lines that are the author's own: those above the first that begins a quoted mail or its footer.

    Lines in fences are passed over: logs and SQL hold such lines too.
    """
    fence = ""
    for at, line in enumerate(lines):
        marks = _FENCE.match(line)
        if fence:
            closes = (
                marks is not None
                and marks[1].startswith(fence)
                and not line.strip(" \t" + fence[0])
            )
            fence = "" if closes else fence
        elif marks is not None:
            fence = marks[1]
        elif _is_signature(lines, at) or (
            (plain := _plain(line)) and _begins_mail(lines, at, plain)
        ):
            return at
    return len(lines)


def _is_signature(lines: list[str], at: int) -> bool:
    """Two dashes and a space, or two dashes below a blank line; otherwise they make a heading of what is above."""
    line = lines[at]
    return line == "-- " or (line.rstrip() == "--" and (at == 0 or not lines[at - 1].strip()))


def _plain(line: str) -> str:
    if len(line) > _LINE_LIMIT:
        return ""
    named = line.replace("***@***.***", "hidden@address.invalid")  # as GitHub writes addresses
    named = named.removesuffix("\\")  # and ends of lines
    return _FORMAT.sub("", named).replace("\u00a0", " ").replace("\u202f", " ").strip().casefold()


def _begins_mail(lines: list[str], at: int, plain: str) -> bool:
    if plain.startswith(">"):
        return False  # in a quote that Markdown sees by itself
    if words.FOOTERS.match(plain) or words.FORWARDED.match(plain) or _DIVIDER.fullmatch(plain):
        return True
    if plain.endswith((":", "\uff1a")) or words.WROTE_AT_END.search(plain):
        return _says_who_wrote(lines, at)
    return _begins_header(lines, at, plain)


def _says_who_wrote(lines: list[str], at: int) -> bool:
    """True where an address, or a word for writing and a number, stand in this line or those that it ends."""
    wrote = dated = False
    for number in range(at, max(-1, at - _WRAPPED), -1):
        plain = _plain(lines[number])
        if not plain or _COMMAND.match(plain):
            return False
        if _ADDRESS.search(plain):
            return True
        wrote = wrote or bool(words.WROTE.search(plain))
        dated = dated or any(letter.isdigit() for letter in plain)
        if wrote and dated:
            return True
    return False


def _begins_header(lines: list[str], at: int, plain: str) -> bool:
    """True where header fields begin here: the sender with a date or an address, or three of them."""
    if words.field(plain) is None:
        return False
    kinds = list(_fields(lines, at))
    first_two = set(kinds[:2])
    return len(set(kinds)) >= 3 or (
        "from" in first_two and ("sent" in first_two or bool(_ADDRESS.search(plain)))
    )


def _fields(lines: list[str], at: int) -> Iterator[str]:
    for line in lines[at : at + _HEADER]:
        if plain := _plain(line):
            if (kind := words.field(plain)) is None:
                return
            yield kind
            yield from words.more_fields(plain)
