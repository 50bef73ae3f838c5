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
from claude_pool_gh.reports.neutralize import code, fence, neutralize, neutralize_line
from claude_pool_gh.reports.views import Changed, Checked, CheckEnd, Fate, FileChange, Presented
from claude_pool_gh.reports.words import checks_in_short, count, difference, duration, fold
from claude_pool_gh.terms.markdown import SafeMarkdown

_PATCH_LIMIT: Final = 30_000
_FILES_SHOWN: Final = 60


def files_of(patch: bytes) -> tuple[FileChange, ...]:
    """What a patch does to each file. Raises ValueError for one that cannot be read."""
    return tuple(
        change for section in sections(patch.decode(errors="replace")) for change in _changes(section)
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


def body(change: Changed) -> list[str]:
    """The parts of a tracking comment that show a change."""
    if change.questions:
        asked = "\n".join(f"- {neutralize_line(question, 400)}" for question in change.questions[:10])
        return [f"Before anybody can work on it, this must be answered:\n\n{asked}"]
    if not change.files:
        return [neutralize(change.prose, 2_000)] if change.prose else []
    parts: list[str] = [_decision(change), facts(change)]
    parts += [
        fold(f"What {check.name} printed", fence(check.output, "text"))
        for check in change.checked
        if check.output
    ]
    if change.prose:
        parts.append(fold("What the agent says", neutralize(change.prose, 6_000)))
    if change.patch:
        parts.append(fold("The patch", _patch(change)))
    return [part for part in parts if part]


def facts(change: Changed) -> SafeMarkdown:
    """What the host knows of a change. Nothing in it is the agent's word."""
    rows = ["| file | added | removed | |", "|---|--:|--:|---|"]
    protected = set(change.protected)
    for file in change.files[:_FILES_SHOWN]:
        notes: list[str] = [neutralize_line(file.note, 160)] if file.note else []
        notes += ["**protected**"] if file.path in protected else []
        cells: tuple[str, ...] = (code(file.path, 160), str(file.added), str(file.removed), ", ".join(notes))
        rows.append("| " + " | ".join(map(_cell, cells)) + " |")
    if len(change.files) > _FILES_SHOWN:
        rows.append(f"| and {len(change.files) - _FILES_SHOWN} more | | | |")
    table = "\n".join(rows)
    bound = f"On `{change.parent[:9]}`, commit `{change.commit[:9]}`, patch `{change.digest[:12]}`."
    return SafeMarkdown("\n\n".join(filter(None, (table, f"{bound}{_unchecked(change)}", _checks(change)))))


def _unchecked(change: Changed) -> str:
    return "" if change.checked else f" Checks: {change.checks or 'none'}."


def _checks(change: Changed) -> str:
    """The table of checks, and below it what else the host has to say of them."""
    if not change.checked:
        return ""
    rows = ["| check | on this commit | time |", "|---|---|--:|"]
    rows += [
        f"| {code(check.name)} | {_said_by(check)} | {duration(check.elapsed_ms)} |"
        for check in change.checked
    ]
    return "\n".join(rows) + (f"\n\n{change.checks}" if change.checks else "")


def _said_by(check: Checked) -> str:
    status = "" if check.status is None else f" (exit status {check.status})"
    match check.end:
        case CheckEnd.passed:
            return "✅ passed"
        case CheckEnd.failed:
            return f"❌ **failed**{status}, and passes without this change"
        case CheckEnd.failed_before:
            return f"⚠️ **proves nothing**: it fails{status}, and without this change too"
        case CheckEnd.timed_out:
            return "❌ **not finished** in the time that it may take"
        case CheckEnd.flooded:
            return "❌ **ended**: it printed more than it may"
        case CheckEnd.out_of_memory:
            return "❌ **ended**: it used more memory than it may"
        case CheckEnd.not_run:
            return "⚠️ **not checked**: it could not be started"


def _decision(change: Changed) -> str:
    match change.fate:
        case Fate.waiting:
            return waiting(change)
        case Fate.refused:
            return f"It was approved by {_people(change.approved_by)}, but: {neutralize_line(change.refused, 300)}."
        case Fate.proposed | Fate.pushed | Fate.writing:
            where = (
                f"pull request #{change.pull}"
                if change.pull and change.fate is Fate.proposed
                else code(change.branch)
            )
            return f"Approved by {_people(change.approved_by)}, goes to {where}."
        case Fate.patch_only:
            told = "This is a fork, and nothing is pushed to forks."
            where = f"[Download the patch]({change.download})" if change.download else "The patch is below"
            return f"{told} {where}; `git apply` takes it at `{change.parent[:9]}`."
        case Fate.nothing:
            return ""


def waiting(shown: Changed | Presented) -> str:
    """What a person can do at a gate: the lines to copy, and who is still needed."""
    if shown.stale:
        return f"It cannot be approved any more: {neutralize_line(shown.stale, 200)}. Again: `/pool retry`"
    have = f"Approved so far by {_people(shown.approved_by)}. " if shown.approved_by else ""
    still = f"{shown.still_needed} " if shown.still_needed else ""
    rejected = ""
    if isinstance(shown, Changed) and shown.rejections:
        rejected = f" Rejected {shown.rejections} of {shown.most_rejections} times so far."
    return (
        f"{have}{still}To let exactly this out:\n\n```\n/pool approve {shown.gate}\n```\n\n"
        f"or to have it done again: `/pool reject {shown.gate} WHAT IS WRONG`.{rejected}"
    )


def _patch(change: Changed) -> str:
    if len(change.patch) > _PATCH_LIMIT:
        more = f" [All of it]({change.download})." if change.download else ""
        return f"It is too long to be shown here.{more}"
    return fence(change.patch, "diff")


def _people(logins: Sequence[str]) -> str:
    return ", ".join(code(login) for login in logins) or "nobody"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def summary(change: Changed) -> str:
    """A change in a sentence, for the one reply that tells of it."""
    lines = difference(change.files)
    guarded = f", {count(len(change.protected), 'protected path')} among them" if change.protected else ""
    return f"{lines}{guarded}{checks_in_short(change.checked)}"
