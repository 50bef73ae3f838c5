"""Cuts the files of a commit into what single agents read.

The same files give the same shards, and a change moves few of them. Each file, with its tests, has a place of its own:
one bit after another, folder by folder, from hashes of the names on its path. Files whose places begin alike form a
stretch, so whether two files can be parted, and where, depends on nothing but their own paths. The longest stretches
that are small enough are the shards.

From that follows, of files without tests of their own: one that goes changes one shard at most. One that is added or
changes its size makes two new ones at most, beside such as are smaller than it, all together. No rule promises two in
every case that also fills its shards, whatever the files are.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

from claude_pool_gh.audits.model import Cut, Shard, SourceFile

TARGET_TOKENS: Final = 30_000
"""Tokens of a shard, at most, unless a single file has more; it has two thirds of that on average."""
MOST_FILES: Final = 40
"""Files of a shard: its agent opens each of them."""
_ALONE: Final = 2
"""A file with more than one part in so many of the target has a shard of its own, which no other file changes."""
_HASHED: Final = 3
"""Bytes that say where a name lies among its neighbours."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Files that stay together: one of source, and its tests."""

    files: tuple[SourceFile, ...]
    tokens: int
    place: bytes

    @property
    def path(self) -> str:
        return self.files[0].path


def cut(
    files: Iterable[SourceFile],
    by: Cut,
    group_of: Callable[[str], str],
    *,
    target: int = TARGET_TOKENS,
) -> list[Shard]:
    """The shards of these files. `group_of` names the group of a path; files of two groups are never in one shard."""
    groups: dict[str, list[_Unit]] = defaultdict(list)
    for unit in _units(sorted(files, key=lambda each: each.path.split("/"))):
        groups[group_of(unit.path)].append(unit)
    return [
        shard
        for group, units in sorted(groups.items())
        for shard in sorted(
            (_shard(by, group, part) for part in _parts(units, target)),
            key=lambda each: each.paths[0].split("/"),
        )
    ]


def group_of(by: Cut, groups: Grouping) -> Callable[[str], str]:
    """The groups of paths that a way of cutting keeps apart."""
    match by:
        case Cut.size:
            return lambda _: ""
        case Cut.folder:
            return lambda path: path.split("/", 1)[0] if "/" in path else ""
        case Cut.glob:
            return groups.pattern_of
        case Cut.owner:
            return groups.owner_of
        case Cut.package:
            return groups.package_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """The names of the groups of paths, for each way of cutting that needs more than the path."""

    pattern_of: Callable[[str], str] = lambda _: ""
    owner_of: Callable[[str], str] = lambda _: ""
    package_of: Callable[[str], str] = lambda _: ""


# ---- where to cut


def _parts(units: Iterable[_Unit], target: int) -> Iterator[Sequence[_Unit]]:
    small: list[_Unit] = []
    for unit in units:
        if unit.tokens * _ALONE > target:
            yield (unit,)
        else:
            small.append(unit)
    small.sort(key=lambda each: each.place)
    places = [each.place for each in small]
    tokens = [0, *accumulate(each.tokens for each in small)]
    files = [0, *accumulate(len(each.files) for each in small)]
    todo = [(0, len(small))]
    while todo:
        start, end = todo.pop()
        size, number = tokens[end] - tokens[start], files[end] - files[start]
        if end - start > 1 and (size > target or number > MOST_FILES):
            middle = bisect_left(places, _parted(places[start], places[end - 1]), start, end)
            todo += [(middle, end), (start, middle)]
        elif end > start:
            yield small[start:end]


def _place(path: str) -> bytes:
    """A path's place: those in one folder lie together, files before folders, each by the hash of its name."""
    folder, _, name = path.rpartition("/")
    return b"".join([_within(folder), b"\0", _hash(name), path.encode(), b"\0"])


@lru_cache(maxsize=10_000)
def _within(folder: str) -> bytes:
    """The beginning of the places in a folder."""
    return b"".join(b"\1" + _hash(each) for each in folder.split("/")) if folder else b""


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:_HASHED]


