"""Judges a text as GitHub would: what of it would come alive."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALIVE = re.compile(
    r"""(?<![a-z0-9])@[a-z0-9] | \#\d | (?<![a-z0-9])gh-\d | (?:https?|ftp|mailto):\S | (?<![a-z0-9])www\.\S
      | \[\^ | \[[ x]\] | \[!""",
    re.VERBOSE | re.IGNORECASE,
)
DRAWN = {"suggestion", "mermaid", "math", "geojson", "topojson", "stl"}


def tokens_of(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from tokens_of(token.children or [])


def life(text: str) -> list[str]:
    """What GitHub would make something of."""
    found = []
    for token in tokens_of(GITHUB.parse(text)):
        if token.type in ("link_open", "image", "html_inline", "html_block", "heading_open"):
            found.append(token.type)
        if token.type == "text" and ALIVE.search(token.content):
            found.append(token.content)
        if token.type == "fence" and set(token.info.lower().split()[:1]) & DRAWN:
            found.append(token.info)
        if token.type == "inline":
            found += [line for line in _starts(token) if re.match(r"\s*[/!]\w", line)]
    return found


def _starts(inline: Token) -> Iterator[str]:
    start = True
    for child in inline.children or []:
        if start and child.type == "text":
            yield child.content
        start = child.type in ("softbreak", "hardbreak")


def hidden(text: str) -> list[str]:
    return [
        c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    ]
