"""Finds a quote in a file: forgiving in form, strict in substance.

Agents quote what tools show them: with line numbers, signs of a diff, fences, entities of HTML, without blank lines
or the comment at a line's end. None of that makes a quote untrue. A word or an operator that is not in the file does.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final, Literal

from claude_pool_gh.findings.hidden import (
    equal_but_for_the_hidden,
    has_hidden,
    is_part_but_for_the_hidden,
    without_bodies_of_keys,
)

Side = Literal["LEFT", "RIGHT"]

_NUMBER: Final = re.compile(
    r"^\s*(?:L(?:ine )?)?(\d{1,7})(?:\t|→|⇥|\s*[|:│](?: |\t|$)|: ?|\s{2,}|$)"
)
_FENCE: Final = re.compile(r"^\s*(?:`{3,}|~{3,})[\w+.:-]*\s*$")
_DIFF_HEADER: Final = re.compile(
    r"^(?:@@ .*@@.*|diff --git .*|index [0-9a-f]+\.\..*|--- \S.*|\+\+\+ \S.*)$"
)
_LEFT_OUT: Final = re.compile(
    r"^\s*(?:(?:#|//|/\*|--|;|%|<!--)\s*)?[\[(<]?(?:\.{3}|…)[\])>]?\s*(?:\*/|-->)?\s*$"
)
_HASH: Final = (
    "py",
    "pyi",
    "rb",
    "sh",
    "bash",
    "zsh",
    "yml",
    "yaml",
    "toml",
    "cfg",
    "conf",
    "ini",
    "pl",
    "pm",
    "r",
    "jl",
    "ex",
    "exs",
    "nix",
    "tf",
    "mk",
    "cmake",
    "dockerfile",
    "makefile",
    "nim",
    "graphql",
)
_DASHES: Final = ("sql", "lua", "hs", "elm", "ada", "adb", "ads", "vhd", "vhdl")
_SEMICOLON: Final = ("lisp", "clj", "cljs", "el", "scm", "asm", "s")
_MARKS: Final = (
    dict.fromkeys(_HASH, "#")
    | dict.fromkeys(_DASHES, "--|/\\*")
    | dict.fromkeys(_SEMICOLON, ";|#")
    | {"tex": "%", "erl": "%", "php": "#|//|/\\*", "html": "<!--", "xml": "<!--", "md": "<!--"}
)
"""How a comment begins, by the end of a file's name; what is a comment here is an operator there."""
_TOKEN: Final = re.compile(r"\w+|[^\w\s]+")
_WORD: Final = re.compile(r"\w")

MOST_LINES: Final = 60
"""Lines between the first and the last of a quote that leaves some out."""
_VARIANTS: Final = 24
_TRIED: Final = 200
"""Places in one line at which a part of it is looked at: a megabyte that repeats itself has hundreds of thousands."""


@dataclass(frozen=True, slots=True)
class QuotePlace:
    """The place of a quote."""

    start: int
    end: int
    lines: tuple[str, ...]
    """The quote's lines without what was no part of it, as far as they correspond to the file's."""
    whole: bool
    """Whether it quotes whole lines, all of them; else a part of a line, or with some left out."""


@dataclass(frozen=True, slots=True)
class UnplacedQuote:
    """The reason why a quote has no place."""

    reason: str


NOT_THERE: Final = UnplacedQuote("its evidence is not in the file")
MEANS_NOTHING: Final = UnplacedQuote("its evidence is too short to mean a certain place")


