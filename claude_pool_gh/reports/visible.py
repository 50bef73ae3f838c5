"""A stranger's Markdown as a person sees it on GitHub, for the model: what is hidden there is hidden here too."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN: Final = MarkdownIt("commonmark", {"maxNesting": 20})
_NOT_SHOWN: Final = frozenset(
    {"script", "style", "template", "title", "head", "noscript", "iframe", "textarea"}
)


def visible_text(markdown: str, limit: int = 12_000) -> str:
    """The text that is shown: no comments, tags, link targets, titles, image sources or invisible characters."""
    tokens = _MARKDOWN.parse(markdown[: 4 * limit])
    lines = "\n\n".join(filter(None, (block.strip() for block in _blocks(tokens))))
    return _seen(lines)[:limit]


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


def _seen(text: str) -> str:
    return "".join(
        c
        for c in text
        if c in "\n\t"
        or (
            unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs")
            and not 0xFE00 <= ord(c) <= 0xFE0F
            and not 0xE0100 <= ord(c) <= 0xE01EF
            and c not in "\u115f\u1160\u3164\uffa0\u2800"
        )
    )


def _text_of(html: str) -> str:
    parser = _Shown()
    parser.feed(html)
    parser.close()
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
