"""The state of earlier runs' findings at the commit that is read: unchanged, to be judged again, or back.

Nothing here says that one is fixed. That its code is gone, moved or in a file of another name only asks the question,
and so does a change around it, or of a file that it names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.conversation.review import hunks
from claude_pool_gh.conversation.review.reach import FileNames, bearing, words_of
from claude_pool_gh.findings.diffs import Entry, entries
from claude_pool_gh.findings.identity import moved, still_there
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.quotes import lines_of
from claude_pool_gh.findings.tables import KnownFinding, Standing
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import WorktreeError

_CHANGE: Final = 4_000
"""Characters of a change that the reader of a known finding is shown."""


@dataclass(frozen=True, slots=True)
class ChangedFinding:
    """An open finding that may be fixed: its code is another now, or what decides it. Its file has its new name."""

    mark: str
    finding: Finding
    change: str
    exists: bool


@dataclass(frozen=True, slots=True)
class Earlier:
    """The findings of earlier runs, by their names."""

    standing: Mapping[str, Finding]
    changed: Sequence[ChangedFinding]

    def stored(self) -> dict[str, Any]:
        """As JSON, for the step's row."""
        return {
            "standing": {mark: f.model_dump(mode="json") for mark, f in self.standing.items()},
            "changed": [
                {
                    "mark": each.mark,
                    "finding": each.finding.model_dump(mode="json"),
                    "change": each.change,
                    "exists": each.exists,
                }
                for each in self.changed
            ],
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Earlier:
        """Read back from its row."""
        return cls(
            {mark: Finding.model_validate(f) for mark, f in stored["standing"].items()},
            [
                ChangedFinding(
                    each["mark"],
                    Finding.model_validate(each["finding"]),
                    each["change"],
                    each["exists"],
                )
                for each in stored["changed"]
            ],
        )


def heads(every: Sequence[KnownFinding]) -> frozenset[str]:
    """The commits at which open findings were placed, as far as that is known."""
    return frozenset(each.head for each in every if each.state is Standing.open and each.head)


async def earlier(mirror: Path, head: str, every: Sequence[KnownFinding]) -> Earlier:
    """Hold every open finding against the files at a commit, through renamed files and moved lines.

    The commits at which they were placed have to be in the mirror: without one, a renamed file is a file that is gone.
    """
    open_ = [each for each in every if each.state is Standing.open]
    listed = {commit: await _listed(mirror, commit, head) for commit in heads(every)}
    renamed = {commit: _renamed(each.files) for commit, each in listed.items()}
    placed = [(each, _here(each.finding, renamed.get(each.head, {}))) for each in open_]
    files = await history.read_files(mirror, head, {finding.path for _, finding in placed})
    standing: dict[str, Finding] = {}
    gone: list[ChangedFinding] = []
    touched: list[ChangedFinding] = []
    for each, finding in placed:
        text = files.get(finding.path)
        found = None if text is None else still_there(finding, text)
        if found is None or text is None:
            change = await _change(mirror, each, finding, head)
            gone.append(ChangedFinding(each.mark, finding, change, exists=text is not None))
        elif change := await _bearing(mirror, each, found, head, text, listed.get(each.head)):
            touched.append(ChangedFinding(each.mark, found, change, exists=True))
        else:
            standing[each.mark] = found
    # One run judges only so many again: those whose code is gone are likelier to be fixed.
    return Earlier(standing, [*gone, *touched])


def _here(finding: Finding, renamed: Mapping[str, str]) -> Finding:
    path = renamed.get(finding.path, finding.path)
    return finding if path == finding.path else moved(finding, path)


class _Listed:
    """The files that differ from an older commit, looked through once for all findings that were placed there."""

    def __init__(self, listing: bytes) -> None:
        self.files = entries(listing)
        self._by_name: dict[str, list[Entry]] = {}
        self._by_path = {each.path: each for each in self.files}
        for each in self.files:
            for name in {path.rpartition("/")[2] for path in _paths(each)}:
                self._by_name.setdefault(name, []).append(each)
        self._names = FileNames(self._by_name)

    def that_may_bear(self, finding: Finding) -> list[list[str]]:
        """Those that a finding is in or names, each by its names."""
        named = self._names.in_(words_of(finding))
        found = {each.path: each for name in named for each in self._by_name[name]}
        if own := self._by_path.get(finding.path):
            found[own.path] = own
        return sorted(map(_paths, found.values()))


def _paths(entry: Entry) -> list[str]:
    return sorted({entry.before or entry.path, entry.path})


async def _listed(mirror: Path, old: str, new: str) -> _Listed:
    """The files that differ from an older commit; none where that commit is not known any more."""
    try:
        found = await history.listing(mirror, old, new) if old and old != new else b""
        return await asyncio.to_thread(_Listed, found)
    except (WorktreeError, ValueError):
        return _Listed(b"")


def _renamed(listed: Sequence[Entry]) -> Mapping[str, str]:
    """Files that have another name now, by the old one."""
    return {
        each.before: each.path
        for each in listed
        if each.status == "R" and each.before and each.names == (each.before, each.path)
    }  # others are shown with a sign in place of odd bytes, as another file may really be called


async def _bearing(
    mirror: Path,
    known: KnownFinding,
    now: Finding,
    head: str,
    text: str,
    listed: _Listed | None,
) -> str:
    """The change that may decide a finding whose own lines are as they were; "" where there is none."""
    names = await asyncio.to_thread(listed.that_may_bear, now) if listed is not None else []
    try:
        out = await history.diffs(mirror, known.head, head, names) if names else []
        return await asyncio.to_thread(_of_diff, now, b"".join(out), text)
    except (WorktreeError, ValueError):
        return ""


def _of_diff(finding: Finding, out: bytes, text: str) -> str:
    return bearing(finding, hunks.by_path(out.decode(errors="replace")).values(), lines_of(text))


async def _change(mirror: Path, known: KnownFinding, now: Finding, head: str) -> str:
    """The change around a finding since it was placed; "" where that is not known."""
    names = sorted({known.finding.path, now.path})
    try:
        out = await history.diffs(mirror, known.head, head, [names]) if known.head else []
        text = b"".join(out).decode(errors="replace")
        found = await asyncio.to_thread(hunks.by_old_path, text)
    except (WorktreeError, ValueError):
        return ""
    diff = found.get(known.finding.path)
    if diff is None:
        return ""
    near = diff.near(known.finding.start_line, known.finding.end_line, old=True)
    return near or diff.section[:_CHANGE]