def locate(
    lines: Sequence[str],
    evidence: str,
    stated: tuple[int, int],
    *,
    side: Side = "RIGHT",
    path: str = "",
) -> QuotePlace | UnplacedQuote:
    """The place of a quote in a file's lines; of several the one that was stated."""
    there = [(number, line.rstrip()) for number, line in enumerate(lines, 1) if line.strip()]
    hidden = has_hidden(evidence)
    if hidden:
        there = without_bodies_of_keys(there)
    commentless = _equal_but_for_a_comment(path, equal_but_for_the_hidden if hidden else _equal)
    sames: Sequence[Same] = (_equal, _equal_but_for_indentation, commentless)
    told = NOT_THERE
    for number, quote in enumerate(_variants(evidence, side)):
        if not _means_something(quote):
            told = told if number else MEANS_NOTHING
            continue
        for same in sames:
            if found := _places(there, quote, same):
                return _chosen(found, stated, quote, whole=same in sames[:2])
        if found := _parts(there, quote) or _with_gaps(there, quote, commentless):
            return _chosen(found, stated, quote, whole=False)
    return told


def lines_of(text: str) -> list[str]:
    """Lines as git and GitHub count them: a form feed or a Unicode separator ends none."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def occurrences(lines: Sequence[str], quote: Sequence[str]) -> int:
    """The number of times that lines stand in a file, one after the other, whatever their indentation."""
    there = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    wanted = tuple(line for line in quote if line.strip())
    return len(_places(there, wanted, _equal_but_for_indentation)) if wanted else 0


def is_numbered(lines: Sequence[str]) -> bool:
    """True where each line begins with its number, as tools show files."""
    found = [_NUMBER.match(line) for line in lines if line.strip()]
    numbers = [int(match[1]) for match in found if match is not None]
    return bool(found) and len(numbers) == len(found) and all(a < b for a, b in pairwise(numbers))


Lines = tuple[str, ...]
Numbered = Sequence[tuple[int, str]]
Same = Callable[[str, str], bool]


def _variants(evidence: str, side: Side) -> Iterator[Lines]:
    """The quote's lines as they are, and then with ever more of what a tool put around them taken away."""
    waiting = [tuple(line.rstrip() for line in lines_of(evidence.strip("\r\n")))]
    seen: set[Lines] = set()
    while waiting and len(seen) < _VARIANTS:
        quote = waiting.pop(0)
        if quote in seen:
            continue
        seen.add(quote)
        yield tuple(line for line in quote if line.strip())
        waiting += [
            _unfenced(quote),
            _without_numbers(quote),
            _without_signs(quote, side),
            _without_entities(quote),
        ]


def _unfenced(quote: Lines) -> Lines:
    kept = tuple(line for line in quote if not _FENCE.match(line))
    if (
        kept == quote
        and len(quote) == 1
        and quote[0].strip().startswith("`")
        and quote[0].strip().endswith("`")
    ):
        return (quote[0].strip().strip("`"),)
    return kept


def _without_numbers(quote: Lines) -> Lines:
    return tuple(_NUMBER.sub("", line) for line in quote) if is_numbered(quote) else quote


def _without_signs(quote: Lines, side: Side) -> Lines:
    """The lines that a diff shows of one side."""
    body = [line for line in quote if line.strip() and not _DIFF_HEADER.match(line)]
    other = "-" if side == "RIGHT" else "+"
    if not any(line[0] in "+-" for line in body) or not all(line[0] in "+- " for line in body):
        return tuple(body) if len(body) < len([line for line in quote if line.strip()]) else quote
    return tuple(line[1:] for line in body if line[0] != other)


def _without_entities(quote: Lines) -> Lines:
    return tuple(html.unescape(line) for line in quote)


def _means_something(quote: Sequence[str]) -> bool:
    """True where there is more in a quote than a bracket or a letter, which stand in every file."""
    text = "".join("".join(line.split()) for line in quote)
    return len(text) >= 3 and len(_WORD.findall(text)) >= 2


def _equal(line: str, quoted: str) -> bool:
    return line == quoted


def _equal_but_for_indentation(line: str, quoted: str) -> bool:
    return line.strip() == quoted.strip()


