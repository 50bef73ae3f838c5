"""The parts of a diff that surround given lines: what a reader of one claim must see of the change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.findings import diffs

_HUNK: Final = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@.*$", re.MULTILINE)
_LIMIT: Final = 6_000
_CUT: Final = "\n[cut here; open the file for the rest]"


@dataclass(frozen=True, slots=True)
class Hunk:
    """One part of a file's changes."""

    text: str
    old: tuple[int, int]
    """First and last line before the change."""
    new: tuple[int, int]

    @property
    def header(self) -> str:
        """The header of the definition that it is in, as git shows it."""
        return self.text.partition("\n")[0].rpartition("@@")[2]

    @property
    def changed(self) -> tuple[str, ...]:
        """The lines that it takes away and brings, without their signs."""
        return tuple(line[1:] for line in self.text.split("\n")[1:] if line.startswith(("-", "+")))

    @property
    def added(self) -> frozenset[int]:
        """The lines, counted after the change, that it brings."""
        return frozenset(at for at, line in self._lines() if line.startswith("+"))

    @property
    def places(self) -> frozenset[int]:
        """The lines, counted after the change, that it brings, and those where it takes some away."""
        return frozenset(max(1, at) for at, line in self._lines() if line.startswith(("-", "+")))

    def _lines(self) -> Iterable[tuple[int, str]]:
        at = self.new[0]
        for line in self.text.split("\n")[1:]:
            yield at, line
            if not line.startswith(("-", "\\")):
                at += 1


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The changes of one file between two commits."""

    old_path: str
    path: str
    section: str

    @property
    def deleted(self) -> bool:
        """True where the file is not there afterwards."""
        return diffs.is_deleted(self.section)

    @property
    def pointer(self) -> bool:
        """True where it is a link or a submodule afterwards: there is no file to open."""
        return diffs.is_pointer(self.section)

    def near(self, first: int, last: int, *, old: bool) -> str:
        """The hunks that hold any of the lines, counted before the change where `old`; "" where none does."""
        found = (
            each.text for each in self.hunks() if _meet(each.old if old else each.new, first, last)
        )
        text = "\n".join(found)
        return text if len(text) <= _LIMIT else text[:_LIMIT] + _CUT

    @property
    def added(self) -> frozenset[int]:
        """The lines, counted after the change, that it brings."""
        return frozenset(at for each in self.hunks() for at in each.added)

    def hunks(self) -> Iterable[Hunk]:
        """Its parts."""
        heads = list(_HUNK.finditer(self.section))
        for at, head in enumerate(heads):
            end = heads[at + 1].start() if at + 1 < len(heads) else len(self.section)
            text = self.section[head.start() : end].removesuffix("\n")
            yield Hunk(text, _span(head[1], head[2]), _span(head[3], head[4]))


def by_old_path(diff: str) -> Mapping[str, FileDiff]:
    """Every file of a diff by the name that it had before."""
    return {each.old_path: each for each in _files(diff)}


def by_path(diff: str) -> Mapping[str, FileDiff]:
    """Every file of a diff by the name that it has afterwards; a deleted one by the name that it had."""
    return {each.path: each for each in _files(diff)}


def _files(diff: str) -> Iterable[FileDiff]:
    for section in diffs.sections(diff):
        path = diffs.path_of(section)
        yield FileDiff(diffs.renamed_from(section) or path, path, section)


def _span(first: str, count: str | None) -> tuple[int, int]:
    return int(first), int(first) + max(1, int(count or 1)) - 1


def _meet(span: tuple[int, int], first: int, last: int) -> bool:
    return span[0] <= last and first <= span[1]
