"""Finds the lines of a comment that are commands."""

from __future__ import annotations

from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

WORD: Final = "/pool"
_BODY_LIMIT: Final = 64 * 1024
_LINES_LIMIT: Final = 5
_BEGUN: Final = "begun"


def command_lines(body: str) -> list[str]:
    """The command lines of a comment, in order, at most five.

    A command begins its line, in a paragraph at the top of the comment: not in a fence, an indented block, a
    quote, a list, a table, HTML or an HTML comment, nor in a link or a code span that runs over several lines.
    """
    if WORD not in body:
        return []
    text = body[:_BODY_LIMIT].replace("\r\n", "\n").replace("\r", "\n")
    source = text.split("\n")
    notes: dict[str, Any] = {_BEGUN: {}}
    found: list[str] = []
    for token in _MARKDOWN.parse(text, notes):
        if token.type == "inline" and token.level == 1 and token.map:
            begun = notes[_BEGUN].get(token.content, ())
            found.extend(source[token.map[0] + at] for at in sorted(begun))
    return [line for line in found if _is_command(line)][:_LINES_LIMIT]


def _note_line(state: StateInline, silent: bool) -> bool:
    """Matches nothing: notes the lines of a paragraph that begin with our word and that Markdown reads as text."""
    begins = state.pos == 0 or state.src[state.pos - 1] == "\n"
    if begins and not silent and state.linkLevel == 0 and state.src.startswith(WORD, state.pos):
        state.env[_BEGUN].setdefault(state.src, set()).add(state.src.count("\n", 0, state.pos))
    return False


_MARKDOWN: Final = MarkdownIt("commonmark").enable("table")
_MARKDOWN.inline.ruler.before("text", "command", _note_line)


def _is_command(line: str) -> bool:
    return line == WORD or line.startswith((f"{WORD} ", f"{WORD}\t"))
