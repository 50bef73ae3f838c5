"""The changes of a pull request, file by file: what to read, in which parts, and where a comment can stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from claude_pool_gh.findings.diffs import Entry, Piece, header_of, pieces_of, shown
from claude_pool_gh.findings.spots import Hunk
from claude_pool_gh.terms.patterns import matches

GROUP_FILES: Final = 20
GROUP_LINES: Final = 400
GROUP_CHARACTERS: Final = 120_000
GROUPS_LIMIT: Final = 12
PART_CHARACTERS: Final = 60_000
"""A file with a longer diff is read in parts."""
FILE_BYTES: Final = 1_000_000
"""A file with a longer diff is not read."""
_LINE_CHARACTERS: Final = 5_000
_EXECUTABLE: Final = "100755"
_CUT: Final = " [the rest of this line is left out]"

NOT_READ: Final = (
    "*.lock",
    "*-lock.json",
    "*-lock.yaml",
    "*.min.js",
    "*.min.css",
    "*.map",
    "*.snap",
    "*.svg",
    "*.pb.go",
    "go.sum",
    "**/vendor/**",
    "**/node_modules/**",
)
"""Files that a program has written, as a rule. Nobody reads them, so no check is green over them, unless the repository
itself says that nobody has to: they may steer what is installed, and run."""
_NO_CODE: Final = frozenset(
    [
        "avif",
        "bmp",
        "gif",
        "heic",
        "icns",
        "ico",
        "jpeg",
        "jpg",
        "png",
        "psd",
        "tif",
        "tiff",
        "webp",
        "eot",
        "otf",
        "ttc",
        "ttf",
        "woff",
        "woff2",
        "aac",
        "avi",
        "flac",
        "m4a",
        "mkv",
        "mov",
        "mp3",
        "mp4",
        "ogg",
        "opus",
        "wav",
        "webm",
        "doc",
        "docx",
        "odp",
        "ods",
        "odt",
        "pdf",
        "ppt",
        "pptx",
        "xls",
        "xlsx",
        "avro",
        "bin",
        "dat",
        "feather",
        "gguf",
        "h5",
        "hdf5",
        "mo",
        "npy",
        "npz",
        "onnx",
        "parquet",
        "safetensors",
        "tflite",
    ]
)
"""Endings of binary files that nothing runs. A closed list: one NUL character makes any other file binary for git,
a `Makefile` or a script without an ending too, and it runs all the same."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed file, or a part of one whose diff is long."""

    path: str
    text: str
    """Its part of the diff."""
    added: int
    removed: int
    hunks: tuple[Hunk, ...] = ()
    """What GitHub shows of the whole file: it takes inline comments nowhere else."""
    before: str | None = None
    """The path before the change, where that was another one."""

    @property
    def size(self) -> int:
        """Changed lines."""
        return self.added + self.removed


@dataclass(frozen=True, slots=True)
class Group:
    """Files that one agent reads together."""

    changes: tuple[Change, ...]

    @property
    def title(self) -> str:
        """The title that people read while it runs."""
        paths = list(dict.fromkeys(change.path for change in self.changes))
        return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"

    @property
    def text(self) -> str:
        """The diff of all its files."""
        return "\n".join(change.text for change in self.changes)


@dataclass(frozen=True, slots=True)
class Selection:
    """The changed files by what becomes of them."""

    read: list[Entry]
    left_out: list[str]
    """Paths that need no reader: without a changed line, data that nothing runs, or excluded by the repository."""
    generated: list[Entry]
    """Left out by our own list alone."""


@dataclass(frozen=True, slots=True)
class ReadChanges:
    """The text of changes, and what could not be read of them."""

    changes: tuple[Change, ...]
    unreadable: tuple[tuple[str, str], ...]
    """Paths with the reason."""


def worth_reading(listed: Iterable[Entry], exclude: Sequence[str] = ()) -> Selection:
    """The files that a reviewer should read, and those that are left out.

    A binary file that may be run should be read, although nobody can: a review must not be green without it.
    """
    selection = Selection([], [], [])
    for entry in listed:
        pointless = not _may_be_run(entry) if entry.binary else not entry.size
        if pointless or _is_among(exclude, entry):
            selection.left_out.append(entry.path)
        elif _is_among(NOT_READ, entry):
            selection.generated.append(entry)
        else:
            selection.read.append(entry)
    return selection


def _may_be_run(entry: Entry) -> bool:
    """True where a binary file that is there afterwards may hold code, compiled or in plain words."""
    _, dot, ending = entry.path.rpartition("/")[2].rpartition(".")
    return entry.status != "D" and not (dot and ending.lower() in _NO_CODE)


