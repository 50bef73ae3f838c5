"""Second step: holds every stated finding against the files, before anyone spends a cent on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from claude_pool_gh.conversation.desk import Desk
from claude_pool_gh.conversation.review.facts import facts_of
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.anchor import Dropped, anchor
from claude_pool_gh.findings.identity import fingerprint, without_repeats
from claude_pool_gh.findings.model import Finding, Findings
from claude_pool_gh.pool.ports import Done, HostStepContext
from claude_pool_gh.worktrees import history

CANDIDATES: Final = 20


async def sift(desk: Desk, context: HostStepContext) -> Done:
    """Keep what is true of the files, once each, the worst first; count the rest."""
    facts = facts_of(context)
    stated = [finding for task in context.results["find"] for finding in stated_by(task)]
    mirror = desk.worktrees.mirror(facts.thread.repository.id).path
    files = await history.read_files(mirror, facts.head, {finding.path for finding in stated})
    held = [anchor(finding, files) for finding in stated]
    before = await desk.database.read(lambda tx: tables.known(tx, facts.key, "open"))
    dismissed = await desk.database.read(lambda tx: tables.known(tx, facts.key, "dismissed"))
    known = {fingerprint(finding) for finding in (*before, *dismissed)}
    still = await history.read_files(mirror, facts.head, {finding.path for finding in before})
    standing = [each for each in (anchor(finding, still) for finding in before) if isinstance(each, Finding)]
    distinct = without_repeats([finding for finding in held if isinstance(finding, Finding)])
    new = [finding for finding in distinct if fingerprint(finding) not in known]
    dropped = [f"{each.path}: {each.title} ({each.reason})" for each in held if isinstance(each, Dropped)]
    return Done(
        {
            "candidates": [_candidate(finding) for finding in new[:CANDIDATES]],
            "known": len(distinct) - len(new),
            "standing": [finding.model_dump(mode="json") for finding in standing],
            "unverified": len(new[CANDIDATES:]),
            "dropped": dropped + [f"{each.path}: {each.title} (too many)" for each in new[CANDIDATES:]],
        }
    )


def stated_by(task: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What one agent stated. A result of another form states nothing; its task has failed already."""
    try:
        return Findings.model_validate(task.get("structured") or {"findings": []}).findings
    except ValidationError:
        return ()


def _candidate(finding: Finding) -> dict[str, Any]:
    claim = (
        f"In {finding.path}, lines {finding.start_line} to {finding.end_line}:\n\n{finding.evidence}\n\n"
        f"Claim: {finding.title}\nScenario: {finding.scenario}\n\n{finding.body}"
    )
    title = f"{finding.path}:{finding.start_line}"
    return {"title": title, "claim": claim, "finding": finding.model_dump(mode="json")}
