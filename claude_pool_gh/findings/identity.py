"""Tells whether two statements are about the same defect.

Two questions have two answers. *Is this still there?* may be asked of whatever changed, and a reader decides.
*Is it the same?* is answered by the host alone, so only the same code at the same place in the same definition is:
never likeness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.findings.definitions import definition_of
from claude_pool_gh.findings.hidden import equal_but_for_the_hidden, has_hidden
from claude_pool_gh.findings.model import EVIDENCE_LIMIT, Finding
from claude_pool_gh.findings.quotes import lines_of

_MARK_DIGITS: Final = 20


def code_of(finding: Finding) -> str:
    """The quoted code, white space aside."""
    return " ".join(finding.evidence.split())


def _digest_of_code(finding: Finding) -> str:
    """Tells its code from other code, also where the evidence was kept without the secrets in it."""
    return finding.code_digest or _digest(code_of(finding))


def _digest_of_within(finding: Finding) -> str:
    return finding.within_digest or _digest(finding.within or "")


def _digest_of_title(finding: Finding) -> str:
    return finding.title_digest or _digest_of_told_title(finding)


def _digest_of_told_title(finding: Finding) -> str:
    return _digest(" ".join(finding.title.split()).casefold())


def with_title_digest(finding: Finding) -> Finding:
    """The finding as it is kept: its title may lose what looks like a secret."""
    return finding.model_copy(update={"title_digest": _digest_of_title(finding)})


def titled_alike(one: Finding, other: Finding) -> bool:
    """True where both have the same title, whatever of it is kept, or one the title by which the other is told."""
    stated, known = _digest_of_title(one), _digest_of_title(other)
    return (
        stated == known
        or stated == _digest_of_told_title(other)
        or known == _digest_of_told_title(one)
    )


def fingerprint(finding: Finding) -> str:
    """Twenty hex digits that name a finding: the name it was given, else one of its code and place in the file."""
    if finding.mark:
        return finding.mark
    if finding.within is None:  # as findings were named before definitions were known
        return _digest(f"{finding.path}\n{finding.category}\n{code_of(finding)}")
    within, code = _digest_of_within(finding), _digest_of_code(finding)
    if not finding.within_digest:  # as they were named before digests of all this were kept
        within, code = finding.within, code_of(finding)
    return _digest("\0".join((finding.path, finding.side, within, str(finding.nth), code)))


def named_apart(finding: Finding, taken: Collection[str]) -> Finding:
    """The finding with a name that no other has: a file may be given a name whose findings have moved away."""
    mark = fingerprint(finding)
    while mark in taken:
        mark = _digest(f"{mark}\nanother")
    return finding.model_copy(update={"mark": mark}) if mark != fingerprint(finding) else finding


def located(finding: Finding, text: str) -> Finding:
    """The finding as the file has it: its lines whole, the definitions around them, and which of the same it is.

    A quote that was accepted although it is not the whole line is thereby the same as one that is.
    """
    lines = lines_of(text)
    if not finding.start_line <= finding.end_line <= len(lines):
        return finding
    whole = "\n".join(lines[finding.start_line - 1 : finding.end_line])
    if len(whole) <= EVIDENCE_LIMIT and whole.strip():
        finding = finding.model_copy(
            update={"evidence": whole, "code_digest": _digest(" ".join(whole.split()))}
        )
    within = definition_of(lines, finding.start_line)
    same = [at for at in occurrences(finding, lines) if definition_of(lines, at) == within]
    nth = sum(at < finding.start_line for at in same) + 1
    place = {"within": within, "within_digest": _digest(within), "nth": nth}
    return finding.model_copy(update=place)


def still_there(finding: Finding, text: str) -> Finding | None:
    """The finding at its place in a newer text of its file; None where its code, or that around it, is another.

    Of a finding without a known definition, as in older rows, the code must stand in one place only.
    """
    lines = lines_of(text)
    found = occurrences(finding, lines)
    if finding.within is not None:
        around = _digest_of_within(finding)
        found = [at for at in found if _digest(definition_of(lines, at)) == around]
        found = found[finding.nth - 1 : finding.nth]
    if len(found) != 1:
        return None
    end = found[0] + length_of(finding) - 1
    return located(_renamed(finding, {"start_line": found[0], "end_line": end}), text)


def quoted_in(finding: Finding, text: str) -> Finding | None:
    """The finding where its quote stands in a text: at its line, or at the only place; None where it stands nowhere."""
    lines = lines_of(text)
    found = occurrences(finding, lines)
    if finding.start_line in found:
        found = [finding.start_line]
    if len(found) != 1:
        return None
    end = found[0] + length_of(finding) - 1
    return located(finding.model_copy(update={"start_line": found[0], "end_line": end}), text)


def requoted(finding: Finding, path: str, start_line: int, evidence: str) -> Finding:
    """A finding with another quote, of which nobody has looked up where it stands."""
    told = {"path": path, "start_line": start_line, "evidence": evidence, "code_digest": ""}
    return finding.model_copy(update=told)


def carried(finding: Finding, now: Finding) -> Finding:
    """An earlier finding where a later run placed it: everything about the place is new, its name is the old one."""
    place = ("path", "side", "start_line", "end_line", "within", "within_digest", "nth")
    fields = (*place, "evidence", "code_digest", "suggestion")
    return _renamed(finding, {field: getattr(now, field) for field in fields})


def moved(finding: Finding, path: str) -> Finding:
    """An earlier finding in a file that has another name now; it keeps its own name."""
    return _renamed(finding, {"path": path})


def _renamed(finding: Finding, update: Mapping[str, object]) -> Finding:
    return finding.model_copy(update={"mark": fingerprint(finding), **update})


def same_defect(before: Finding, now: Finding) -> bool:
    """True where both are about the same code at the same place in the same definition of the same file."""
    if (before.path, before.side) != (now.path, now.side):
        return False
    if _digest_of_code(before) != _digest_of_code(now):
        return False
    if before.within is None or now.within is None:
        return before.within == now.within and before.category == now.category
    return before.nth == now.nth and _digest_of_within(before) == _digest_of_within(now)


def told_again(now: Finding, before: Finding) -> bool:
    """True where a claim is of the same code and the same kind of harm as an earlier one, and no worse: it is that."""
    no_worse = now.severity.rank <= before.severity.rank
    return no_worse and now.category == before.category and same_defect(before, now)


def hides(dismissed: Finding, now: Finding, old_path: str = "") -> bool:
    """True where a dismissal was of exactly this: the same code at the same place, and the same fault of it.

    The same fault has the same title, or does the same kind of harm and is no worse: else a dismissed trifle would hide
    a security hole in its line. Where an older dismissal stood is not known; it hides only under its own title.
    `old_path` is the name that the file had before the change under review, where that was another one.
    """
    if dismissed.path not in (now.path, old_path):
        return False
    if _digest_of_code(dismissed) != _digest_of_code(now):
        return False
    here = now.model_copy(update={"path": dismissed.path})
    titled = titled_alike(dismissed, now)
    if dismissed.within is None:
        return titled
    alike = dismissed.category == now.category and now.severity.rank <= dismissed.severity.rank
    return same_defect(dismissed, here) and (titled or alike)


@dataclass(frozen=True, slots=True)
class MergedFinding:
    """One defect of one run, with the other statements of it."""

    finding: Finding
    others: tuple[Finding, ...] = ()


def merged(findings: Sequence[Finding]) -> list[MergedFinding]:
    """Each place once: of statements whose lines overlap the worst and surest stays, and names the others.

    Each of the others overlaps the one that stays, so that no chain of neighbours melts a whole file into one.
    """
    kept: list[tuple[Finding, list[Finding]]] = []
    for finding in sorted(findings, key=_worst_first):
        into = next((others for one, others in kept if overlap(one, finding)), None)
        if into is None:
            kept.append((finding, []))
        else:
            into.append(finding)
    return [MergedFinding(one, tuple(others)) for one, others in kept]


def _worst_first(finding: Finding) -> tuple[object, ...]:
    return -finding.severity.rank, -finding.confidence, finding.path, finding.start_line


def overlap(one: Finding, other: Finding) -> bool:
    """True where both quote any of the same lines."""
    if (one.path, one.side) != (other.path, other.side):
        return False
    return one.start_line <= other.end_line and other.start_line <= one.end_line


def repeats(finding: Finding, known: Finding) -> bool:
    """True where a confirmed finding is an open one, with a line more or less of its code.

    One that is worse in other words is another.
    """
    if not overlap(finding, known) or finding.category != known.category:
        return False
    if titled_alike(finding, known):
        return True
    is_worse = finding.severity.rank > known.severity.rank
    return not is_worse and (_is_within(finding, known) or _is_within(known, finding))


def _is_within(one: Finding, other: Finding) -> bool:
    return other.start_line <= one.start_line and one.end_line <= other.end_line


def _is_kept_without(finding: Finding) -> bool:
    """True where its evidence is not its code any more: secrets were taken out of what is kept."""
    return bool(finding.code_digest) and _digest(code_of(finding)) != finding.code_digest


def length_of(finding: Finding) -> int:
    """The number of lines of its code."""
    if _is_kept_without(finding):
        return finding.end_line - finding.start_line + 1
    return len(lines_of(finding.evidence.strip("\r\n")))


def occurrences(finding: Finding, lines: Sequence[str]) -> list[int]:
    """The lines (from 1) where the quoted lines stand, white space aside, and secrets that were taken out of them."""
    if _is_kept_without(finding):
        length = length_of(finding)
        windows = (" ".join(lines[at : at + length]) for at in range(len(lines) - length + 1))
        return [
            at
            for at, code in enumerate(windows, 1)
            if _digest(" ".join(code.split())) == finding.code_digest
        ]
    wanted = [" ".join(line.split()) for line in lines_of(finding.evidence.strip("\r\n"))]
    have = [" ".join(line.split()) for line in lines]
    if not any(wanted):
        return []
    places = range(len(have) - len(wanted) + 1)
    found = [at + 1 for at in places if have[at : at + len(wanted)] == wanted]
    if not found and has_hidden(finding.evidence):  # as it was kept: with a mark for each secret
        found = [
            at + 1
            for at in places
            if all(map(equal_but_for_the_hidden, have[at : at + len(wanted)], wanted))
        ]
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_DIGITS]
