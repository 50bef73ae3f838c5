"""The places of a thread's open findings at the head that is read: unchanged, or to be judged again.

Nothing here says that one is fixed. That its code is gone, moved, or in a file of another name only asks the question,
and so does a change around it, or of what it names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_pool_gh.conversation.lookups.branch_point import bring
from claude_pool_gh.conversation.review import hunks
from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.review.hunks import FileDiff
from claude_pool_gh.conversation.review.reach import bearing
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import fingerprint, moved, still_there
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.quotes import lines_of
from claude_pool_gh.findings.tables import KnownFinding, Standing
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import WorktreeError


@dataclass(frozen=True, slots=True)
class ChangedFinding:
    """An open finding that may be fixed: its code is another now, or what decides it. Its file has its new name."""

    finding: Finding
    change: str
    """The hunks between the commit at which it was placed and this head."""


@dataclass(frozen=True, slots=True)
class EarlierFindings:
    """The open findings of a thread, as they stand at this head."""

    standing: tuple[Finding, ...] = ()
    changed: tuple[ChangedFinding, ...] = ()
    back: tuple[Finding, ...] = ()
    """Fixed once, and their very code is there again, as after a push that takes the fix back."""

    def __bool__(self) -> bool:
        return bool(self.standing or self.changed or self.back)

    def only(self, marks: Sequence[str]) -> EarlierFindings:
        """Those of them that are still open."""
        return EarlierFindings(
            tuple(each for each in self.standing if fingerprint(each) in marks),
            tuple(each for each in self.changed if fingerprint(each.finding) in marks),
            self.back,
        )

    def stored(self) -> dict[str, Any]:
        """As JSON, for the step's row."""
        return {
            "standing": [each.model_dump(mode="json") for each in self.standing],
            "changed": [
                {"finding": each.finding.model_dump(mode="json"), "change": each.change}
                for each in self.changed
            ],
            "back": [each.model_dump(mode="json") for each in self.back],
        }

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> EarlierFindings:
        """Read back from its row."""
        return cls(
            tuple(map(Finding.model_validate, stored["standing"])),
            tuple(
                ChangedFinding(Finding.model_validate(each["finding"]), each["change"])
                for each in stored["changed"]
            ),
            tuple(map(Finding.model_validate, stored["back"])),
        )


async def earlier(
    services: Services, facts: ReviewFacts, mirror: Path, merge_base: str, *, is_open: bool
) -> EarlierFindings:
    """Hold every open finding against the files at the head, through renamed files and moved lines."""

    def ask(tx: Transaction) -> tuple[list[KnownFinding], list[KnownFinding], str]:
        if is_open:  # whatever was heard of its closing is over
            tables.reopen_ignored(tx, facts.key)
        every = tables.every(tx, facts.key)
        last = tables.last_reviewed(tx, facts.key)
        open_ = [each for each in every if each.state is Standing.open]
        fixed = [each for each in every if each.state is Standing.fixed]
        return open_, fixed, last.head if last else ""

    open_, fixed, last = await services.database.transact(ask)
    removed = any(each.finding.side == "LEFT" for each in fixed)
    renamed = await _renamed_here(mirror, merge_base, facts.head) if open_ or removed else {}
    back = await _back(mirror, facts.head, merge_base, [each.finding for each in fixed], renamed)
    if not open_:
        return EarlierFindings(back=back)
    heads = {each.head or last for each in open_}
    await bring(services, facts, heads)
    diffs = {head: await _between(mirror, head, facts.head) for head in heads}
    moved_: list[tuple[Finding, FileDiff | None, _Since]] = []
    for each in open_:
        since = diffs[each.head or last]
        diff = None if since is None else since.get(each.finding.path)
        path = diff.path if diff is not None else each.finding.path
        if since is None:
            path = renamed.get(path, path)
        finding = each.finding if path == each.finding.path else moved(each.finding, path)
        moved_.append((finding, diff, since))
    paths = {finding.path for finding, *_ in moved_}
    files = await history.read_files(mirror, facts.head, paths, pointers=True)
    bases = await _before(mirror, merge_base, paths, renamed)
    standing, touched, gone = await asyncio.to_thread(_sorted, moved_, files, bases)
    return EarlierFindings(tuple(standing), (*gone, *touched), back)


_Since = Mapping[str, FileDiff] | None
"""The changes since a commit, by the old names; None where that commit is not known any more."""


def _sorted(
    findings: Sequence[tuple[Finding, FileDiff | None, _Since]],
    files: Mapping[str, str],
    bases: Mapping[str, str],
) -> tuple[list[Finding], list[ChangedFinding], list[ChangedFinding]]:
    """Those whose code is unchanged, as is all that may decide them; those of which that is not; all others."""
    standing, touched, gone = [], [], []
    for finding, diff, since in findings:
        found = _still(finding, files, bases)
        if found is None:
            near = diff.near(finding.start_line, finding.end_line, old=True) if diff else ""
            gone.append(ChangedFinding(finding, near or (diff.section[:4_000] if diff else "")))
            continue
        lines = lines_of(files.get(found.path, ""))
        change = "" if since is None else bearing(found, since.values(), lines)
        if change or since is None:
            touched.append(ChangedFinding(found, change))
        else:
            standing.append(found)
    return standing, touched, gone


async def _back(
    mirror: Path,
    head: str,
    merge_base: str,
    fixed: Sequence[Finding],
    renamed: Mapping[str, str],
) -> tuple[Finding, ...]:
    """The findings that were fixed and are as they were: their code is there again, or is deleted again."""
    if not fixed:
        return ()
    paths = {each.path for each in fixed}
    files = await history.read_files(mirror, head, paths, pointers=True)
    bases = await _before(
        mirror, merge_base, {each.path for each in fixed if each.side == "LEFT"}, renamed
    )
    found = (_still(each, files, bases) for each in fixed)
    return tuple(each for each in found if each is not None)


async def _before(
    mirror: Path, merge_base: str, paths: Collection[str], renamed: Mapping[str, str]
) -> Mapping[str, str]:
    """The files as they were before the change, by the names that they have now."""
    old = {path: name for name, path in renamed.items()}
    names = {old.get(path, path) for path in paths}
    texts = await history.read_files(mirror, merge_base, names, pointers=True) if names else {}
    return {path: texts[name] for path in paths if (name := old.get(path, path)) in texts}


def _still(finding: Finding, files: Mapping[str, str], bases: Mapping[str, str]) -> Finding | None:
    """The finding where its code is unchanged. Deleted code is, as long as it is in the base and not at the head."""
    if finding.side == "RIGHT":
        return still_there(finding, files[finding.path]) if finding.path in files else None
    found = still_there(finding, bases[finding.path]) if finding.path in bases else None
    back = (
        found is not None
        and finding.path in files
        and still_there(found, files[finding.path]) is not None
    )
    return None if back else found


async def _between(mirror: Path, old: str, new: str) -> _Since:
    """The changes from one commit to another."""
    if old == new:
        return {}
    try:
        return (
            await asyncio.to_thread(hunks.by_old_path, await history.diff(mirror, old, new))
            if old
            else None
        )
    except (WorktreeError, ValueError):
        return None


async def _renamed_here(mirror: Path, merge_base: str, head: str) -> Mapping[str, str]:
    """The files that the pull request itself gives another name, by the old one."""
    found = await _between(mirror, merge_base, head) or {}
    return {old: each.path for old, each in found.items() if each.path != old}
