"""Texts made to be slow to read: what a stranger may write into a comment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

SIZE: Final = 64 * 1024


def _times(part: str) -> Callable[[int], str]:
    return lambda size: part * (size // len(part))


WORST: Final[Mapping[str, Callable[[int], str]]] = {
    "prose": _times("word "),
    "commands": _times("/pool x\n"),
    "words glued to markup": _times("/pool<b>\n"),
    "commands with markup": _times("/pool <b>\n"),
    "nearly commands": _times("/pools\n"),
    "commands in formulas": _times("$$\n/pool a\n"),
    "quotes in quotes": _times(">"),
    "quotes of a line each": _times(">" * 60 + "a\n"),
    "lists in lists": _times("- "),
    "lists, then empty lines": lambda size: "- " * (size // 4) + "\n" * (size // 2),
    "lists of a line each": _times("- " * 60 + "a\n"),
    "lists by indentation": lambda size: "\n".join(
        " " * (2 * depth) + "- a" for depth in range(int(size**0.5))
    ),
    "comments that never end": _times("<!-- "),
    "comments": _times("<!-- --> "),
    "declarations": _times("<![CDATA["),
    "instructions": _times("<?"),
    "backticks": lambda size: " ".join("`" * count for count in range(1, int((2 * size) ** 0.5))),
    "fences": _times("```\n"),
    "brackets": _times("["),
    "images": _times("!["),
    "links that never end": _times("[a]("),
    "links": _times("[a](b)"),
    "definitions": _times("[a]: b\n"),
    "references": lambda size: (
        "".join(f"[{at}]: x\n" for at in range(size // 20)) + "[1]" * (size // 6)
    ),
    "footnotes": lambda size: "[^1]" * (size // 5) + "\n\n[^1]: x\n",
    "emphasis": _times("*x*"),
    "emphasis that never ends": _times("*a_ "),
    "strong that never ends": _times("**a "),
    "struck out that never ends": _times("~~a "),
    "stars": _times("*"),
    "tables": lambda size: (
        "|a" * (size // 12) + "\n" + "|-" * (size // 12) + "|\n" + "|a\n" * (size // 6)
    ),
    "wide tables": lambda size: (
        "|a" * 200 + "\n" + "|-" * 200 + "|\n" + "|a\n" * min(size // 6, 1_900)
    ),
    "small tables": lambda size: "|a|b|\n|-|-|\n" + "|a\n" * (size // 4),
    "tags": _times("<b>"),
    "tags of nobody": lambda size: "<x>" * (size // 6) + "</y>" * (size // 8),
    "tags that never end": _times("<a "),
    "attributes that never end": _times('<a b="'),
    "addresses": _times("<a@b.c>"),
    "entities": _times("&amp;"),
    "backslashes": _times("\\"),
    "empty lines": _times("\n"),
    "carriage returns": _times("\r"),
    "NUL": _times("\0"),
    "who wrote": _times("wrote a b c d e f g h i:\n"),
    "who wrote, wrapped": _times("1 a b c d:\n"),
    "header fields": _times("From: a\n"),
    "header fields in a line": _times("From: " + "to: " * 60 + "\n"),
    "addresses that are none": _times("a.a@a" * 70 + ":\n"),
    "signatures": _times("sent from my " + "a" * 380 + "\n"),
    "dashes": _times("---" + "- " * 150 + "\n"),
}


def text(name: str, size: int) -> str:
    """A text of about that many characters, with a command at its end."""
    return WORST[name](size)[: size - 20] + "\n\n/pool review"