def _equal_but_for_a_comment(path: str, otherwise: Same) -> Same:
    """The comment at the end of a line is no part of what it does. `otherwise`: what else is equal to the rest."""
    kind = path.rpartition("/")[2].rpartition(".")[2].lower()
    comment = re.compile(rf"\s+(?:{_MARKS.get(kind, '//|/[*]')})")

    def same(line: str, quoted: str) -> bool:
        line, quoted = line.strip(), quoted.strip()
        if line == quoted or (
            line.startswith(quoted) and comment.match(line, len(quoted)) is not None
        ):
            return True
        if otherwise is _equal:
            return False
        begins = (found.start() for found in islice(comment.finditer(line), _TRIED))
        return otherwise(line, quoted) or any(otherwise(line[:at], quoted) for at in begins)

    return same


def _places(there: Numbered, quote: Lines, same: Same) -> list[tuple[int, int]]:
    """First and last line of each place where the quote's lines stand one after the other."""
    size = len(quote)
    return [
        (there[at][0], there[at + size - 1][0])
        for at in range(len(there) - size + 1)
        if all(same(there[at + n][1], quote[n]) for n in range(size))
    ]


def _parts(there: Numbered, quote: Lines) -> list[tuple[int, int]]:
    """Each line that holds the one line of the quote, as whole words and as more than one or two of them."""
    if len(quote) != 1 or len(_TOKEN.findall(quote[0])) < 3:
        return []
    part = quote[0].strip()
    found = [(number, number) for number, line in there if part in line and _has_whole(line, part)]
    if found or not has_hidden(part):
        return found
    return [(number, number) for number, line in there if is_part_but_for_the_hidden(line, part)]


def _has_whole(line: str, part: str) -> bool:
    """True where a part begins and ends where words and operators of the line do."""
    starts = {match.start() for match in _TOKEN.finditer(line)}
    ends = {match.end() for match in _TOKEN.finditer(line)}
    at = line.find(part)
    for _ in range(_TRIED):
        if at < 0:
            break
        if _is_edge(at, part[0], starts) and _is_edge(at + len(part), part[-1], ends):
            return True
        at = line.find(part, at + 1)
    return False


def _is_edge(at: int, sign: str, edges: set[int]) -> bool:
    """Brackets, quotes and separators end anywhere; words and operators only where the line's own do."""
    return at in edges or sign in "()[]{}\"'`,;:."


def _with_gaps(there: Numbered, quote: Lines, same: Same) -> list[tuple[int, int]]:
    """The places where the parts of a quote that leaves lines out stand one after the other, not far apart."""
    segments = _segments(quote)
    found = _places(there, segments[0], same) if segments else []
    for segment in segments[1:]:
        places = _places(there, segment, same)
        joined = []
        for start, end in found:
            after = [last for first, last in places if end < first and last - start < MOST_LINES]
            joined += [(start, after[0])] if after else []
        found = joined
    return found


def _segments(quote: Lines) -> list[Lines]:
    """The parts between lines such as `...`; none where there is no such line, or a part means nothing."""
    segments: list[list[str]] = [[]]
    for line in quote:
        if _LEFT_OUT.match(line):
            segments.append([])
        else:
            segments[-1].append(line)
    kept = [tuple(segment) for segment in segments if segment]
    return kept if len(segments) > 1 and all(map(_means_something, kept)) else []


def _chosen(
    found: list[tuple[int, int]], stated: tuple[int, int], quote: Lines, *, whole: bool
) -> QuotePlace | UnplacedQuote:
    """The only place, or the one that was stated: models count badly, but quote well."""
    if len(found) > 1:
        named = [place for place in found if place[0] == stated[0]]
        named = named or [
            place for place in found if place[0] <= stated[1] and stated[0] <= place[1]
        ]
        if len(named) != 1:
            lines = ", ".join(str(start) for start, _ in found[:5])
            more = "" if len(found) <= 5 else " and more"
            return UnplacedQuote(f"its evidence is in several places: lines {lines}{more}")
        found = named
    start, end = found[0]
    return QuotePlace(start, end, quote, whole)
