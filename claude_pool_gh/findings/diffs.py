"""Reads what `git diff` writes. Paths come from its list (`--raw -z`), which quotes nothing; hunks from its text.

One file that cannot be read costs that file: whoever asks gets ValueError for its section and goes on with the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from claude_pool_gh.findings.spots import Hunk

GITHUB_CONTEXT: Final = 3
"""Unchanged lines that GitHub shows around a change."""

POINTERS: Final = ("120000", "160000")
"""Modes of what is no file but names something: a symbolic link, a submodule."""

_SECTION: Final = re.compile(r"^(?=diff --git )", re.MULTILINE)
_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_INDEX: Final = re.compile(r"^index ([0-9a-f]+)\.\.([0-9a-f]+)", re.MULTILINE)
_START: Final = b"diff --git "
_HEADER_LIMIT: Final = 20_000
_ESCAPES: Final = {
    b"a": b"\a",
    b"b": b"\b",
    b"t": b"\t",
    b"n": b"\n",
    b"v": b"\v",
    b"f": b"\f",
    b"r": b"\r",
    b'"': b'"',
    b"\\": b"\\",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One changed file, from git's list."""

    status: str
    """`A`dded, `D`eleted, `M`odified, `R`enamed, `C`opied, another `T`ype."""
    path: str
    before: str | None
    """The path before the change, where that was another one."""
    blobs: tuple[str, str]
    """Ids of the content before and after."""
    added: int
    removed: int
    binary: bool
    names: tuple[str, ...]
    """The same paths with every byte kept, as arguments for git."""
    modes: tuple[str, str] = ("", "")
    """What it is before and after, in git's words: `100755` is executable, 000000 is nothing."""

    @property
    def has_file(self) -> bool:
        """True where there is a file to open afterwards: not one that is deleted, nor a link or a submodule."""
        return self.status != "D" and self.modes[1] not in POINTERS

    @property
    def size(self) -> int:
        """Changed lines."""
        return self.added + self.removed


def entries(listing: bytes) -> list[Entry]:
    """The files that `git diff --raw --numstat --no-abbrev -z` lists. Raises ValueError for anything else."""
    fields = iter(listing.split(b"\0"))
    raw: list[tuple[str, list[bytes], tuple[str, str], tuple[str, str]]] = []
    counts: dict[bytes, tuple[bytes, bytes]] = {}
    try:
        for field in filter(None, fields):
            if field.startswith(b":"):
                before, after, old, new, status = field[1:].decode().split(" ")
                names = [next(fields) for _ in range(2 if status[0] in "RC" else 1)]
                raw.append((status[0], names, (old, new), (before, after)))
            else:
                added, removed, path = field.split(b"\t", 2)
                if not path:
                    next(fields)
                    path = next(fields)
                counts[path] = (added, removed)
        return [_entry(*each, counts[each[1][-1]]) for each in raw]
    except (KeyError, ValueError, StopIteration) as error:
        raise ValueError("not a list of changed files as git writes it") from error


def _entry(
    status: str,
    names: list[bytes],
    blobs: tuple[str, str],
    modes: tuple[str, str],
    counts: tuple[bytes, bytes],
) -> Entry:
    shown = [name.decode(errors="replace") for name in names]
    is_binary = counts[0] == b"-"
    added, removed = (0, 0) if is_binary else (int(counts[0]), int(counts[1]))
    kept = tuple(name.decode(errors="surrogateescape") for name in names)
    return Entry(
        status,
        shown[-1],
        shown[0] if len(shown) == 2 else None,
        blobs,
        added,
        removed,
        is_binary,
        kept,
        modes,
    )


def sections(diff: str) -> list[str]:
    """The parts of a unified diff as git writes it, one for each file. Raises ValueError for anything else."""
    before, *parts = _SECTION.split(diff)
    if before.strip():
        raise ValueError("not a unified diff as git writes it")
    return parts


