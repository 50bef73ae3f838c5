"""Cuts the files of a commit into what single agents read.

The same files give the same shards, and a change moves few cuts. Files stand in the order of their paths, tests with
what they test. Where a stretch is too long it is cut at its strongest boundary: where the two sides have the fewest
folders in common, and among equals by a hash of the path that follows. So whether two neighbours are cut apart depends
on what stands around them, not on all that stands before them.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from claude_pool_gh.audits.model import Cut, Shard, SourceFile

TARGET_TOKENS: Final = 20_000
"""Tokens of a shard, at most, unless a single file has more: agents find more in less."""
MOST_FILES: Final = 40
"""Files of a shard: its agent opens each of them."""
_LEAST: Final = 4
"""A cut leaves at least one part in so many of the target on either side, where there is such a boundary."""
_STEPS: Final = 8
"""Sizes count in eighths of a power of two, so that a small edit moves no cut."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Files that stay together: one of source, and its tests."""

    files: tuple[SourceFile, ...]
    tokens: int
    """As they count for the cuts."""

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
        _shard(by, group, part)
        for group, units in sorted(groups.items())
        for part in _parts(units, target)
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


def _parts(units: Sequence[_Unit], target: int) -> Iterator[Sequence[_Unit]]:
    tokens = [0, *accumulate(unit.tokens for unit in units)]
    files = [0, *accumulate(len(unit.files) for unit in units)]
    # What holds each unit to the one before it: the weakest is cut first.
    bounds = [(0, b"")] + [
        (_in_common(one.path, other.path), _hash(other.path)) for one, other in pairwise(units)
    ]
    todo = [(0, len(units))]
    while todo:
        start, end = todo.pop()
        size, number = tokens[end] - tokens[start], files[end] - files[start]
        if end - start == 1 or (size <= target and number <= MOST_FILES):
            yield units[start:end]
            continue
        least = min(target, size) // _LEAST
        first = bisect_left(tokens, tokens[start] + least, start + 1, end)
        last = bisect_right(tokens, tokens[end] - least, start + 1, end)
        at = min(range(first, last) or range(start + 1, end), key=bounds.__getitem__)
        todo += [(at, end), (start, at)]


def _in_common(one: str, other: str) -> int:
    """The number of folders that two paths have in common at their beginning."""
    number = 0
    for a, b in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if a != b:
            break
        number += 1
    return number


def _hash(path: str) -> bytes:
    return hashlib.sha256(path.encode()).digest()[:8]


def _rounded(tokens: int) -> int:
    """Tokens rounded up to the next eighth of a power of two."""
    step = max(1, (1 << max(0, tokens.bit_length() - 1)) // _STEPS)
    return -(-tokens // step) * step


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
    """A shard's name for people: what it has in common, and where it begins and ends."""
    if len(paths) == 1:
        named = paths[0]
    else:
        parts = [path.split("/")[:-1] for path in (paths[0], paths[-1])]
        depth = _in_common(paths[0], paths[-1])
        folder = "/".join(parts[0][:depth])
        names = [path[len(folder) + 1 :] if folder else path for path in (paths[0], paths[-1])]
        named = f"{folder}/ ({names[0]} to {names[1]})" if folder else f"{names[0]} to {names[1]}"
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
    return _Unit(files, _rounded(sum(file.tokens for file in files)))


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
