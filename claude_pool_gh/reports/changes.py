"""A change as people decide on it: the host's facts first, the agent's prose apart, the line to copy last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.findings.diffs import (
    is_binary,
    is_deleted,
    is_new,
    mode_of,
    path_of,
    pieces_of,
    renamed_from,
    sections,
)
from claude_pool_gh.reports.figures import duration
from claude_pool_gh.reports.neutralize import cell, code, fence, neutralize, neutralize_line
from claude_pool_gh.reports.refusals import advice
from claude_pool_gh.reports.views import (
    ChangeReport,
    ChangeStatus,
    CheckEnd,
    CheckResult,
    FileChange,
    HandInReport,
)
from claude_pool_gh.reports.words import checks_in_short, commit, count, difference, fold
from claude_pool_gh.terms.markdown import SafeMarkdown

_PATCH_LIMIT: Final = 30_000
_SHORT: Final = 40
"""Changed lines from which on a patch is folded."""
_SHORT_CHARACTERS: Final = 6_000
_TO_BE_READ: Final = (ChangeStatus.waiting, ChangeStatus.patch_only)
_FILES_SHOWN: Final = 60
_WORKFLOWS: Final = ".github/workflows/"


def files_of(patch: bytes) -> tuple[FileChange, ...]:
    """The changes of a patch to each file. Raises ValueError for one that cannot be read."""
    return tuple(
        change
        for section in sections(patch.decode(errors="replace"))
        for change in _changes(section)
    )


def _changes(section: str) -> list[FileChange]:
    """The file's row. A file that was renamed has two: whoever guards the old path must see that it is left."""
    path, before = path_of(section), renamed_from(section)
    kinds = (("new", is_new), ("deleted", is_deleted), ("binary", is_binary))
    notes = [word for word, holds in kinds if holds(section)]
    notes += [f"renamed from {before}"] if before else []
    notes += [f"mode {mode}"] if (mode := mode_of(section)) else []
    try:
        pieces = pieces_of(section)
    except ValueError:  # whoever decides sees the path, and that nobody counted its lines
        pieces, notes = [], [*notes, "its lines cannot be counted"]
    added, removed = sum(piece.added for piece in pieces), sum(piece.removed for piece in pieces)
    left = [FileChange(before, 0, 0, f"renamed to {path}")] if before else []
    return [*left, FileChange(path, added, removed, ", ".join(notes))]


def body(change: ChangeReport, home: str = "") -> list[str]:
    """The parts of a tracking comment that show a change. `home`: the repository's page."""
    if change.questions:
        asked = "\n".join(
            f"- {neutralize_line(question, 400)}" for question in change.questions[:10]
        )
        return [f"{asked}\n\nAnswer in a comment, then start it again: `/pool retry`"]
    if not change.files:
        return [neutralize(change.prose, 2_000)] if change.prose else []
    decision = _decision(change, home)
    shown = [_suspects(change), facts(change), _limits_of_a_job(change), *_shown(change)]
    parts = (
        [*shown, decision]
        if change.fate is ChangeStatus.waiting and not change.stale
        else [decision, *shown]
    )
    parts += [
        fold(f"Output of {check.name}", fence(check.output, "text"))
        for check in change.checked
        if check.output
    ]
    if change.prose:
        parts.append(fold("What the agent says", neutralize(change.prose, 6_000)))
    return [part for part in parts if part]


def _shown(change: ChangeReport) -> list[str]:
    """The patch: what one approves is open where it is short and still waits, and folded otherwise."""
    if not change.patch:
        return []
    is_short = change.added + change.removed < _SHORT and len(change.patch) <= _SHORT_CHARACTERS
    if is_short and change.fate in _TO_BE_READ and not change.stale:
        return [_patch(change)]
    return [fold("The patch", _patch(change))]


def _suspects(change: ChangeReport) -> str:
    """The texts that perhaps are secrets, and where they stand: to approve the patch is to publish them."""
    if not change.suspects or change.fate not in (ChangeStatus.waiting, ChangeStatus.patch_only):
        return ""
    lines = [
        f"- {code(f'{each.path}:{each.line}', 200)}, {each.length} characters beginning with {code(each.begins)}"
        for each in change.suspects[:10]
    ]
    more = f"\n- and {len(change.suspects) - 10} more" if len(change.suspects) > 10 else ""
    return (
        "⚠️ This patch adds what looks like a random token. If it is a secret, reject the patch; to approve it is to "
        "publish the token:\n\n" + "\n".join(lines) + more
    )


def _limits_of_a_job(change: ChangeReport) -> str:
    """The limits that GitHub sets on a push by a job's own token: said while people can still decide otherwise."""
    if not change.by_job or change.fate is not ChangeStatus.waiting or change.stale:
        return ""
    if change.opens_pull:
        what = (
            "To open the pull request, the repository's setting *Allow GitHub Actions to create and approve pull "
            "requests* must be on; its CI then waits for *Approve and run*."
        )
    else:
        what = "After the push, the CI of the pull request waits for *Approve and run*."
    if any(file.path.startswith(_WORKFLOWS) for file in change.files):
        what += (
            f" ⚠️ GitHub will refuse this push, because it changes files under `{_WORKFLOWS}`: that takes an App's "
            "token with the permission *workflows*."
        )
    return f"This job pushes with its own token. {what} With an App's token, CI starts by itself."