def dealt(diff: bytes, listed: Sequence[Entry]) -> dict[str, bytes]:
    """Each file's part of a diff of exactly these files, by its path. Raises ValueError where they do not agree.

    Git writes the parts in the order of its list, a changed type as two. The ids of the contents must be the same.
    Bytes, since a part may be very long: nobody reads such a one, and it should cost nothing.
    """
    parts = _split(diff)
    found: dict[str, bytes] = {}
    for entry in listed:
        mine = [next(parts, b"") for _ in range(2 if entry.status == "T" else 1)]
        stated = [match.groups() for part in mine if (match := _INDEX.search(_header(part)))]
        if not all(mine) or (stated and (stated[0][0], stated[-1][1]) != entry.blobs):
            raise ValueError("the diff is not of the files that are listed")
        found[entry.path] = b"".join(mine)
    if next(parts, None) is not None:
        raise ValueError("the diff is of more files than are listed")
    return found


def _split(diff: bytes) -> Iterator[bytes]:
    if diff and not diff.startswith(_START):
        raise ValueError("not a unified diff as git writes it")
    at = 0
    while at < len(diff):
        end = diff.find(b"\n" + _START, at) + 1 or len(diff)
        yield diff[at:end]
        at = end


def _header(part: bytes) -> str:
    end = part.find(b"\n@@ ", 0, _HEADER_LIMIT)
    return part[: end if end >= 0 else _HEADER_LIMIT].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Piece:
    """A hunk as it is written: where it begins on both sides, and its lines with their signs."""

    left: int
    right: int
    heading: str
    """What follows the numbers: the definition that it lies in."""
    lines: tuple[str, ...]

    @property
    def added(self) -> int:
        """Lines added."""
        return sum(line.startswith("+") for line in self.lines)

    @property
    def removed(self) -> int:
        """Lines removed."""
        return sum(line.startswith("-") for line in self.lines)

    @property
    def text(self) -> str:
        """As git writes it, the numbers counted anew."""
        old = sum(line[0] in "- " for line in self.lines)
        new = sum(line[0] in "+ " for line in self.lines)
        return "\n".join(
            [f"@@ -{self.left},{old} +{self.right},{new} @@{self.heading}", *self.lines]
        )


def pieces_of(section: str) -> list[Piece]:
    """The hunks of a file's part of a diff. Raises ValueError where the lines are not those that the hunks count."""
    lines = section.split("\n")
    at = next((number for number, line in enumerate(lines) if line.startswith("@@ ")), len(lines))
    found: list[Piece] = []
    while at < len(lines):
        match = _HUNK.match(lines[at])
        if match is None:
            # a changed type: what was removed, and then what was added
            if lines[at].startswith("diff --git "):
                at = next(
                    (n for n in range(at, len(lines)) if lines[n].startswith("@@ ")), len(lines)
                )
                continue
            if any(lines[at:]):
                raise ValueError("a hunk has more lines than it says")
            break
        end = _end(lines, at + 1, int(match[2] or 1), int(match[4] or 1))
        body = tuple(lines[at + 1 : end])
        found.append(Piece(int(match[1]), int(match[3]), lines[at][match.end() :], body))
        at = end
    return found


def _end(lines: Sequence[str], at: int, old: int, new: int) -> int:
    """The end of a hunk's lines, by its own count."""
    while old > 0 or new > 0:
        sign = lines[at][:1] if at < len(lines) else ""
        if sign not in ("+", "-", " ", "\\") or not sign:
            raise ValueError("a hunk has fewer lines than it says")
        old, new, at = old - (sign in "- "), new - (sign in "+ "), at + 1
    if old or new:
        raise ValueError("a hunk's lines are not those that it says")
    return at + 1 if at < len(lines) and lines[at].startswith("\\") else at


def shown(pieces: Sequence[Piece], context: int = GITHUB_CONTEXT) -> tuple[Hunk, ...]:
    """The hunks as a diff with that many lines of context has them, from one with at least as many."""
    hunks: list[Hunk] = []
    for piece in pieces:
        for first, last in _runs(piece, context):
            hunks.append(_hunk(piece, first, last))
    return tuple(hunks)


