"""Finds the lines of a comment that are commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

WORD: Final = "/pool"
_BODY_LIMIT: Final = 64 * 1024
_LINES_LIMIT: Final = 5
_NOTED: Final = "noted"


def command_lines(body: str) -> list[str]:
    """The command lines of a comment, in order, at most five.

    A command begins its line, in a paragraph at the top of the comment: not in a fence, an indented block, a
    quote, a list, a table, a footnote, a formula, HTML or an HTML comment, nor in a link, a code span or struck-out
    text that runs over several lines.
    """
    if WORD not in body:
        return []
    text = body[:_BODY_LIMIT].replace("\r\n", "\n").replace("\r", "\n")
    source = text.split("\n")
    found: list[str] = []
    within: list[str] = []
    for token in _MARKDOWN.parse(text):
        if token.type == "html_block":
            _follow(token.content, within)
        elif token.type == "inline" and token.level == 1 and token.map and not within:
            first, end = token.map
            found.extend(_ended(source, first + at, end) for at in _begun(token.children or []))
    return [line for line in found if _is_command(line)][:_LINES_LIMIT]


def _note_line(state: StateInline, silent: bool) -> bool:
    """Matches nothing: leaves a note where a line begins with our word and Markdown reads that as text."""
    begins = state.pos == 0 or state.src[state.pos - 1] == "\n"
    if begins and not silent and state.linkLevel == 0 and state.src.startswith(WORD, state.pos):
        before, after = state.src[: state.pos], state.src[state.pos :]
        within: list[str] = []
        _follow("".join(token.content for token in state.tokens if token.type == "html_inline"), within)
        if not within and not (before.count(_FORMULA) % 2 and _FORMULA in after):
            state.push(_NOTED, "", 0).meta["line"] = before.count("\n")
    return False


def _begun(children: list[Token]) -> Iterator[int]:
    """The noted lines of a paragraph, but for those that are struck out."""
    struck = 0
    for token in children:
        match token.type:
            case "s_open" | "s_close":
                struck += token.nesting
            case _ if token.type == _NOTED and not struck:
                yield int(token.meta["line"])


def _ended(source: list[str], at: int, end: int) -> str:
    """A line as it is shown: a backslash at its end, where the paragraph goes on, only ends the line."""
    line = source[at]
    backslashes = len(line) - len(line.rstrip("\\"))
    return line[:-1] if backslashes % 2 and at + 1 < end else line


def _footnote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Passes over a footnote with the lines that lazily go on in it: GitHub shows it elsewhere, or not at all."""
    if state.is_code_block(start) or not _NOTE.match(state.src[state.bMarks[start] + state.tShift[start] :]):
        return False
    if not silent:
        others = state.md.block.ruler.getRules("paragraph")
        line = start + 1
        while (
            line < end and not state.isEmpty(line) and not any(it(state, line, end, _SILENT) for it in others)
        ):
            line += 1
        state.line = line
    return True


def _follow(html: str, within: list[str]) -> None:
    """Keeps track of the elements that are open after a piece of HTML: what stands in them is no line of its own."""
    for closes, name in _ELEMENT.findall(_COMMENT.sub("", html)):
        if not closes:
            within.append(name.lower())
        elif name.lower() in within:
            del within[len(within) - 1 - within[::-1].index(name.lower()) :]


_SILENT: Final = True
_FORMULA: Final = "$$"
_NOTE: Final = re.compile(r"\[\^[^\]\s]+\]:")
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ELEMENT: Final = re.compile(
    r"<(/?)(blockquote|code|del|details|dl|kbd|ol|pre|s|samp|strike|table|tt|ul)(?=[\s/>])", re.IGNORECASE
)
_MARKDOWN: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_MARKDOWN.inline.ruler.before("text", "command", _note_line)
_MARKDOWN.block.ruler.before("reference", "footnote", _footnote, {"alt": ["paragraph", "reference"]})


def _is_command(line: str) -> bool:
    return line == WORD or line.startswith((f"{WORD} ", f"{WORD}\t"))
