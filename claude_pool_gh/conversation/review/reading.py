"""The parts of a pull request that there are to read: names and sizes first, the text only of what an agent reads."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.conversation.review import hunks
from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.review.hunks import FileDiff
from claude_pool_gh.findings import changes
from claude_pool_gh.findings.anchor import DroppedFinding, anchor
from claude_pool_gh.findings.changes import Change, ReadChanges
from claude_pool_gh.findings.diffs import Entry, dealt, entries
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.paths import candidates
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms import patterns
from claude_pool_gh.worktrees import history


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A pull request's files, and what is to be read of them."""

    listed: tuple[Entry, ...]
    changes: tuple[Change, ...] = ()
    left_out: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    """Paths that our own list leaves out, and the repository's configuration does not."""
    without_lines: tuple[str, ...] = ()
    """What is changed without a changed line, in words."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Paths that should have been read and could not be, with the reason."""
    whole: bool = False
    """True where all that is worth reading, and all that looks generated, is among what was asked for."""


async def listed(mirror: Path, old: str, new: str) -> tuple[Entry, ...]:
    """The files that differ between two commits."""
    found = await history.listing(mirror, old, new)
    return tuple(await asyncio.to_thread(entries, found))


async def difference(
    mirror: Path,
    base: str,
    head: str,
    *,
    exclude: Sequence[str],
    paths: Sequence[str],
    since: frozenset[str] | None,
) -> Difference:
    """The files that changed, and the text of those that were asked for and are worth reading."""
    found = await listed(mirror, base, head)
    selection = await asyncio.to_thread(changes.worth_reading, found, exclude)
    named = [entry for entry in selection.generated if is_named(entry.path, paths)]
    wanted = [
        entry
        for entry in (*selection.read, *named)
        if is_chosen(entry.path, paths) and (since is None or entry.path in since)
    ]
    read = await _read(mirror, base, head, wanted)
    lineless = {entry.path for entry in found if changes.is_without_lines(entry)}
    return Difference(
        listed=found,
        changes=read.changes,
        left_out=tuple(path for path in selection.left_out if path not in lineless),
        generated=tuple(entry.path for entry in selection.generated if entry not in named),
        without_lines=tuple(changes.without_lines(found, exclude)),
        unreadable=read.unreadable,
        whole=len(wanted) == len(selection.read) + len(selection.generated),
    )


async def _read(mirror: Path, base: str, head: str, wanted: Sequence[Entry]) -> ReadChanges:
    names = [entry.names for entry in wanted]
    out = await history.diffs(mirror, base, head, names)
    try:
        return await asyncio.to_thread(_parsed, wanted, out)
    except ValueError:  # not even the files can be told apart: each for itself, so that the odd one costs only itself
        read: list[ReadChanges] = []
        for entry in wanted:
            alone = b"".join(await history.diffs(mirror, base, head, [entry.names]))
            try:
                read.append(await asyncio.to_thread(_parsed, [entry], [alone]))
            except ValueError as error:
                read.append(ReadChanges((), ((entry.path, str(error)),)))
        return ReadChanges(
            tuple(change for each in read for change in each.changes),
            tuple(odd for each in read for odd in each.unreadable),
        )


def _parsed(wanted: Sequence[Entry], out: Sequence[bytes]) -> ReadChanges:
    return changes.read(wanted, dealt(b"".join(out), wanted))


def is_chosen(path: str, paths: Sequence[str]) -> bool:
    """True where a file is among those that the command names; without names all are."""
    return not paths or any(patterns.names(each, path) for each in paths)


