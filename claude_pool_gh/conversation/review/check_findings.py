"""Second step: holds every stated claim against the files, before anyone spends a cent on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.conversation.review.earlier import ChangedFinding, EarlierFindings
from claude_pool_gh.conversation.review.facts import ReviewFacts, brief_of, facts_of
from claude_pool_gh.conversation.review.host_facts import name_of
from claude_pool_gh.conversation.review.hunks import FileDiff
from claude_pool_gh.conversation.review.questions import of_claim, of_known
from claude_pool_gh.conversation.review.reading import diff_of, held
from claude_pool_gh.conversation.review.stated import remark, stated_by
from claude_pool_gh.conversation.review.unplaced import corrected
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.anchor import DroppedFinding
from claude_pool_gh.findings.identity import (
    MergedFinding,
    fingerprint,
    hides,
    located,
    merged,
    named_apart,
    overlap,
    same_defect,
    titled_alike,
)
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.tables import KnownFinding, Standing
from claude_pool_gh.pool.model.digests import with_digests
from claude_pool_gh.pool.model.ports import Done, HostStepContext
from claude_pool_gh.reports.views import Remark
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees import history

CANDIDATES: Final = 60
"""Claims of one review that are verified, as far as its money reaches; the others are named."""
RECHECKED: Final = 30
"""Open findings of changed code that one review judges again; the others stay open."""
_TOO_MANY: Final = (
    f"not verified: one review verifies at most {CANDIDATES} claims, which is our limit"
)
_NOT_NOW: Final = f"one review looks at most at {RECHECKED} findings again, which is our limit"
_NAME_LEAST: Final = 6
HIDING: Final = 500
"""The newest dismissals of a repository: those that keep a claim from being reported."""


async def check_findings(services: Services, context: HostStepContext) -> Done:
    """Keep what is true of the files, once each, the worst first; name the rest."""
    facts, brief = facts_of(context), brief_of(context)
    said = [stated_by(task) for task in context.results["find"]]
    stated = [claim for each in said for claim in each.claims]
    mirror = services.worktrees.mirror(facts.thread.repository.id).path
    base, renamed = brief["merge_base"], brief["renamed"]
    restated = [
        claim for task in context.results.get("restate") or () for claim in stated_by(task).claims
    ]
    checked = corrected(
        stated,
        await held(mirror, base, facts.head, stated, renamed),
        await held(mirror, base, facts.head, restated, renamed),
    )
    dropped = [each for each in checked if isinstance(each, DroppedFinding)]
    claims = await _located(mirror, base, facts.head, checked, renamed)
    diff = await diff_of(mirror, base, facts.head, {each.path for each in claims}, renamed)
    now = await services.database.read(lambda tx: _now(tx, facts))
    earlier = EarlierFindings.restored(brief["earlier"]).only(now.marks)
    stated_again = [
        each for each in earlier.back if not any(same_defect(each, claim) for claim in claims)
    ]
    sorted_ = _sorted([*claims, *stated_again], earlier, now.dismissed, diff)
    new = merged([now.new(claim) for claim in sorted_.new])
    candidates, beyond = new[:CANDIDATES], new[CANDIDATES:]
    again, later = earlier.changed[:RECHECKED], earlier.changed[RECHECKED:]
    asked_again = await _asked_again(mirror, facts, again, sorted_.restated)
    return Done(
        with_digests(
            {
                "candidates": [*asked_again, *(_asked(each, diff) for each in candidates)],
                "known": sorted_.known,
                "standing": [finding.model_dump(mode="json") for finding in earlier.standing],
                "changed": [
                    {"finding": each.finding.model_dump(mode="json"), "reason": _NOT_NOW}
                    for each in later
                ],
                "unsettled": [
                    asdict(each)
                    for each in (
                        *(lost for one in said for lost in one.lost),
                        *(
                            Remark(title=each.title, path=each.path, reason=each.reason)
                            for each in dropped
                        ),
                        *(
                            remark(one, _TOO_MANY)
                            for each in beyond
                            for one in (each.finding, *each.others)
                        ),
                    )
                ],
                "hidden": [asdict(each) for each in sorted_.hidden],
            }
        )
    )


async def _located(
    mirror: Path,
    base: str,
    head: str,
    checked: Sequence[Finding | DroppedFinding],
    renamed: Mapping[str, str],
) -> list[Finding]:
    """The findings that have a place, each with the definition that it stands in."""
    claims = [each for each in checked if isinstance(each, Finding)]
    files = await history.read_files(
        mirror, head, {each.path for each in claims if each.side == "RIGHT"}, pointers=True
    )
    left = {renamed.get(each.path, each.path) for each in claims if each.side == "LEFT"}
    bases = await history.read_files(mirror, base, left, pointers=True)

    def text_of(claim: Finding) -> str | None:
        return (
            files.get(claim.path)
            if claim.side == "RIGHT"
            else bases.get(renamed.get(claim.path, claim.path))
        )

    texts = [(claim, text_of(claim)) for claim in claims]
    return [claim if text is None else located(claim, text) for claim, text in texts]


@dataclass(frozen=True, slots=True)
class _Now:
    """The facts of this moment: the thread's findings by their names, and what was dismissed in the repository."""

    named: Mapping[str, KnownFinding]
    dismissed: Sequence[KnownFinding]

    @property
    def marks(self) -> list[str]:
        """The names of what is open."""
        return [mark for mark, each in self.named.items() if each.state is Standing.open]

    def new(self, claim: Finding) -> Finding:
        """A claim under a name of its own: one that was fixed and came back has its old one."""
        row = self.named.get(fingerprint(claim))
        if row is None or (
            row.state in (Standing.fixed, Standing.ignored) and same_defect(row.finding, claim)
        ):
            return claim
        return named_apart(claim, self.named.keys())


