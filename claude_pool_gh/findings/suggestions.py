"""A check that a suggestion can be one click: it replaces exactly the quoted lines, and the file stays readable.

Whether it fixes the finding is for the second reader to say; here only form counts.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import yaml

from claude_pool_gh.findings.hidden import has_hidden
from claude_pool_gh.findings.quotes import QuotePlace, is_numbered, lines_of

_SIGNED: Final = re.compile(r"^(?:[+-](?![+-])|@@ |diff --git |--- |\+\+\+ )")
_PROSE: Final = re.compile(r"^(?:[A-Z][a-z']+|`[^`]+`)(?:\s+[\w'`<>=!/*+.-]+){2,}[.:!]?$")
_BRACKETS: Final = "()[]{}"
_ENDS: Final = ("end", "fi", "done", "esac", "endif", "endfunction", "endwhile", "endfor")
_TEXTS: Final = ("md", "markdown", "rst", "txt", "adoc", "html", "csv")
_BESIDE: Final = 30
"""Lines above and below that are looked at for what a suggestion states again."""
_PARSED_LIMIT: Final = 1_000_000
_SLOW: Final = ("toml", "yml", "yaml")
_SLOW_LIMIT: Final = 200_000
_SLOW_LINE_LIMIT: Final = 1_000
"""Parsers written in Python take minutes for a long file, or for one line of brackets or dots."""


def fitting(suggestion: str, path: str, lines: Sequence[str], found: QuotePlace) -> str | None:
    """The suggestion as it can replace the quoted lines of a file, or None.

    Where the agent quoted them with another indentation, or only a part of the line, it is set right the same way.
    """
    old = list(lines[found.start - 1 : found.end])
    new = _set_right(suggestion, old, found)
    if new is None or new == old or "```" in suggestion or "\0" in suggestion:
        return None
    if has_hidden(suggestion) and not has_hidden("\n".join(old)):  # a click would write the mark
        return None
    kind = path.rpartition("/")[2].rpartition(".")[2].lower()
    before, after = lines[: found.start - 1], lines[found.end :]
    if _is_no_code(new, old, kind) or not _fits(new, old) or _doubles(new, old, before, after):
        return None
    if not _stays_readable(kind, [*before, *old, *after], [*before, *new, *after], old, new):
        return None
    return suggestion if new == lines_of(suggestion) else "\n".join(new)


def _set_right(suggestion: str, old: list[str], found: QuotePlace) -> list[str] | None:
    """The lines that are to stand in place of the old ones; None where that is not certain."""
    new = lines_of(suggestion.rstrip("\r\n"))
    if new == [] or all(not line.strip() for line in new):
        return new if found.whole else None
    if not found.whole:
        return _spliced(new, old, found)
    quoted = [line for line in found.lines if line.strip()]
    there = [line for line in old if line.strip()]
    if [line.rstrip() for line in there] == [line.rstrip() for line in quoted]:
        return new
    moves = {_moved(real, said) for real, said in zip(there, quoted, strict=True)}
    if len(moves) != 1 or None in moves:
        return None  # other tabs, or each line moved by something else
    move = moves.pop()
    if _indent(new[0]) != _indent(quoted[0]):
        return new  # it was written for the file and not for the quote; it must fit as it is
    return [f"{move}{line}" if line.strip() else line for line in new]


def _moved(real: str, said: str) -> str | None:
    """The text before a line besides what was quoted."""
    indent, quoted = _indent(real), _indent(said)
    return indent.removesuffix(quoted) if indent.endswith(quoted) else None


def _spliced(new: list[str], old: list[str], found: QuotePlace) -> list[str] | None:
    """The line with its quoted part replaced, where both are one line."""
    if len(old) != 1 or len(found.lines) != 1 or len(new) != 1:
        return None
    part = found.lines[0].rstrip()
    if part.strip() and old[0].count(part.strip()) == 1 and _indent(part) == _indent(new[0]):
        return [old[0].replace(part.strip(), new[0].strip())]
    return None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def _is_no_code(new: list[str], old: list[str], kind: str) -> bool:
    """True where it holds line numbers, signs of a diff or a sentence, which the lines that it replaces do not."""
    if is_numbered(new) and not is_numbered(old):
        return True
    if any(map(_SIGNED.match, new)) and not any(map(_SIGNED.match, old)):
        return True
    words = [line.strip() for line in new if line.strip()]
    if kind in _TEXTS:
        return False
    return any(map(_PROSE.match, words)) and not any(_PROSE.match(line.strip()) for line in old)


def _fits(new: list[str], old: list[str]) -> bool:
    """True where it begins where the lines that it replaces begin."""
    first = [next((line for line in some if line.strip()), None) for some in (new, old)]
    return first[0] is None or first[1] is None or _indent(first[0]) == _indent(first[1])


def _doubles(new: list[str], old: list[str], before: Sequence[str], after: Sequence[str]) -> bool:
    """True where it states again what stands above or below the lines that it replaces, be it one line or several."""
    own, had, above, below = (
        [line.strip() for line in some if line.strip()]
        for some in (new, old, before[-_BESIDE:], after[:_BESIDE])
    )
    blocks = [
        block
        for size in range(1, min(len(own), _BESIDE) + 1)
        for block, there in ((own[:size], above[-size:]), (own[-size:], below[:size]))
        if block == there
    ]
    return any(
        line not in had and (_says_something(line) or (len(block) > 1 and re.search(r"\w", line)))
        for block in blocks
        for line in block
    )


def _says_something(line: str) -> bool:
    return re.search(r"\w{2}", line) is not None and line not in (
        "else:",
        "else",
        "end",
        "fi",
        "done",
        "pass",
        "try:",
    )


def _stays_readable(
    kind: str, before: Sequence[str], after: Sequence[str], old: Sequence[str], new: Sequence[str]
) -> bool:
    """True where a file that its language's parser took is taken afterwards too.

    Without a parser brackets must match.
    """
    parser = _PARSERS.get(kind)
    texts = ["\n".join([*lines, ""]) for lines in (before, after)]
    if (
        parser is None
        or not all(_is_soon_parsed(kind, text) for text in texts)
        or not _parses(parser, texts[0])
    ):
        return _balance(old) == _balance(new)
    return _parses(parser, texts[1])


def _is_soon_parsed(kind: str, text: str) -> bool:
    if kind not in _SLOW:
        return len(text) <= _PARSED_LIMIT
    return len(text) <= _SLOW_LIMIT and all(
        len(line) <= _SLOW_LINE_LIMIT for line in text.split("\n")
    )


def _balance(lines: Sequence[str]) -> dict[str, int]:
    """The brackets of each kind that are opened and not closed, and the words that end a block, by their number."""
    counts = Counter(sign for line in lines for sign in line if sign in _BRACKETS)
    opened = {pair: counts[pair[0]] - counts[pair[1]] for pair in ("()", "[]", "{}")}
    return opened | Counter(line.strip() for line in lines if line.strip() in _ENDS)


def _parses(parser: Callable[[str], object], text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parser(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, yaml.YAMLError):
            return False
    return True


def _yaml(text: str) -> None:
    for _ in yaml.parse(text, Loader=yaml.SafeLoader):
        pass


_PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "py": ast.parse,
    "pyi": ast.parse,
    "json": json.loads,
    "toml": tomllib.loads,
    "yml": _yaml,
    "yaml": _yaml,
}