def nothing_to_read(found: Difference, paths: Sequence[str]) -> str:
    """The reason why there is nothing to read."""
    if found.unreadable:
        return unread_in_words(found.unreadable)
    if not found.listed:
        return "the pull request changes nothing"
    meant = [entry.path for entry in found.listed if is_chosen(entry.path, paths)]
    if not meant:
        return "no changed file matches the paths that were given"
    which = "every changed file that matches" if paths else "every changed file"
    if named := [path for path in found.generated if path in meant]:
        return (
            f"{which} looks generated, is binary or is excluded; to have it read, name it: "
            f"{in_short(named)}"
        )
    if told := [
        each
        for each in found.without_lines
        if each.startswith(tuple(f"{path} (" for path in meant))
    ]:
        left_out = any(path in meant for path in found.left_out)
        left = "; what else is changed is binary or excluded" if left_out else ""
        return f"no line is changed: {in_short(told)}{left}"
    return f"{which} is binary or excluded"


def is_named(path: str, paths: Sequence[str]) -> bool:
    """True where the command names this very file: it is read then, whatever our list says of its kind."""
    return any(path == each.removeprefix("./").removeprefix("/") for each in paths)


async def unmatched(mirror: Path, facts: ReviewFacts, found: Difference) -> list[str]:
    """The paths that name nothing: of the command among the changed files, excluded ones in the whole repository."""
    changed = [entry.path for entry in found.listed]
    told = [
        f"No changed file matches {each}." for each in facts.paths if not _names_any(each, changed)
    ]
    if not facts.settings.exclude:
        return told
    tree = [*await history.list_paths(mirror, facts.head), *changed]
    return told + await asyncio.to_thread(_excluding_nothing, facts.settings.exclude, tree)


def _names_any(name: str, paths: Sequence[str]) -> bool:
    return any(patterns.names(name, path) for path in paths)


def _excluding_nothing(exclude: Sequence[str], tree: Sequence[str]) -> list[str]:
    return [
        f"review.exclude: {each} matches no file."
        for each in exclude
        if not any(patterns.matches(each, path) for path in tree)
    ]


async def diff_of(
    mirror: Path, base: str, head: str, paths: Collection[str], renamed: Mapping[str, str]
) -> Mapping[str, FileDiff]:
    """The changes of these files, by the names that they have now."""
    names = [sorted({path, renamed.get(path, path)}) for path in sorted(paths)]
    out = await history.diffs(mirror, base, head, names) if names else []
    return await asyncio.to_thread(lambda: hunks.by_path(b"".join(out).decode(errors="replace")))


def in_short(named: Sequence[str]) -> str:
    """The first three of them, and how many more."""
    more = f"; and {len(named) - 3} more" if len(named) > 3 else ""
    return f"{'; '.join(named[:3])}{more}"


def unread_in_words(unreadable: Sequence[Sequence[str]]) -> str:
    """Which files could not be read, and why: the first three, and how many more."""
    told = in_short([f"{path}: {reason}" for path, reason in unreadable])
    return f"{count(len(unreadable), 'file')} could not be read whole ({told})"


async def held(
    mirror: Path,
    base: str,
    head: str,
    stated: Sequence[Finding],
    renamed: Mapping[str, str],
) -> list[Finding | DroppedFinding]:
    """Each stated finding held against the files that it can mean, at the head and at the merge base."""
    if not stated:
        return []
    sides = [frozenset(await history.list_paths(mirror, commit)) for commit in (head, base)]
    known = sides[0] | sides[1] | renamed.keys()
    meant = await asyncio.to_thread(_meant, stated, known, renamed)
    now, before = [
        await history.read_files(mirror, commit, meant, pointers=True) for commit in (head, base)
    ]
    return await asyncio.to_thread(
        lambda: [anchor(finding, now, before, renamed) for finding in stated]
    )


def _meant(
    stated: Sequence[Finding], known: frozenset[str], renamed: Mapping[str, str]
) -> set[str]:
    """Every path that one of them can mean, under its name on either side."""
    found = {path for finding in stated for path in candidates(finding.path, known)}
    olds = {old: new for new, old in renamed.items()}
    return (
        found
        | {renamed[path] for path in found & renamed.keys()}
        | {olds[p] for p in found & olds.keys()}
    )
