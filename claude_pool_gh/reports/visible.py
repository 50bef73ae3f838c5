"""A stranger's Markdown as a person sees it on GitHub, for the model: what is hidden there is hidden here too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from claude_pool_gh.reports.unseen import seen

_MARKDOWN: Final = MarkdownIt("commonmark", {"maxNesting": 20})
_NOT_SHOWN: Final = frozenset(
    {"script", "style", "template", "title", "head", "noscript", "iframe", "textarea"}
)
_NOTE: Final = re.compile(r" {0,3}\[\^([^\[\]\s]+)\]:")
_REFERENCE: Final = re.compile(r"\[\^([^\[\]\s]+)\]")
"""No label holds a bracket, so each is looked for only as far as the next one: in linear time."""
_BLOCK: Final = re.compile(r" {0,3}(?:#|>|[-+*]\s|\d+[.)]\s|```|~~~|<|\|)")
"""What ends a footnote without a blank line between."""


def visible_text(markdown: str, limit: int = 12_000) -> str:
    """The text that is shown: no comments, tags, link targets, titles, image sources or invisible characters."""
    body, notes = _without_notes(markdown[: 4 * limit])
    tokens = _MARKDOWN.parse(body)
    referred = _referred(tokens)
    for (
        label,
        text,
    ) in notes:  # GitHub shows a footnote at the end, and only when the text refers to it
        if label in referred:
            tokens += _MARKDOWN.parse(text)
    lines = "\n\n".join(filter(None, (block.strip() for block in _blocks(tokens))))
    return seen(lines)[:limit]


def _without_notes(markdown: str) -> tuple[str, list[tuple[str, str]]]:
    """The text without the definitions of footnotes, and those by their labels."""
    body: list[str] = []
    notes: list[tuple[str, list[str]]] = []
    inside = after_blank = False
    for line in re.split(r"\r\n?|\n", markdown):
        start = _NOTE.match(line)
        blank = not line.strip()
        if start:
            notes.append((start[1].lower(), [line[start.end() :]]))
            inside = True
        elif inside and (
            blank or line.startswith(("    ", "\t")) or not (after_blank or _BLOCK.match(line))
        ):
            notes[-1][1].append(line.strip())
        else:
            body.append(line)
            inside = False
        after_blank = blank
    return "\n".join(body), [(label, "\n".join(lines)) for label, lines in notes]


def _referred(tokens: list[Token]) -> frozenset[str]:
    children = (child for token in tokens for child in token.children or ())
    texts = (child.content for child in children if child.type == "text")
    return frozenset(label.lower() for text in texts for label in _REFERENCE.findall(text))


def _blocks(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        match token.type:
            case "inline":
                yield "".join(_inline(token.children or []))
            case "fence" | "code_block":
                yield token.content
            case "html_block":
                yield _text_of(token.content)
            case _:
                pass


def _inline(children: list[Token]) -> Iterator[str]:
    for token in children:
        match token.type:
            case "text" | "code_inline":
                yield token.content
            case "softbreak" | "hardbreak":
                yield "\n"
            case _:
                pass  # tags are not shown, and of an image only the picture


def _text_of(html: str) -> str:
    parser = _Shown()
    parser.feed(html + "\n")  # never closed: a comment or tag without an end hides what follows
    return "".join(parser.parts)


class _Shown(HTMLParser):
    """Collects the text between tags that GitHub shows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _NOT_SHOWN or any(name == "hidden" for name, _ in attrs):
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == tag:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)
