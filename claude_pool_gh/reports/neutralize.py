"""Takes the life out of text that an agent or a stranger wrote, and leaves it readable.

The text is parsed as Markdown, what could act is turned into code or plain words, and the tree is written out
again: so nothing hides behind an entity, an escape or an unclosed tag. Mentions, references to issues, closing
keywords' targets, links, images, HTML, suggestion blocks and command lines do nothing afterwards.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdformat.renderer import MDRenderer

from claude_pool_gh.terms.markdown import SafeMarkdown

_INPUT_LIMIT: Final = 64 * 1024
_MARKDOWN: Final = MarkdownIt("commonmark", {"maxNesting": 20})
_ALIVE: Final = re.compile(
    r"""(?<![\w`])@[A-Za-z0-9][\w./-]*                              # a mention of a user or team
      | (?:[\w.-]+/[\w.-]+|\bGH-|\bgh-)?\#\d+ | \b(?:GH|gh)-\d+      # a reference to an issue
      | (?:https?|ftp|mailto):\S+ | \bwww\.\S+                       # what GitHub makes a link of by itself
      | \b[\w.+-]+@[\w-]+\.[\w.-]+                                   # an address
      | \[\^[^\]]*\] | \[(?=!|x\]|\ \])                              # footnotes, alerts and boxes
    """,
    re.VERBOSE,
)
_COMMAND: Final = re.compile(r"\s*[/!]\w\S*")
_DRAWN: Final = frozenset({"suggestion", "mermaid", "math", "geojson", "topojson", "stl"})
_KEPT_CONTROLS: Final = frozenset("\n\t")


def neutralize(text: str, limit: int = 4_000) -> SafeMarkdown:
    """The text as Markdown that does nothing, at most some `limit` characters of it."""
    tokens = _MARKDOWN.parse(_visible(text[:_INPUT_LIMIT])[:limit])
    rendered = MDRenderer().render(list(_blocks(tokens)), _MARKDOWN.options, {})
    return SafeMarkdown(rendered.strip())


def neutralize_line(text: str, limit: int = 300) -> SafeMarkdown:
    """The same for a text that must stay on one line."""
    one = " ".join(_visible(text).split())[:limit]
    tokens = _MARKDOWN.parseInline(one)  # no blocks: a leading `#` or `-` stays what it is
    rendered = MDRenderer().render(list(_blocks(tokens)), _MARKDOWN.options, {})
    return SafeMarkdown(" ".join(rendered.split()))


def code(text: str, limit: int = 300) -> SafeMarkdown:
    """The text as inline code, whatever it holds."""
    one = " ".join(_visible(text).split())[:limit] or " "
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", one)), default=0))
    pad = " " if one.startswith("`") or one.endswith("`") else ""
    return SafeMarkdown(f"{ticks}{pad}{one}{pad}{ticks}")


def fence(text: str, language: str = "") -> SafeMarkdown:
    """The text as a block of code, whatever it holds."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    body = _visible(text).rstrip("\n")
    return SafeMarkdown(f"{ticks}{language}\n{body}\n{ticks}")


def _visible(text: str) -> str:
    """Without what a person cannot see: controls, direction marks, zero-width and tag characters."""
    return "".join(
        c
        for c in text
        if c in _KEPT_CONTROLS
        or (unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs") and c not in "\u115f\u1160\u3164\uffa0")
    )


def _blocks(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        match token.type:
            case "html_block":
                yield Token("fence", "code", 0, content=token.content, markup="```", block=True)
            case "heading_open" | "heading_close":
                kind = token.type.replace("heading", "paragraph")
                yield Token(kind, "p", token.nesting, block=True, level=token.level)
            case "fence":
                language = re.match(r"[\w+-]*", token.info)
                named = language[0] if language else ""
                token.info = "" if named in _DRAWN else named
                yield token
            case "inline":
                token.children = list(_inline(token.children or []))
                yield token
            case _:
                yield token


def _inline(children: list[Token]) -> Iterator[Token]:
    line_start = True
    for token in children:
        match token.type:
            case "text":
                yield from _text(token.content, line_start=line_start)
            case "html_inline":
                yield _code(token.content)
            case "image":
                yield _code(f"image: {token.content or token.attrs.get('src', '')}")
            case "link_open":
                yield _code(str(token.attrs.get("href", ""))[:200])
                yield _plain(" ")
            case "link_close":
                pass
            case "code_inline":
                yield _code(token.content)
            case _:
                yield token
        line_start = token.type in ("softbreak", "hardbreak")


def _text(text: str, *, line_start: bool) -> Iterator[Token]:
    if line_start and (command := _COMMAND.match(text)):
        yield _code(command[0].strip())
        text = text[command.end() :]
    position = 0
    for found in _ALIVE.finditer(text):
        yield _plain(text[position : found.start()])
        yield _code(found[0])
        position = found.end()
    yield _plain(text[position:])


def _plain(text: str) -> Token:
    return Token("text", "", 0, content=text)


def _code(text: str) -> Token:
    return Token("code_inline", "code", 0, content=text.replace("\n", " ") or " ", markup="`")
