"""Takes the life out of text that an agent or a stranger wrote, and leaves it readable.

The text is parsed as Markdown, what could act is turned into code or plain words, and the tree is written out
again: so nothing hides behind an entity, an escape or an unclosed tag. Mentions, references to issues, closing
keywords' targets, links, images, HTML, suggestion blocks and command lines do nothing afterwards.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from html import escape
from itertools import groupby
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdformat.renderer import MDRenderer

from claude_pool_gh.terms.markdown import SafeMarkdown

_INPUT_LIMIT: Final = 64 * 1024
_MARKDOWN: Final = MarkdownIt("commonmark", {"maxNesting": 20}).enable("strikethrough")
_ALIVE: Final = re.compile(
    r"""(?<![a-z0-9])@[a-z0-9][\w./-]*                               # a mention of a user or team
      | (?:(?<![\w.-])[\w.-]+/[\w.-]+)?\#\d+ | (?<![a-z0-9])gh-\d+  # a reference to an issue
      | (?:https?|ftp|mailto):\S+ | (?<![a-z0-9])www\.\S+            # what GitHub makes a link of by itself
      | (?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+                        # an address
      | \[\^ | \[(?=!|x\]|\ \])                                     # footnotes, alerts and boxes
    """,
    re.VERBOSE | re.IGNORECASE,
)
_AT_START: Final = re.compile(
    r"""[/!]\w\S*                                                    # a command
      | (?:bors|homu|recheck|reverify|retest)\b(?=[:\s]|\Z)           # one of bots that need no sign before it
      | ~{3}\S*                                                      # a fence that the writer would not escape
    """,
    re.VERBOSE | re.IGNORECASE,
)
_TABLE: Final = re.compile(
    r"[|:\s]*-[|:\s-]*"
)  # under a line with bars, this makes cells of it: they cut code in pieces
_MARK: Final = re.compile(r"(<!--\s*claude-pool):")
_BLOCK: Final = re.compile(
    r"\A(?:[0-9]{1,9}(?=[.)](?: |\Z))|(?=(?:#{1,6}|[-+*])(?: |\Z)|>|(?P<rule>[-=*_])(?: *(?P=rule))*\Z))"
)
"""What makes a heading, an item, a quote or a rule of a line."""
_PASSES: Final = 5
_BREAKS: Final = frozenset({"softbreak", "hardbreak"})
_DRAWN: Final = frozenset({"suggestion", "mermaid", "math", "geojson", "topojson", "stl"})
_KEPT_CONTROLS: Final = frozenset("\n\t")


def neutralize(text: str, limit: int = 4_000) -> SafeMarkdown:
    """The text as Markdown that does nothing, at most some `limit` characters of it."""
    return _settled(
        _visible(text[:_INPUT_LIMIT])[:limit], lambda text: _render(_MARKDOWN.parse(text)).strip()
    )


def neutralize_line(text: str, limit: int = 300) -> SafeMarkdown:
    """The same for a text that must stay on one line, and begins no block where the line begins with it."""
    one = " ".join(_visible(text).split())[:limit]
    settled = _settled(one, lambda line: " ".join(_render(_MARKDOWN.parseInline(line)).split()))
    return SafeMarkdown(_BLOCK.sub(lambda found: f"{found[0]}\\", settled))


def code(text: str, limit: int = 300) -> SafeMarkdown:
    """The text as inline code, whatever it holds."""
    one = " ".join(_visible(text).split())[:limit] or " "
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", one)), default=0))
    pad = " " if one.startswith("`") or one.endswith("`") else ""
    return SafeMarkdown(f"{ticks}{pad}{one}{pad}{ticks}")


def fence(text: str, language: str = "") -> SafeMarkdown:
    """The text as a block of code, whatever it holds."""
    body = _visible(text).rstrip("\n")
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return SafeMarkdown(f"{ticks}{language}\n{body}\n{ticks}" if body else f"{ticks}{language}\n{ticks}")


def summary(text: str, limit: int = 160) -> SafeMarkdown:
    """The text for a fold's summary, where Markdown is not read but HTML is, and mentions are."""
    one = " ".join(_visible(text).split())[:limit]
    parts = (
        f"<code>{escape(part, quote=False)}</code>" if alive else escape(part, quote=False)
        for part, alive in _parted(one)
    )
    return SafeMarkdown("".join(parts))


def _settled(text: str, once: Callable[[str], str]) -> SafeMarkdown:
    """What is written out is read once more, as GitHub will read it, until that changes nothing."""
    for _ in range(_PASSES):
        before, text = text, once(text)
        if text == before:
            break
    return SafeMarkdown(text)


def _render(tokens: list[Token]) -> str:
    return MDRenderer().render(list(_blocks(tokens)), _MARKDOWN.options, {})


def _visible(text: str) -> str:
    """Without what a person cannot see: controls, direction marks, zero-width and tag characters.

    Nor with one of our own hidden marks: the host finds its comments again by them, so nobody else may write one.
    """
    seen = "".join(
        c
        for c in text
        if c in _KEPT_CONTROLS
        or (
            unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
            and c not in "\u115f\u1160\u3164\uffa0"
        )
    )
    return _MARK.sub(r"\1 :", seen)


def _blocks(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        match token.type:
            case "html_block":
                yield Token("fence", "code", 0, content=_ended(token.content), markup="```", block=True)
            case "heading_open" | "heading_close":
                kind = token.type.replace("heading", "paragraph")
                yield Token(kind, "p", token.nesting, block=True, level=token.level)
            case "fence":
                language = re.match(r"[\w+-]*", token.info)
                named = language[0] if language else ""
                token.info = "" if named.lower() in _DRAWN else named
                token.content = _ended(token.content)
                yield token
            case "code_block":
                token.content = _ended(token.content)
                yield token
            case "inline":
                token.children = list(_inline(token.children or []))
                yield token
            case _:
                yield token


def _ended(block: str) -> str:
    """Code with its last line ended, or the fence would close on that line, which is to say never."""
    return block.rstrip("\n") + "\n"


def _inline(children: list[Token]) -> Iterator[Token]:
    """The tokens without life: texts that come to stand side by side are read as one, codes are kept apart."""
    runs = [(kind, list(run)) for kind, run in groupby(_harmless(children), key=lambda token: token.type)]
    starts = [True, *(kind in _BREAKS for kind, _ in runs)]
    ends = [*(kind in _BREAKS for kind, _ in runs[1:]), True]
    after_code = False
    for (kind, run), is_start, is_end in zip(runs, starts, ends, strict=False):
        for token in _text(run, is_start=is_start, is_end=is_end) if kind == "text" else run:
            is_code = token.type == "code_inline"
            if is_code and after_code:
                yield _plain(" ")
            yield token
            after_code = is_code


def _harmless(children: list[Token]) -> Iterator[Token]:
    for token in children:
        match token.type:
            case "html_inline":
                yield _code(token.content)
            case "image":
                yield _code(f"image: {token.content or token.attrs.get('src', '')}")
            case "link_open":
                yield _code(str(token.attrs.get("href", ""))[:200])
                yield _plain(" ")
            case "link_close":
                pass
            case "s_open" | "s_close":  # read as GitHub does, so that both part the text alike
                yield _plain(token.markup)
            case "code_inline":
                yield _code(token.content)
            case _:
                yield token


def _text(tokens: list[Token], *, is_start: bool, is_end: bool) -> Iterator[Token]:
    # Once more without what cannot be seen: entities are read only now.
    text = re.sub(r"\s+", " ", _visible("".join(token.content for token in tokens)))
    text = text.lstrip() if is_start else text
    text = text.rstrip() if is_end else text
    begin = (_AT_START.match(text) or (is_end and _TABLE.fullmatch(text))) if is_start else None
    if begin:
        yield _code(begin[0])
        text = text[begin.end() :]
    for part, alive in _parted(text):
        yield _code(part) if alive else _plain(part)


def _parted(text: str) -> Iterator[tuple[str, bool]]:
    """The pieces of a text, and which of them are alive. What follows one is read as if nothing stood before it."""
    while found := _ALIVE.search(text):
        if found.start():
            yield text[: found.start()], False
        yield found[0], True
        text = text[found.end() :]
    if text:
        yield text, False


def _plain(text: str) -> Token:
    return Token("text", "", 0, content=text)


def _code(text: str) -> Token:
    return Token("code_inline", "code", 0, content=_visible(text).replace("\n", " ") or " ", markup="`")
