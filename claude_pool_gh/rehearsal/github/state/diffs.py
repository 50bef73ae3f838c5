"""Diffs as git makes them, cut into files, hunks and commentable lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from claude_pool_gh.rehearsal.github.state.git import GitDir

Side = Literal["LEFT", "RIGHT"]
HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
STATUS = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}
ZERO_BLOB = "0" * 40


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a diff that a comment can stand on."""

    line: int
    side: Side
    position: int
    hunk: int
    text: str
    until: str


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One changed file."""

    path: str
    previous: str | None
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str | None

    def place(self, line: int, side: Side) -> Place | None:
        """The place of a comment on this line, or None if the line is not in the diff."""
        return next((one for one in self.places() if one.line == line and one.side == side), None)

    def places(self) -> Iterator[Place]:
        """Every commentable line; a context line counts on both sides."""
        left = right = 0
        hunk = -1
        shown: list[str] = []
        for position, text in enumerate((self.patch or "").split("\n")):
            if found := HUNK.match(text):
                left, right, hunk, shown = int(found[1]), int(found[3]), hunk + 1, [text]
                continue
            shown.append(text)
            mark = text[:1]
            if mark in ("-", " "):
                yield Place(left, "LEFT", position, hunk, text[1:], "\n".join(shown))
                left += 1
            if mark in ("+", " "):
                yield Place(right, "RIGHT", position, hunk, text[1:], "\n".join(shown))
                right += 1


@dataclass(frozen=True, slots=True)
class Diff:
    """The difference between two commits."""

    text: str
    files: tuple[FileDiff, ...]

    def file(self, path: str) -> FileDiff | None:
        """The entry of a path."""
        return next((one for one in self.files if one.path == path), None)


def diff(git: GitDir, before: str, after: str) -> Diff:
    """Compare two commits the way GitHub shows it, renames found."""
    listing = git.run(
        "diff", "--raw", "--numstat", "-z", "--find-renames", "--no-abbrev", before, after
    )
    patches = git.run("diff", "--no-ext-diff", "--no-textconv", "--find-renames", before, after)
    text = patches.decode(errors="replace")
    pieces = [piece for piece in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if piece]
    return Diff(text, tuple(_entries(listing.decode(errors="replace"), pieces)))


def _entries(listing: str, pieces: list[str]) -> Iterator[FileDiff]:
    fields = iter(listing.split("\0"))
    raw: list[tuple[str, str, str | None, str]] = []
    counts: list[tuple[str, str]] = []
    for field in fields:
        if field.startswith(":"):
            _, _, old, new, letter = field[1:].split(" ")
            first = next(fields)
            path, previous = (next(fields), first) if letter[0] in "RC" else (first, None)
            raw.append((STATUS[letter[0]], path, previous, new if new != ZERO_BLOB else old))
        elif field:
            added, removed, path = field.split("\t", 2)
            if not path:
                next(fields), next(fields)
            counts.append((added, removed))
    texts = iter(pieces)
    for (status, path, previous, blob), (added, removed) in zip(raw, counts, strict=True):
        piece = next(texts)
        if status == "changed":  # git writes a changed type as a removal and an addition
            piece += next(texts)
        start = re.search(r"^@@ ", piece, flags=re.MULTILINE)
        yield FileDiff(
            path=path,
            previous=previous,
            status=status,
            blob=blob,
            additions=0 if added == "-" else int(added),
            deletions=0 if removed == "-" else int(removed),
            patch=piece[start.start() :].removesuffix("\n") if start else None,
        )


def follow(git: GitDir, before: str, after: str, path: str, line: int) -> int | None:
    """The number that a line of a file has in a later commit, or None where it was touched."""
    patch = git.run("diff", "--unified=0", "--no-ext-diff", before, after, "--", path).decode(
        errors="replace"
    )
    shift = 0
    for found in HUNK.finditer(patch):
        start, length = int(found[1]), int(found[2] or 1)
        grown = int(found[4] or 1)
        if start <= line < start + length:
            return None
        if start + length <= line or (length == 0 and start < line):
            shift += grown - length
    return line + shift
