"""Second step: holds every stated finding against the files, before anyone spends a cent on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.conversation.desk import Desk
from claude_pool_gh.conversation.review.facts import ReviewFacts, facts_of
from claude_pool_gh.conversation.review.reading import held
from claude_pool_gh.conversation.review.stated import stated_by
from claude_pool_gh.conversation.review.unplaced import corrected
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.anchor import Dropped
from claude_pool_gh.findings.identity import fingerprint, match, same_defect, without_repeats
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.ports import Done, HostStepContext
from claude_pool_gh.storage import Transaction

CANDIDATES: Final = 20


async def sift(desk: Desk, context: HostStepContext) -> Done:
    """Keep what is true of the files, once each, the worst first; count the rest."""
    facts = facts_of(context)
    stated = [finding for task in context.results["find"] for finding in stated_by(task)]
    mirror = desk.worktrees.mirror(facts.thread.repository.id).path
    brief = context.results["brief"]
    base, renamed = brief["merge_base"], brief["renamed"]
    again_stated = [finding for task in context.results.get("restate", ()) for finding in stated_by(task)]
    checked = corrected(
        stated,
        await held(mirror, base, facts.head, stated, renamed),
        await held(mirror, base, facts.head, again_stated, renamed),
    )
    before = await desk.database.read(lambda tx: tables.known(tx, facts.key, "open"))
    dismissed = await desk.database.read(lambda tx: _dismissed(tx, facts))
    again_held = await held(mirror, base, facts.head, before, renamed, posted=True)
    anchored = {fingerprint(known): at for known, at in zip(before, again_held, strict=True)}
    distinct = without_repeats([finding for finding in checked if isinstance(finding, Finding)])
    asked = [finding for finding in distinct if not any(same_defect(each, finding) for each in dismissed)]
    new, again = match(before, asked)
    repeated = {fingerprint(finding) for finding in again}
    standing = [_placed(finding, anchored) for finding in before if _stands(finding, anchored, repeated)]
    gone = [finding for finding in before if not _stands(finding, anchored, repeated)]
    dropped = [f"{each.path}: {each.title} ({each.reason})" for each in checked if isinstance(each, Dropped)]
    return Done(
        {
            "candidates": [_candidate(finding) for finding in new[:CANDIDATES]],
            "known": len(distinct) - len(new),
            "fixed": [finding.model_dump(mode="json") for finding in gone],
            "standing": [finding.model_dump(mode="json") for finding in standing],
            "unverified": len(new[CANDIDATES:]),
            "dropped": dropped + [f"{each.path}: {each.title} (too many)" for each in new[CANDIDATES:]],
        }
    )


def _stands(finding: Finding, anchored: Mapping[str, Finding | Dropped], repeated: set[str]) -> bool:
    """Whether what was posted before is still wrong: its code is still there, or this run states it of changed code."""
    mark = fingerprint(finding)
    return isinstance(anchored[mark], Finding) or mark in repeated


def _placed(finding: Finding, anchored: Mapping[str, Finding | Dropped]) -> Finding:
    """A finding where it stands now; where its code has changed, where it stood."""
    found = anchored[fingerprint(finding)]
    return found if isinstance(found, Finding) else finding


def _dismissed(tx: Transaction, facts: ReviewFacts) -> list[Finding]:
    """What maintainers of the repository have said is no defect, here or in another thread."""
    return [each.finding for each in tables.dismissed_in(tx, facts.thread.repository.id, last=500)]


def _candidate(finding: Finding) -> dict[str, Any]:
    claim = (
        f"In {finding.path}, lines {finding.start_line} to {finding.end_line}:\n\n{finding.evidence}\n\n"
        f"Claim: {finding.title}\nScenario: {finding.scenario}\n\n{finding.body}"
    )
    title = f"{finding.path}:{finding.start_line}"
    return {"title": title, "claim": claim, "finding": finding.model_dump(mode="json")}