def _runs(piece: Piece, context: int) -> Iterator[tuple[int, int]]:
    """First and last index of each part of a hunk that stays in one with less context."""
    body = [line for line in piece.lines if not line.startswith("\\")]
    changed = [number for number, line in enumerate(body) if line[0] != " "]
    if not changed:
        return
    cuts = [(a, b) for a, b in pairwise(changed) if b - a - 1 > 2 * context]
    starts = [changed[0], *(b for _, b in cuts)]
    ends = [*(a for a, _ in cuts), changed[-1]]
    for start, end in zip(starts, ends, strict=True):
        yield max(0, start - context), min(len(body) - 1, end + context)


def _hunk(piece: Piece, first: int, last: int) -> Hunk:
    body = [line for line in piece.lines if not line.startswith("\\")]
    left = piece.left + sum(line[0] in "- " for line in body[:first])
    right = piece.right + sum(line[0] in "+ " for line in body[:first])
    within = body[first : last + 1]
    old, new = sum(line[0] in "- " for line in within), sum(line[0] in "+ " for line in within)
    # A side without a line has the number of the line before it.
    return left, left + old - 1, right, right + new - 1


def header_of(section: str) -> str:
    """The lines before the first hunk."""
    return section.partition("\n@@ ")[0]


def is_binary(section: str) -> bool:
    """True where git shows no lines of it."""
    rest = header_of(section).split("\n")[1:]
    return any(
        line == "GIT binary patch" or re.match(r"Binary files .* differ$", line) for line in rest
    )


def path_of(section: str) -> str:
    """The path after the change, or before it for a deleted file; for a patch, which comes without git's list."""
    header = header_of(section).split("\n")
    for start, prefix in (("+++ ", "b/"), ("--- ", "a/"), ("rename to ", ""), ("copy to ", "")):
        for line in header[1:]:
            if (
                line.startswith(start)
                and (name := unquoted(line.removeprefix(start))) != "/dev/null"
            ):
                return name.removeprefix(prefix)
    names = header[0].removeprefix("diff --git ")  # the same name twice, so it may hold spaces
    quoted = re.match(r'"(?:\\.|[^"\\])*"', names)
    return unquoted(quoted[0] if quoted else names[: len(names) // 2]).removeprefix("a/")


def renamed_from(section: str) -> str | None:
    """The path before the change, where that was another one."""
    lines = [line for line in header_of(section).split("\n") if line.startswith("rename from ")]
    return unquoted(lines[0].removeprefix("rename from ")) if lines else None


def mode_of(section: str) -> str:
    """The mode that the file is given, where that is not a plain file's that stays one."""
    found = re.findall(r"^new (?:(file) )?mode (\d+)$", header_of(section), re.MULTILINE)
    return "".join(mode for new, mode in found if not new or mode != "100644")


def is_pointer(section: str) -> bool:
    """True where it is a symbolic link or a submodule afterwards: a line that names something, no file to open."""
    found = re.findall(
        r"^(?:new (?:file )?mode|index [0-9a-f]+\.\.[0-9a-f]+) (\d{6})$",
        header_of(section),
        re.MULTILINE,
    )
    return bool(found) and found[-1] in POINTERS


def is_new(section: str) -> bool:
    """True where the file was not there before."""
    return re.search(r"^new file mode ", header_of(section), re.MULTILINE) is not None


def is_deleted(section: str) -> bool:
    """True where the file is not there afterwards."""
    return re.search(r"^deleted file mode ", header_of(section), re.MULTILINE) is not None


def unquoted(name: str) -> str:
    """A path as git writes it in a header: in C's quotes where it holds anything unusual."""
    if not name.startswith('"'):
        return name.removesuffix("\t")
    escaped = name.strip("\t")[1:-1].encode()
    plain = re.sub(
        rb"\\([0-7]{3}|.)",
        lambda match: _ESCAPES.get(match[1]) or bytes([int(match[1], 8)]),
        escaped,
    )
    return plain.decode(errors="replace")