def _parted(first: bytes, last: bytes) -> bytes:
    """The lowest place that has the first bit in which these two differ, as the last one has it."""
    at = _alike(first, last)
    bit = 1 << ((first[at] ^ last[at]).bit_length() - 1)
    return last[:at] + bytes([last[at] & -bit])


def _alike(one: Sequence[object], other: Sequence[object]) -> int:
    """The length of what two sequences, of which neither begins the other, have in common at their beginning."""
    differ = (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differ)


def _shard(by: Cut, group: str, part: Sequence[_Unit]) -> Shard:
    files = sorted(
        (file for unit in part for file in unit.files), key=lambda each: each.path.split("/")
    )
    paths = tuple(file.path for file in files)
    named = "\0".join((by, group, *paths))
    return Shard(
        id=hashlib.sha256(named.encode()).hexdigest()[:10],
        title=_title(group, paths),
        paths=paths,
        tokens=sum(file.tokens for file in files),
        size=sum(file.size for file in files),
    )


def _title(group: str, paths: Sequence[str]) -> str:
    """A shard's name for people: the folder that its files have in common, and the first of them."""
    first, last = paths[0].split("/"), paths[-1].split("/")
    folder = "/".join(first[: _alike(first, last)]) if len(paths) > 1 else ""
    begin = paths[0][len(folder) + 1 :] if folder else paths[0]
    if len(paths) == 1:
        named = paths[0]
    elif folder:
        named = f"{folder}/ ({begin} and {len(paths) - 1} more)"
    else:
        named = f"{begin} and {len(paths) - 1} more"
    return f"{group}: {named}" if group and not named.startswith(group) else named


# ---- tests beside their source

_TEST_NAME: Final = re.compile(
    r"^(?:test[_-]?(?P<a>.+)|(?P<b>.+?)(?:[._-](?:test|tests|spec)|Tests?|Spec|IT))$"
)
_TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec", "specs"})


def tested_name(path: str) -> str | None:
    """The name, without its ending, of what a test is about; None for what is no test."""
    stem = _stem(path)
    found = _TEST_NAME.match(stem)
    if found is not None:
        return found["a"] or found["b"]
    in_tests = any(part.lower() in _TEST_FOLDERS for part in path.split("/")[:-1])
    return stem if in_tests else None


def _stem(path: str) -> str:
    name = path[path.rfind("/") + 1 :]
    return name.rpartition(".")[0] or name


def _units(files: Sequence[SourceFile]) -> list[_Unit]:
    """The files in the same order, each test with the one file that it is named after, if there is one."""
    sources: dict[str, list[str]] = defaultdict(list)
    tested: dict[str, str] = {}
    for file in files:
        name = tested_name(file.path)
        if name is None:
            sources[_stem(file.path)].append(file.path)
        else:
            tested[file.path] = name
    tests: dict[str, list[SourceFile]] = defaultdict(list)
    alone: list[SourceFile] = []
    for file in files:
        if (name := tested.get(file.path)) is None:
            alone.append(file)
        elif (about := _nearest(file.path, sources.get(name, ()))) is not None:
            tests[about].append(file)
        else:
            alone.append(file)
    return [_unit((file, *tests.get(file.path, ()))) for file in alone]


def _unit(files: tuple[SourceFile, ...]) -> _Unit:
    return _Unit(files, sum(file.tokens for file in files), _place(files[0].path))


def _nearest(test: str, sources: Sequence[str]) -> str | None:
    """The source among several of one name that shares most of its folders' names with a test; None where unclear."""
    own = set(test.split("/")[:-1])
    ranked = sorted(
        ((len(own & set(path.split("/")[:-1])), path) for path in sources), reverse=True
    )
    if not ranked or (len(ranked) > 1 and ranked[0][0] == ranked[1][0]):
        return None
    return ranked[0][1]


def pattern_of(
    patterns: Sequence[str], matches: Callable[[str, str], bool]
) -> Callable[[str], str]:
    """Names the first pattern that a path matches; "" where none does."""
    return lambda path: next((each for each in patterns if matches(each, path)), "")
