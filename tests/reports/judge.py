"""Judges a text as GitHub would: rendered by its own renderer, and read in the source as other bots read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise

from markdown_it import MarkdownIt

from claude_pool_gh.reports.rendered import html_of
from claude_pool_gh.reports.unseen import seen

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
"""Near enough where a test only takes a text of ours apart."""
ALIVE = re.compile(
    r"""(?<![a-z0-9])@[a-z0-9] | \#\d | (?<![a-z0-9])gh-\d | (?:https?|ftp|mailto):[^\s\ufffc]
      | (?<![a-z0-9])www\.[^\s\ufffc]
      | \[\^ | \[[ x]\] | \[! | (?<![0-9a-z_])[0-9a-f]{7,40}(?![0-9a-z_])""",
    re.VERBOSE | re.IGNORECASE,
)
COMMAND = re.compile(
    r"""\s*(?:[/!.]\w | (?:bors|homu|recheck|reverify|retest|atlantis|jenkins|lgtm|rerun|codecov)\b
      | (?:ok|add)\ to\ | (?:run|skip|build|test|rebuild|merge|rebase)\ \w+(?:\ \w+)?\s*\Z | r\?\s)""",
    re.VERBOSE | re.IGNORECASE,
)
SIGN = re.compile(r"(?:\s*(?:[-*+>]|\d+[.)])\s)+[/!]\w")
"""In a list or a quote, where a bot would have to look for it."""
ANYWHERE = re.compile(
    r"\s*(?:jenkins\W+)?(?:(?:re)?test\W+this\W+please|ok\W+to\W+test)\W*\Z", re.IGNORECASE
)
"""What some bots look for anywhere; in a line of its own it is no part of a sentence."""
DRAWN = {"suggestion", "mermaid", "math", "geojson", "topojson", "stl"}
PLAIN = {"p", "ul", "ol", "li", "blockquote", "pre", "code", "hr", "br", "em", "strong", "del"}
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
FLOWING = {"code", "br", "em", "strong", "del", "a", "sub"}
VOID = {"br", "hr", "img", "input"}


def as_read(text: str) -> str:
    """The source without what only keeps other bots from reading it: letters as entities, fences one to the right."""
    plain = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), text)
    return re.sub(
        r"^ (`{3,})(.*)\n((?: .*\n|\n)*?) \1$",
        lambda found: found[0].replace("\n ", "\n")[1:],
        plain,
        flags=re.MULTILINE,
    )


@dataclass
class Node:
    """A text of the page, and the elements it stands in."""

    text: str
    path: tuple[str, ...]
    href: str = ""


@dataclass
class Tag:
    """A tag of the page: its name, its attributes, the elements it stands in."""

    name: str
    attrs: dict[str, str | None]
    path: tuple[str, ...]


@dataclass
class Tree(HTMLParser):
    """A rendered text, in order."""

    markdown: str
    nodes: list[Node | Tag] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    path: list[Tag] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(html_of(self.markdown))
        self.close()

    def _names(self) -> tuple[str, ...]:
        return tuple(tag.name for tag in self.path)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Tag(tag, dict(attrs), self._names())
        self.nodes.append(found)
        if tag not in VOID:
            self.path.append(found)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if self.path and self.path[-1].name == tag:
            self.path.pop()
        else:
            self.unopened.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        href = (
            next((tag.attrs.get("href") for tag in reversed(self.path) if tag.name == "a"), "")
            or ""
        )
        self.nodes.append(Node(data, self._names(), href))

    def handle_comment(self, data: str) -> None:
        self.other.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.other.append(f"<!{decl}>")

    def unknown_decl(self, data: str) -> None:
        self.other.append(f"<![{data}]>")

    def handle_pi(self, data: str) -> None:
        self.other.append(f"<?{data}>")

    def alive(self, links: Sequence[str] = ()) -> Iterator[str]:
        """Texts outside of code that act, or do once all of a block's are one: where GitHub drops a tag, they meet."""
        together = ""
        alone = False
        for node in self.nodes:
            if isinstance(node, Tag):
                if node.name not in FLOWING:
                    if not alone and ALIVE.search(together):
                        yield together
                    together, alone = "", False
                elif node.name == "br":
                    together += "\n"
            elif {"code", "pre"} & set(node.path):
                together += "\ufffc"
            elif not (node.href and node.href in links):
                together += node.text
                if ALIVE.search(node.text):
                    alone = True
                    yield node.text
        if not alone and ALIVE.search(together):
            yield together

    def drawn(self) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, Tag) and node.name == "pre":
                language = (node.attrs.get("lang") or "").lower().split(":")[0]
                if language in DRAWN:
                    yield language


_NAMES = {"a link": "link_open", "<img>": "image", "a heading": "heading_open"}


def life(text: str) -> list[str]:
    """What GitHub would make something of, or another bot obey."""
    found = strange(text, known=PLAIN | TABLE) + [
        f"not ended: {text!r}" for _ in range(not _ends(text))
    ]
    return [
        _NAMES.get(each.split(" to ")[0], "html_block" if each[0] == "<" else each)
        for each in found
    ]


def _ends(text: str) -> bool:
    tree = Tree(f"{text}\n\nTHE END")
    last = tree.nodes[-1] if not isinstance(tree.nodes[-1], Tag) else None
    texts = [node for node in tree.nodes if isinstance(node, Node) and node.text.strip()]
    return (
        bool(texts)
        and texts[-1].text.strip() == "THE END"
        and texts[-1].path == ("p",)
        and last is not None
    )


def hidden(text: str) -> list[str]:
    shown = seen(text)
    return [c for c in text if c not in shown] + (["a joiner"] if shown != text else [])


def commands(source: str) -> Iterator[str]:
    """Lines of the source that a bot would obey. The host's own lines to copy stand in fences and name itself."""
    ends = language = ""
    for line in source.split("\n"):
        ticks = re.match(r"\s*(?:(?:[-*+>]|\d+[.)])\s+)*(`{3,})([^`]*)$", line)
        if ends:
            if line.strip("> ") == ends:
                ends = ""
            elif (
                re.match(r"[/!.@][A-Za-z]|bors \w", line)
                and language not in ("taken", "suggestion")
                and line[:6] != "/pool "
            ):
                yield f"a command in code: {line}"
        elif ticks:
            ends, language = ticks[1], ticks[2]
        elif COMMAND.match(line) or ANYWHERE.match(line) or SIGN.match(line):
            yield f"a command: {line}"


# What the host itself writes beside plain Markdown: folds with a summary, small print, tables, headings.
HOST = PLAIN | TABLE | {"details", "summary", "sub"}


def strange(  # noqa: C901 - one straight list of what the host writes
    text: str,
    links: Sequence[str] = (),
    headings: int = 0,
    known: frozenset[str] | set[str] = frozenset(HOST),
) -> list[str]:
    """What comes alive in a text beside what the host writes: its folds, `links`, and so many headings at the top."""
    tree = Tree(text)
    found = [
        *commands(text),
        *tree.other,
        *tree.unopened,
        *(f"drawn: {each}" for each in tree.drawn()),
    ]
    found += [f"never closed: <{tag.name}>" for tag in tree.path]
    tags = [node for node in tree.nodes if isinstance(node, Tag)]
    for at, tag in enumerate(tags):
        match tag.name:
            case "h3" if at < headings:
                pass
            case "a":
                if tag.attrs.get("href") not in links:
                    found.append(f"a link to {tag.attrs.get('href')}")
            case _ if tag.name not in known:
                found.append("a heading" if tag.name[0] == "h" else f"<{tag.name}>")
            case "details" | "summary" | "sub" if tag.attrs:
                found.append(f"<{tag.name}> with {tag.attrs}")
            case "details" if "p" in tag.path or "li" in tag.path or "blockquote" in tag.path:
                found.append("a fold within a text")
            case _:
                pass
        if "summary" in tag.path and tag.name != "code":
            found.append(f"<{tag.name}> in a summary")
    for cell, node in pairwise(tree.nodes):
        begins = isinstance(cell, Tag) and cell.name in ("td", "th") and isinstance(node, Node)
        if begins and isinstance(node, Node) and re.match(r"[/!]\w", node.text):
            found.append(f"a command in a cell: {node.text}")
    return [*found, *tree.alive(links)]


def within(text: str, name: str) -> list[str]:
    """The texts within each element of a name, whole."""
    tree = Tree(text)
    shown: list[str] = []
    for node in tree.nodes:
        if isinstance(node, Tag) and node.name == name:
            shown.append("")
        elif isinstance(node, Node) and name in node.path:
            shown[-1] += node.text
    return shown


def outline(text: str) -> list[str]:
    """The page's tags in order."""
    return [node.name for node in Tree(text).nodes if isinstance(node, Tag)]