def without_lines(listed: Iterable[Entry], exclude: Sequence[str] = ()) -> list[str]:
    """The changes without a changed line, in words: another mode or name, empty files. Excluded ones are not told.

    Nobody reads these, so whoever reads the change and whoever sees the result is told of them.
    """
    return [
        f"{entry.path} ({', '.join(_what_happened(entry))})"
        for entry in listed
        if is_without_lines(entry) and not _is_among(exclude, entry)
    ]


def is_without_lines(entry: Entry) -> bool:
    """True where no line of a text file is changed."""
    return not entry.binary and not entry.size


def _is_among(patterns: Sequence[str], entry: Entry) -> bool:
    return any(matches(pattern, entry.path) for pattern in patterns)


def _what_happened(entry: Entry) -> Iterator[str]:
    match entry.status:
        case "A":
            yield "new, empty"
        case "D":
            yield "empty, deleted"
        case "R":
            yield f"renamed from {entry.before}"
        case "C":
            yield f"copied from {entry.before}"
        case _:
            pass
    before, after = entry.modes
    if entry.status != "D" and before != after and after == _EXECUTABLE:
        yield "executable now"
    elif before == _EXECUTABLE and entry.status != "D" and after != _EXECUTABLE:
        yield "not executable any more"


def read(listed: Sequence[Entry], texts: Mapping[str, bytes]) -> ReadChanges:
    """The changes of the files whose texts are given. A file that cannot be read costs only itself."""
    changes: list[Change] = []
    unreadable: list[tuple[str, str]] = []
    for entry in listed:
        try:
            text = _decoded(texts.get(entry.path, b""))
            pieces = _pieces(text)
        except ValueError as error:
            unreadable.append((entry.path, str(error)))
            continue
        if any(len(line) > _LINE_CHARACTERS for piece in pieces for line in piece.lines):
            unreadable.append(
                (entry.path, f"it has lines of more than {_LINE_CHARACTERS:,} characters")
            )
        changes += _parts(entry, header_of(text), pieces)
    return ReadChanges(tuple(changes), tuple(unreadable))


def _decoded(part: bytes) -> str:
    if len(part) > FILE_BYTES:
        raise ValueError(f"its diff has {len(part):,} bytes")
    return part.decode(errors="replace")


def _pieces(text: str) -> list[Piece]:
    """The hunks of a file's diff, at least one. Raises ValueError."""
    pieces = pieces_of(text)
    if not pieces:
        raise ValueError("git shows no lines of it")
    return pieces


def _parts(entry: Entry, header: str, pieces: Sequence[Piece]) -> Iterator[Change]:
    """One change, or several where its diff is too long for one."""
    header = re.sub(r"^index [0-9a-f]+\.\.[0-9a-f]+(?: \d+)?\n", "", header, flags=re.MULTILINE)
    whole = Change(entry.path, "", 0, 0, shown(pieces), entry.before)
    for some in _shares(pieces):
        text = "\n".join([header, *(piece.text for piece in some), ""])
        added, removed = sum(piece.added for piece in some), sum(piece.removed for piece in some)
        yield replace(whole, text=text, added=added, removed=removed)


def _shares(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    some: list[Piece] = []
    size = 0
    for piece in (short for long in pieces for short in _cut(long)):
        length = len(piece.text)
        if some and size + length > PART_CHARACTERS:
            yield some
            some, size = [], 0
        some.append(piece)
        size += length
    yield some


def _cut(piece: Piece) -> Iterator[Piece]:
    """The hunk, or several that follow each other where it is too long."""
    left, right, size = piece.left, piece.right, 0
    lines: list[str] = []
    for full in piece.lines:
        line = full if len(full) <= _LINE_CHARACTERS else full[:_LINE_CHARACTERS] + _CUT
        if lines and size + len(line) > PART_CHARACTERS and not line.startswith("\\"):
            yield Piece(left, right, piece.heading, tuple(lines))
            left += sum(each[0] in "- " for each in lines)
            right += sum(each[0] in "+ " for each in lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 1
    yield Piece(left, right, piece.heading, tuple(lines))


def group(changes: Sequence[Change]) -> tuple[list[Group], list[Change]]:
    """Split changes over agents, neighbours in the tree together; and what exceeds the limit of one review."""
    groups: list[list[Change]] = []
    for change in sorted(changes, key=lambda change: change.path):
        if not groups or not _fits(groups[-1], change):
            groups.append([])
        groups[-1].append(change)
    beyond = [change for some in groups[GROUPS_LIMIT:] for change in some]
    return [Group(tuple(some)) for some in groups[:GROUPS_LIMIT]], beyond


def _fits(some: list[Change], change: Change) -> bool:
    together = [*some, change]
    return (
        len(together) <= GROUP_FILES
        and sum(each.size for each in together) <= GROUP_LINES
        and sum(len(each.text) for each in together) <= GROUP_CHARACTERS
    )
