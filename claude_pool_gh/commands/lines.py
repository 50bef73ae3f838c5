"""Finds the lines of a comment that are commands."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

WORD: Final = "/pool"
_BODY_LIMIT: Final = 64 * 1024
_LINES_LIMIT: Final = 5
# Only what decides whether a line is text: links, emphasis and the like never begin with our word.
_MARKDOWN: Final = MarkdownIt("commonmark").disable(
    ["link", "image", "emphasis", "autolink", "entity", "escape"]
)


def command_lines(body: str) -> list[str]:
    """The command lines of a comment, in order, at most five.

    A command begins its line, in a paragraph at the top of the comment: not in a fence, an indented block, a
    quote, a list, HTML or an HTML comment.
    """
    if WORD not in body:
        return []
    text = body[:_BODY_LIMIT].replace("\r\n", "\n")
    tokens = _MARKDOWN.parse(text)
    source = text.split("\n")
    found: list[str] = []
    for token in tokens:
        if token.type == "inline" and token.level == 1 and token.map and token.children:
            first, last = token.map
            found.extend(_of_paragraph(token.children, source[first:last]))
    return found[:_LINES_LIMIT]


def _of_paragraph(children: list[Token], source: list[str]) -> list[str]:
    """Source lines that are commands, in a paragraph that Markdown read as `children`.

    A line counts when Markdown also sees it begin as text: one inside an HTML comment or a code span that
    runs over several lines does not.
    """
    starts = [
        child.content
        for before, child in zip([None, *children], children, strict=False)
        if child.type == "text" and (before is None or before.type in ("softbreak", "hardbreak"))
    ]
    commands = [line for line in source if _is_command(line)]
    alive = [text for text in starts if _is_command(text)]
    return [line for line in commands if any(line.startswith(text.rstrip()) for text in alive)]


def _is_command(line: str) -> bool:
    return line == WORD or line.startswith((f"{WORD} ", f"{WORD}\t"))
