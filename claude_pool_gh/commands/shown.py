"""Which lines of a comment GitHub shows as lines of their own, read off what its own renderer makes of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from claude_pool_gh.terms import cmark

_PAGE_LIMIT: Final = 512 * 1024
"""Characters of HTML; what a person writes makes a few thousand, and never this out of one comment."""
_EXTENSIONS: Final = ("table", "strikethrough")
_CELLS_LIMIT: Final = 20_000
"""Columns times rows: the renderer fills rows up to the width of their table."""
_NESTED: Final = re.compile(r"(?:[ \t]*(?:>|[-+*](?=[ \t])|[0-9]{1,9}[.)](?=[ \t]))){64}")
"""A line that opens so many quotes and lists at once; each line after it would have to look at all of them."""
_TRANSPARENT: Final = frozenset({"b", "div", "em", "h1", "h2", "i", "ins", "p", "span", "strong"})
"""What may be around a command: its text is shown, and nothing is done with it. A rule below makes it a heading."""
_WORD: Final = re.compile("/pool", re.ASCII | re.IGNORECASE)
_WORD_LENGTH: Final = len("/pool")
_BITS: Final = 12
_NO_NUMBER: Final = -1
_VOID: Final = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)
_IMPLIED: Final = frozenset({"dd", "dt", "li", "option", "rp", "rt"})
_IN_TABLES: Final = frozenset({"tbody", "td", "tfoot", "th", "thead", "tr"})
"""Elements that end with the one around them, though nothing says so."""
_UNSEEN: Final = frozenset(
    {"details", "iframe", "noscript", "script", "style", "template", "textarea", "title"}
)


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line that is shown, by its number."""

    number: int
    ends: bool = False
    """Whether a backslash at its end only ends the line."""
    comments: bool = False
    """Whether HTML comments stand in it, which are not shown."""


def shown(source: list[str], candidates: list[int]) -> list[ShownLine]:
    """Those of the candidates, lines that begin with a slash and a word, that stand in a paragraph of their own text.

    Not in code, quotes, lists, tables, headings, footnotes, links, images, definitions, comments, folds, struck-out
    text, or anything else that HTML puts around them. Takes time linear in the length of the text.
    """
    cells = max((line.count("|") for line in source), default=0) * len(source)
    if not candidates or cells > _CELLS_LIMIT or any(_NESTED.match(line) for line in source):
        return []
    marks = _Marks.of("\n".join(source))
    marked = [marks.unnumbered(line) for line in source]
    for number in candidates:
        line = source[number]
        marked[number] = marks.numbered(number) + marks.unnumbered(line[_WORD_LENGTH:])
    text = "\n".join(marked)
    # Once without the HTML of its author's, and once with it.
    safe, whole = cmark.render(text, _EXTENSIONS, cmark.FOOTNOTES, cmark.FOOTNOTES | cmark.UNSAFE)
    if len(whole) > _PAGE_LIMIT:
        return []
    written = {marks.number(each) for each in marks.pattern.finditer(safe)} - {_NO_NUMBER}
    return [each for each in _Reader(whole, marks).read() if each.number in written]


@dataclass(frozen=True, slots=True)
class _Marks:
    """A word that stands for `/pool` while a comment is rendered, and by which each line is found again.

    The line's number is in the word's large and small letters: where Markdown compares texts, as in `[a][/pool x]`, it
    does not look at those, so it still reads the comment as it was.
    """

    word: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, text: str) -> _Marks:
        """One that the text does not hold: nobody can write down a digest of what he is writing."""
        digest = hashlib.sha256(text.encode(errors="replace")).digest()[:12]
        word = "".join(chr(ord("a") + byte % 16) for byte in digest)
        return cls(word, re.compile(f"/{word}([xX]{{{_BITS}}})"))

    def numbered(self, number: int) -> str:
        """The mark of a line."""
        bits = format(number + 1, f"0{_BITS}b")
        return f"/{self.word}" + bits.replace("0", "x").replace("1", "X")

    def unnumbered(self, text: str) -> str:
        """A text in which no line begins, with the word everywhere else."""
        return _WORD.sub(f"/{self.word}" + "x" * _BITS, text)

    def number(self, match: re.Match[str]) -> int:
        """The number of the line that a mark stands for, if it stands for one."""
        return int(match[match.re.groups].replace("x", "0").replace("X", "1"), 2) - 1


@dataclass(slots=True)
class _Reader:
    """Goes once through a rendered comment, and knows at each place which elements are open."""

    html: str
    marks: _Marks
    open: list[str] = field(default_factory=list)
    """Those elements that make what stands in them something else than a line."""

    def read(self) -> list[ShownLine]:
        """The marked lines that are shown."""
        token = re.compile(f"{_TAGS}|(?P<own>{self.marks.pattern.pattern})", re.DOTALL)
        found: list[ShownLine] = []
        line_end = -1
        self.html = _EMPHASIS.sub("", self.html)
        for match in token.finditer(self.html):
            if match["attributes"] is not None and "<" in match["attributes"]:
                break  # browsers differ about such a tag, so nothing after it is taken for shown
            if match["name"]:
                name = match["name"].lower()
                if match.start() < line_end and not match["closes"] and name in _UNSEEN:
                    found.pop()
                    line_end = -1
                self._follow(name, closes=bool(match["closes"]))
            elif not match["own"]:
                if match.start() < line_end:
                    found[-1] = ShownLine(found[-1].number, found[-1].ends, comments=True)
            elif self.marks.number(match) == _NO_NUMBER:
                continue
            elif not self.open and self._begins_line(match.start()):
                line_end = self._end(match.end())
                found.append(
                    ShownLine(self.marks.number(match), self.html.endswith("<br />", 0, line_end))
                )
        return found

    def _begins_line(self, at: int) -> bool:
        return self.html.endswith(("<p>", "<h1>", "<h2>", "\n"), 0, at)

    def _end(self, at: int) -> int:
        end = self.html.find("\n", at)
        return len(self.html) if end < 0 else end

    def _follow(self, name: str, *, closes: bool) -> None:
        """Keep the elements that are open. In doubt one stays open: then no line is taken for shown that is not."""
        if name in _VOID or name in _TRANSPARENT:
            return
        if not closes:
            self.open.append(name)
            return
        implied = _IN_TABLES if name == "table" else _IMPLIED
        while self.open and self.open[-1] != name and self.open[-1] in implied:
            self.open.pop()
        if self.open and self.open[-1] == name:
            self.open.pop()


_EMPHASIS: Final = re.compile("</?(?:em|strong)>")
_TAGS: Final = (
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<[!?][^>]*(?:>|\Z)"
    r"|<(?P<closes>/?)(?P<name>[a-zA-Z][^\s/>]*)(?P<attributes>(?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+)(?:>|\Z)"
)
