"""Tells what of a change may have settled an open finding whose own lines it leaves as they are. Pure.

Most defects are fixed elsewhere than at the lines that show them: by a check above them, in what they call, or where
they are called. So a reader is asked again where a change touches the definition around them, a file or a definition
that the finding names, or a line that names the definition around them. Nothing else asks: each question costs money.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from claude_pool_gh.conversation.review.hunks import FileDiff, Hunk
from claude_pool_gh.findings.definitions import definitions_of, opens_definition
from claude_pool_gh.findings.model import Finding

_WORD: Final = re.compile(r"[^\W\d]\w{2,}")
_CALLED: Final = re.compile(r"\b([^\W\d]\w{2,}+)\s*+\(")
"""Begins at words only, and never looks at one twice: a pushed line may be one word of any length."""
_PLAIN: Final = re.compile(r"[\w.-]+")
_CODE: Final = re.compile(r"`([^`\n]{1,100})`")
_NEAR: Final = 400
"""Lines on either side of a finding in which a change may be one of its definition."""
_ABOVE: Final = 1_000
"""Lines above it in which the headers around it are looked for: a file can be one block of very many lines."""
_LIMIT: Final = 6_000
_CUT: Final = "\n[cut here; open the files for the rest]"


def bearing(finding: Finding, since: Iterable[FileDiff], lines: Sequence[str]) -> str:
    """The hunks that may have to do with a finding, each file under its name; "" where none does.

    `lines` are those of its file after the change.
    """
    told = words_of(finding)
    named = {word for code in _CODE.findall(told) for word in _WORD.findall(code)}
    called = {*_CALLED.findall(finding.evidence), *named}
    own = _names_of(finding.within or "")
    parts = []
    for file in since:
        if file.path != finding.path and not _may_bear(file, told, called | own):
            continue
        is_own, is_named = file.path == finding.path, names_file(told, file.path, file.old_path)
        found = [
            hunk.text
            for hunk in file.hunks()
            if is_named
            or (is_own and _is_around(hunk, finding, lines))
            or called & _defined(hunk)
            or (not is_own and own & _changed(hunk))
        ]
        if found:
            parts.append("\n".join([f"{file.path}:", *found]))
    text = "\n".join(parts)
    return text if len(text) <= _LIMIT else text[:_LIMIT] + _CUT


def _may_bear(file: FileDiff, told: str, names: Iterable[str]) -> bool:
    """A look that costs little, since a branch that was begun anew can differ in a whole repository."""
    return names_file(told, file.path, file.old_path) or any(name in file.section for name in names)


def words_of(finding: Finding) -> str:
    """All that a finding says."""
    return f"{finding.title}\n{finding.scenario}\n{finding.body}"


def names_file(told: str, *paths: str) -> bool:
    """True where words name a file, by one of its paths or the last part of it."""
    names = {path.rpartition("/")[2] for path in paths}
    return any(
        name in told and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", told) is not None
        for name in names
    )


class FileNames:
    """The last parts of many paths, found in words without a look at each: words may name few, and files be many."""

    def __init__(self, paths: Iterable[str]) -> None:
        names = {path.rpartition("/")[2] for path in paths}
        self._plain = frozenset(name for name in names if _PLAIN.fullmatch(name))
        self._odd = names - self._plain

    def in_(self, told: str) -> frozenset[str]:
        """Those that words name, as `names_file` says of each: a plain one ends at a dot, or with its run of signs."""
        held = {run[:end] for run in _PLAIN.findall(told) for end in _ends(run)}
        return (self._plain & held).union(name for name in self._odd if names_file(told, name))


def _ends(run: str) -> list[int]:
    return [*(at for at, sign in enumerate(run) if sign == "."), len(run)]


def _is_around(hunk: Hunk, finding: Finding, lines: Sequence[str]) -> bool:
    """True where a hunk changes a line of the definition that a finding stands in, or of one around that."""
    if finding.within is None:
        return True
    first = max(0, finding.start_line - _ABOVE)
    here = lines[first : finding.end_line + _NEAR]
    places = [at for at in hunk.places if abs(at - finding.start_line) <= _NEAR]
    stands_in = list(definitions_of(here))
    around = {stands_in[at - first - 1] for at in places if first < at <= first + len(here)}
    own = finding.within
    if finding.side == "RIGHT" and finding.start_line - first <= len(here):
        own = stands_in[finding.start_line - first - 1]
    return any(each == own or (each and own.startswith(f"{each}\n")) for each in around)


def _names_of(within: str) -> set[str]:
    """The names that the headers around a finding define, as far as a call of them would show."""
    return {name for header in within.splitlines() for name in _CALLED.findall(header)[:1]}


def _defined(hunk: Hunk) -> set[str]:
    """The names in the headers of the definitions that a hunk changes, as far as it shows them."""
    shown = [line for line in hunk.text.split("\n")[1:] if line and line[0] in "+- "]
    body = [line[1:] for line in shown]
    headers = {hunk.header, *filter(opens_definition, hunk.changed)}
    for line, around in zip(shown, definitions_of(body), strict=True):
        if line[0] != " " and line.strip():
            headers.update(around.splitlines())
    return {name for header in headers for name in _names_of(header)}


def _changed(hunk: Hunk) -> set[str]:
    return {word for line in hunk.changed for word in _WORD.findall(line)}
