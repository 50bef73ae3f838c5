"""A pull request's diff, file by file: what changed, which lines can carry a comment, how much there is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

from unidiff import PatchSet
from unidiff.errors import UnidiffParseError

GROUP_FILES: Final = 20
GROUP_LINES: Final = 400
GROUP_CHARACTERS: Final = 120_000
GROUPS_LIMIT: Final = 12
_FILE_CHARACTERS: Final = 60_000
_CUT: Final = "\n[the rest of this file's diff is left out; read the file itself]\n"

_NOT_READ: Final = (
    "*.lock", "*-lock.json", "*-lock.yaml", "*.min.js", "*.min.css", "*.map", "*.snap", "*.svg", "*.pb.go",
    "go.sum", "*/vendor/*", "vendor/*", "*/node_modules/*",
)  # fmt: skip
_ESCAPES: Final = {
    b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r", b'"': b'"',
    b"\\": b"\\",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One changed file."""

    path: str
    text: str
    """Its part of the diff."""
    added: int
    removed: int
    commentable: frozenset[int]
    """Lines of the new file that the diff shows: GitHub takes inline comments nowhere else."""
    binary: bool = False

    @property
    def size(self) -> int:
        """Changed lines."""
        return self.added + self.removed

    @property
    def is_cut(self) -> bool:
        """Whether `text` holds only the beginning of its part of the diff."""
        return self.text.endswith(_CUT)


@dataclass(frozen=True, slots=True)
class Group:
    """Files that one agent reads together."""

    changes: tuple[Change, ...]

    @property
    def title(self) -> str:
        """What people read while it runs."""
        first, rest = self.changes[0].path, len(self.changes) - 1
        return first if not rest else f"{first} and {rest} more"

    @property
    def text(self) -> str:
        """The diff of all its files."""
        return "\n".join(change.text for change in self.changes)


def parse(diff: str) -> list[Change]:
    """Every file of a unified diff as git writes it. Raises ValueError for anything else."""
    return [_change(section) for section in sections(diff)]


def sections(diff: str) -> list[str]:
    """The parts of a unified diff as git writes it, one for each file. Raises ValueError for anything else."""
    before, *parts = re.split(r"^(?=diff --git )", diff, flags=re.MULTILINE)
    if before.strip():
        raise ValueError("not a unified diff as git writes it")
    return parts


def path_of(section: str) -> str:
    """The path after the change, or before it for a deleted file."""
    return _path(_header(section))


def renamed_from(section: str) -> str | None:
    """The path before the change, where that was another one."""
    lines = [line for line in _header(section) if line.startswith("rename from ")]
    return _unquoted(lines[0].removeprefix("rename from ")) if lines else None


def mode_of(section: str) -> str:
    """The mode that the file is given, where that is not a plain file's that stays one."""
    found = re.findall(r"^new (?:(file) )?mode (\d+)$", "\n".join(_header(section)), re.MULTILINE)
    return "".join(mode for new, mode in found if not new or mode != "100644")


def _header(section: str) -> list[str]:
    return section.partition("\n@@ ")[0].split("\n")


def worth_reading(changes: Iterable[Change], exclude: Sequence[str] = ()) -> tuple[list[Change], list[str]]:
    """The changes that a reviewer should read, and the paths left out: binary, generated, excluded."""
    read: list[Change] = []
    left_out: list[str] = []
    for change in changes:
        pointless = change.binary or not change.size
        matched = any(fnmatch(change.path, pattern) for pattern in (*_NOT_READ, *exclude))
        if pointless or matched:
            left_out.append(change.path)
        else:
            read.append(change)
    return read, left_out


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


def _change(section: str) -> Change:
    try:
        files = PatchSet(section)
    except UnidiffParseError as error:
        raise ValueError(f"not a unified diff: {error}") from error
    lines = [line for file in files for hunk in file for line in hunk]
    text = section
    if len(text) > _FILE_CHARACTERS:
        text = text[:_FILE_CHARACTERS] + _CUT
    return Change(
        path=path_of(section),
        text=text,
        added=sum(line.is_added for line in lines),
        removed=sum(line.is_removed for line in lines),
        commentable=frozenset(line.target_line_no for line in lines if line.target_line_no is not None),
        binary=any(file.is_binary_file for file in files),
    )


def _path(header: list[str]) -> str:
    """As unidiff does not find it: without git's quotes, and also where only the first line has it."""
    for start, prefix in (("+++ ", "b/"), ("--- ", "a/"), ("rename to ", ""), ("copy to ", "")):
        for line in header[1:]:
            if line.startswith(start) and (name := _unquoted(line.removeprefix(start))) != "/dev/null":
                return name.removeprefix(prefix)
    names = header[0].removeprefix("diff --git ")  # the same name twice, so it may hold spaces
    quoted = re.match(r'"(?:\\.|[^"\\])*"', names)
    return _unquoted(quoted[0] if quoted else names[: len(names) // 2]).removeprefix("a/")


def _unquoted(name: str) -> str:
    """A path as git writes it in a header: in C's quotes where it holds anything unusual."""
    if not name.startswith('"'):
        return name.removesuffix("\t")
    escaped = name.strip("\t")[1:-1].encode()
    plain = re.sub(
        rb"\\([0-7]{3}|.)", lambda match: _ESCAPES.get(match[1]) or bytes([int(match[1], 8)]), escaped
    )
    return plain.decode(errors="replace")