def _now(tx: Transaction, facts: ReviewFacts) -> _Now:
    named = {each.mark: each for each in tables.every(tx, facts.key)}
    return _Now(named, tables.dismissed_in(tx, facts.thread.repository.id, last=HIDING))


@dataclass(slots=True)
class _Sorted:
    """The claims of one run by what they are about."""

    new: list[Finding] = field(default_factory=list)
    known: int = 0
    restated: dict[str, Finding] = field(default_factory=dict)
    """By the name of the open finding of changed code that each states again; one each, others are new."""
    hidden: list[Remark] = field(default_factory=list)


def _sorted(
    claims: Sequence[Finding],
    earlier: EarlierFindings,
    dismissed: Sequence[KnownFinding],
    diff: Mapping[str, FileDiff],
) -> _Sorted:
    """New, known, stated again of changed code, or exactly what was dismissed."""
    found = _Sorted()
    for claim in claims:
        old_path = diff[claim.path].old_path if claim.path in diff else ""
        why = next((each for each in dismissed if hides(each.finding, claim, old_path)), None)
        meant = (
            fingerprint(each.finding) for each in earlier.changed if _restates(claim, each.finding)
        )
        again = next((mark for mark in meant if mark not in found.restated), None)
        if why is not None:
            reason = why.reason or "no reason was given"
            found.hidden.append(remark(claim, f"{reason} ({why.mark[:8]})"))
        elif again is not None:
            found.restated[again] = claim
        elif any(_is_one(claim, each) for each in earlier.standing):
            found.known += 1
        else:
            found.new.append(claim)
    return found


def _is_one(claim: Finding, before: Finding) -> bool:
    """True where a claim is an open finding of unchanged code, though it quotes a line more or less of it.

    One that is worse, or another fault of the same code, is looked at anew.
    """
    if claim.severity.rank > before.severity.rank:
        return False
    same = same_defect(before, claim) and claim.category == before.category
    return same or (_restates(claim, before) and overlap(claim, before))


def _restates(claim: Finding, before: Finding) -> bool:
    """True where a claim says that it is an earlier one: by its name, or under its very title in its file."""
    name = (claim.restates or "").strip("`# ").lower()
    if len(name) >= _NAME_LEAST and (
        name_of(before).startswith(name) or name.startswith(name_of(before))
    ):
        return True
    return claim.path == before.path and titled_alike(claim, before)


def _asked(one: MergedFinding, diff: Mapping[str, FileDiff]) -> dict[str, Any]:
    """A new claim as its second reader gets it."""
    finding, left = one.finding, one.finding.side == "LEFT"
    change = diff.get(finding.path)
    near = "" if change is None else change.near(finding.start_line, finding.end_line, old=left)
    lines = range(finding.start_line, finding.end_line + 1)
    pointer = change is not None and change.pointer
    if pointer:  # there is no file in which a line could be replaced
        finding = finding.model_copy(update={"suggestion": None})
    return of_claim(
        finding,
        near,
        others=one.others,
        exists=change is None
        or (not change.deleted and change.path == finding.path and not pointer),
        added=left or (change is not None and any(line in change.added for line in lines)),
    )


async def _asked_again(
    mirror: Path,
    facts: ReviewFacts,
    changed: Sequence[ChangedFinding],
    restated: Mapping[str, Finding],
) -> list[dict[str, Any]]:
    """Open findings of changed code as their second reader gets them."""
    files = await history.read_files(mirror, facts.head, {each.finding.path for each in changed})
    return [
        of_known(
            each.finding,
            each.change,
            now=restated.get(fingerprint(each.finding)),
            exists=each.finding.path in files,
        )
        for each in changed
    ]
