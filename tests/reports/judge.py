"""Judges a text as GitHub would: what of it would come alive."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
ALIVE = re.compile(
    r"""(?<![a-z0-9])@[a-z0-9] | \#\d | (?<![a-z0-9])gh-\d | (?:https?|ftp|mailto):\S | (?<![a-z0-9])www\.\S
      | \[\^ | \[[ x]\] | \[!""",
    re.VERBOSE | re.IGNORECASE,
)
COMMAND = re.compile(r"\s*(?:[/!]\w|(?:bors|homu|recheck|reverify|retest)(?:[:\s]|$))", re.IGNORECASE)
DRAWN = {"suggestion", "mermaid", "math", "geojson", "topojson", "stl"}


def as_read(text: str) -> str:
    """The source without what only keeps other bots from reading it: letters as entities, fences one to the right."""
    plain = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), text)
    return re.sub(
        r"^ (`{3,})(.*)\n((?: .*\n|\n)*?) \1$",
        lambda found: found[0].replace("\n ", "\n")[1:],
        plain,
        flags=re.MULTILINE,
    )


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
            found += [line for line in _starts(token) if COMMAND.match(line)]
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


# What the host itself writes: folds, small print, and the summary of a fold, in which GitHub reads HTML and mentions.
FOLD = re.compile(r"\s*(?:</?details>|<details><summary>(?P<summary>.*)</summary>)\s*")
SUMMARY_CODE = re.compile(r"<code>[^<>]*</code>")
OWN_INLINE = ("<sub>", "</sub>")


def strange(text: str, links: Sequence[str] = (), headings: int = 0) -> list[str]:
    """What comes alive in a text beside what the host writes: its folds, `links`, and so many headings at the top."""
    found: list[str] = []
    depth = 0
    for at, token in enumerate(GITHUB.parse(text)):
        match token.type:
            case "html_block":
                lines = [line for line in token.content.split("\n") if line.strip()]
                found += [line for line in lines if not _is_fold(line)]
                depth += sum(line.count("<details>") - line.count("</details>") for line in lines)
            case "heading_open" if at < 3 * headings:
                pass
            case "heading_open":
                found.append("a heading")
            case "fence" if set(token.info.lower().split()[:1]) & DRAWN:
                found.append(token.info)
            case "inline":
                found += [f"a command: {line}" for line in _starts(token) if COMMAND.match(line)]
                found += _strange_inline(token.children or [], links)
            case _:
                pass
        if depth < 0:
            found.append("a fold that somebody else closed")
    return found + (["a fold that nobody closed"] if depth else [])


def _is_fold(line: str) -> bool:
    fold = FOLD.fullmatch(line)
    if fold is None:
        return False
    rest = html.unescape(SUMMARY_CODE.sub("…", fold["summary"] or ""))
    return "<" not in SUMMARY_CODE.sub("", fold["summary"] or "") and not ALIVE.search(rest)


def _strange_inline(children: list[Token], links: Sequence[str]) -> Iterator[str]:
    linked = False
    for child in children:
        match child.type:
            case "link_open":
                linked = child.attrs.get("href") in links
                if not linked:
                    yield f"a link to {child.attrs.get('href')}"
            case "link_close":
                linked = False
            case "image":
                yield "an image"
            case "html_inline" if child.content not in OWN_INLINE:
                yield child.content
            case "text" if not linked and ALIVE.search(child.content):
                yield child.content
            case _:
                pass