def facts(change: ChangeReport) -> SafeMarkdown:
    """The host's facts about a change. Nothing in it is the agent's word."""
    table = _files(change)
    bound = ""
    # what the ID stands for; afterwards only the commit is of interest
    if change.fate is ChangeStatus.waiting:
        made = f"New commit `{change.commit[:9]}`, patch" if change.commit else "Patch"
        bound = f"{made} `{change.digest[:12]}`."
    told = " ".join(filter(None, (bound, _unchecked(change))))
    return SafeMarkdown("\n\n".join(filter(None, (table, told, _checks(change)))))


def _files(change: ChangeReport) -> str:
    """The table of its files, with a column of notes where there are any."""
    protected = set(change.protected)
    notes = {
        file.path: ", ".join(
            [
                *([neutralize_line(file.note, 160)] if file.note else []),
                *(["**protected**"] if file.path in protected else []),
            ]
        )
        for file in change.files
    }
    columns = 4 if any(notes.values()) else 3
    rows = [("file", "added", "removed", ""), ("---", "--:", "--:", "---")]
    rows += [
        (cell(code(file.path, 160)), str(file.added), str(file.removed), cell(notes[file.path]))
        for file in change.files[:_FILES_SHOWN]
    ]
    if len(change.files) > _FILES_SHOWN:
        rows.append((f"and {len(change.files) - _FILES_SHOWN} more", "", "", ""))
    return "\n".join(f"| {' | '.join(row[:columns])} |" for row in rows)


def _unchecked(change: ChangeReport) -> str:
    return "" if change.checked else f"Checks: {change.checks or 'none'}."


def _checks(change: ChangeReport) -> str:
    """The table of checks, and below it what else the host has to say of them."""
    if not change.checked:
        return ""
    rows = ["| check | on this commit | time |", "|---|---|--:|"]
    rows += [
        f"| {cell(code(check.name))} | {_said_by(check)} | {duration(check.elapsed_ms)} |"
        for check in change.checked
    ]
    return "\n".join(rows) + (f"\n\n{change.checks}" if change.checks else "")


def _said_by(check: CheckResult) -> str:
    status = "" if check.status is None else f" (exit status {check.status})"
    match check.end:
        case CheckEnd.passed:
            return "✅ passed"
        case CheckEnd.failed:
            return f"❌ **failed**{status}, but passes without this change"
        case CheckEnd.failed_before:
            return f"⚠️ **inconclusive**: fails{status}, and fails without this change too"
        case CheckEnd.timed_out:
            return "❌ **timed out**"
        case CheckEnd.flooded:
            return "❌ **ended**: exceeded its output limit"
        case CheckEnd.out_of_memory:
            return "❌ **ended**: exceeded its memory limit"
        case CheckEnd.not_run:
            return "⚠️ **not checked**: could not be started"


def _decision(change: ChangeReport, home: str) -> str:
    match change.fate:
        case ChangeStatus.waiting:
            return waiting(change)
        case ChangeStatus.refused:
            why = neutralize_line(change.refused, 500).rstrip(".")
            return f"Approved by {_people(change.approved_by)}, but not pushed: {why}. {advice(change.refused)}"
        case ChangeStatus.writing:
            late = (
                f" Not done yet: {neutralize_line(change.refused, 300)}." if change.refused else ""
            )
            return f"Approved by {_people(change.approved_by)}; pushing to {code(change.branch)}.{late}"
        case ChangeStatus.pushed:
            made = f"Pushed {commit(change.commit, home)} to {code(change.branch)}"
            return f"{made}, approved by {_people(change.approved_by)}."
        case ChangeStatus.proposed:
            pull = f"pull request #{change.pull}" if change.pull else "a pull request"
            made = f"Opened {pull} with {commit(change.commit, home)}"
            return f"{made}, approved by {_people(change.approved_by)}."
        case ChangeStatus.patch_only:
            where = (
                f"[Download the patch]({change.download})"
                if change.download
                else "The patch is below"
            )
            apply = f"apply it at {commit(change.parent, home)} with `git apply`"
            return f"This is a fork, and the bot does not push to forks. {where}; {apply}."
        case ChangeStatus.nothing:
            return ""


def waiting(shown: ChangeReport | HandInReport) -> str:
    """The ways on at a gate: the lines to copy, and who is still needed."""
    if shown.stale:
        what = "patch" if isinstance(shown, ChangeReport) else "result"
        return f"This {what} is outdated: {neutralize_line(shown.stale, 200)}. To make a new one: `/pool retry`"
    have = f"Approved so far by {_people(shown.approved_by)}. " if shown.approved_by else ""
    still = f"{shown.still_needed} " if shown.still_needed else ""
    rejected, what = "", "continue with exactly this"
    if isinstance(shown, ChangeReport):
        what = "push exactly this patch"
        if shown.rejections:
            rejected = f" Rejected {shown.rejections} of {shown.most_rejections} times so far."
    return (
        f"{have}{still}To {what}, comment:\n\n```\n/pool approve {shown.gate}\n```\n\n"
        f"To ask for changes: `/pool reject {shown.gate} what should be different`.{rejected}"
    )


def _patch(change: ChangeReport) -> str:
    if len(change.patch) > _PATCH_LIMIT:
        more = f" [Download it]({change.download})." if change.download else ""
        return f"The patch is too long to be shown here.{more}"
    return fence(change.patch, "diff")


def _people(logins: Sequence[str]) -> str:
    return ", ".join(code(login) for login in logins) or "nobody"


def summary(change: ChangeReport) -> str:
    """A change in a sentence, for the one reply that tells of it."""
    lines = difference(change.files)
    guarded = (
        f", including {count(len(change.protected), 'protected path')}" if change.protected else ""
    )
    return f"{lines}{guarded}{checks_in_short(change.checked)}"
