"""Holds every claim of every shard against the files and against what is known, before anybody verifies it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.audits import rows
from claude_pool_gh.audits.rows import AuditTrait
from claude_pool_gh.audits.stated import ReadClaim, ReadClaims, claims_of
from claude_pool_gh.audits.weighing import Candidate
from claude_pool_gh.conversation.audit.host import AuditHost, Subject
from claude_pool_gh.conversation.audit.known import Earlier
from claude_pool_gh.conversation.review.reading import held
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import (
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
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.severity import Severity
from claude_pool_gh.worktrees import history

SERIOUS: Final = Severity.medium
"""Claims that are at least so bad are reported only where a second agent confirms them."""
MOST_VERIFIED: Final = 60
"""Serious claims of one run that are verified, the worst first; the others are counted."""
MOST_AGAIN: Final = 40
"""Known findings of changed code that one run judges again; the others stay open."""


async def check_claims(host: AuditHost, context: HostStepContext) -> Done:
    """Keep what is true of the files, once each, the worst first; count the rest."""
    subject, results = host.subject(context), context.results
    shards, found = results["plan"]["plan"]["shards"], results["find"]
    read = [claims_of(task, subject.kind) for task in found]
    stated = [
        _Stated(shard["id"], claim)
        for shard, each in zip(shards, read, strict=True)
        for claim in each.claims
    ]
    mirror = await host.git_dir(context, [subject.commit])
    held_ = await _placed(mirror, subject.commit, stated)
    placed = [each for each in held_ if each is not None]
    unplaced = [each for each, at in zip(stated, held_, strict=True) if at is None]
    earlier = Earlier.restored(results["plan"]["earlier"])
    now = await host.database.read(lambda tx: _Now.read(tx, subject))
    sorted_ = _sorted(placed, earlier, now)
    serious = [each for each in sorted_.new if each.finding.severity.rank >= SERIOUS.rank]
    again = [
        _again(each.mark, each.finding, now, each.change, exists=each.exists)
        for each in earlier.changed
        if each.mark not in sorted_.seen
    ]
    asked = [*again[:MOST_AGAIN], *(_item(each) for each in serious[:MOST_VERIFIED])]
    return Done(
        with_digests({"candidates": asked}, by_item=("candidates",))
        | {
            "trifles": [
                each.model_dump(mode="json")
                for each in sorted_.new
                if each.finding.severity.rank < SERIOUS.rank
            ],
            "seen": sorted_.seen,
            "places": {m: f.model_dump(mode="json") for m, f in sorted_.places.items()},
            "unverified": len(serious[MOST_VERIFIED:]),
            "unverified_in": sorted({each.finding.path for each in serious[MOST_VERIFIED:]}),
            "later": len(again[MOST_AGAIN:]),
            "unplaced": len(unplaced),
            "malformed": sum(each.malformed for each in read),
            "beyond": sum(each.beyond for each in read),
            "dropped_in": _dropped_in(shards, read, unplaced),
            "hidden": sorted_.hidden,
            "stated": [each.stated for each in read],
            "kept": [sum(p.shard == shard["id"] for p in placed) for shard in shards],
            "shard_of": {
                fingerprint(each.finding): each.shard for each in reversed(sorted_.origins)
            },
        }
    )


def _dropped_in(
    shards: Sequence[Mapping[str, Any]],
    read: Sequence[ReadClaims],
    unplaced: Sequence[_Stated],
) -> list[str]:
    """The files with claims that nobody looked at: all of a part where nobody knows which of them these are about."""
    paths = {shard["id"]: frozenset(shard["paths"]) for shard in shards}
    dropped: set[str] = set()
    for shard, each in zip(shards, read, strict=True):
        if each.beyond or each.malformed:
            dropped |= paths[shard["id"]]
    for claim in unplaced:
        named = {claim.claim.finding.path.removeprefix("./")} & paths[claim.shard]
        dropped |= named or paths[claim.shard]
    return sorted(dropped)


@dataclass(frozen=True, slots=True)
class _Stated:
    """A claim, and the shard that it comes from."""

    shard: str
    claim: ReadClaim


@dataclass(frozen=True, slots=True)
class _Placed:
    """A claim that stands in the files as it was quoted."""

    shard: str
    rule: str
    finding: Finding


async def _placed(mirror: Path, head: str, stated: Sequence[_Stated]) -> list[_Placed | None]:
    """Each claim in the file that it names, or None where its quote does not stand there; deleted lines are nowhere."""
    anchored = await held(mirror, head, head, [each.claim.finding for each in stated], {})
    kept = [
        finding if isinstance(finding, Finding) and finding.side == "RIGHT" else None
        for finding in anchored
    ]
    files = await history.read_files(mirror, head, {each.path for each in kept if each})
    return [
        None
        if finding is None or finding.path not in files
        else _Placed(each.shard, each.claim.rule, located(finding, files[finding.path]))
        for each, finding in zip(stated, kept, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Now:
    """The facts that are known by now of the audit, and what was dismissed in the repository."""

    named: Mapping[str, KnownFinding]
    traits: Mapping[str, AuditTrait]
    dismissed: Sequence[KnownFinding]

    @classmethod
    def read(cls, tx: Transaction, subject: Subject) -> _Now:
        """Read it in one transaction."""
        return cls(
            {each.mark: each for each in tables.every(tx, subject.audit)},
            rows.traits_of(tx, subject.audit),
            tables.dismissed_in(tx, subject.repository_id, last=500),
        )

    def named_for(self, claim: Finding) -> Finding:
        """A claim under a name of its own; one that was fixed and is there again has its old one."""
        row = self.named.get(fingerprint(claim))
        over = (Standing.fixed, Standing.ignored)
        if row is None or (row.state in over and same_defect(row.finding, claim)):
            return claim
        return named_apart(claim, self.named.keys())


@dataclass(slots=True)
class _Sorted:
    """The claims of one run by what they are about."""

    new: list[Candidate] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Names of open findings that were stated again where their code is unchanged."""
    places: dict[str, Finding] = field(default_factory=dict)
    origins: list[_Placed] = field(default_factory=list)
    hidden: int = 0
    """Claims of exactly what a maintainer has dismissed."""


def _sorted(placed: Sequence[_Placed], earlier: Earlier, now: _Now) -> _Sorted:
    found = _Sorted(places=dict(earlier.standing))
    rules: dict[int, str] = {}
    fresh: list[Finding] = []
    for each in placed:
        claim = each.finding
        if any(hides(dismissed.finding, claim) for dismissed in now.dismissed):
            found.hidden += 1
            continue
        mark = next(
            (mark for mark, open_ in earlier.standing.items() if _is_one(claim, open_)), None
        )
        if mark is not None:
            found.seen = [*dict.fromkeys([*found.seen, mark])]
            continue
        named = now.named_for(claim)
        found.origins.append(_Placed(each.shard, each.rule, named))
        rules[id(named)] = each.rule
        fresh.append(named)
    found.new = [
        Candidate(
            kind="claim",
            mark=fingerprint(one.finding),
            rule=rules[id(one.finding)],
            finding=one.finding,
            others=one.others,
        )
        for one in merged(fresh)
    ]
    return found


def _is_one(claim: Finding, known: Finding) -> bool:
    """True where a claim is an open finding of unchanged code, though it quotes a line more or less of it.

    One that is worse, or another kind of harm of the same code, is looked at anew.
    """
    if claim.severity.rank > known.severity.rank or claim.category != known.category:
        return False
    return same_defect(known, claim) or (overlap(claim, known) and titled_alike(claim, known))


_QUESTION: Final = (
    "Is this claim true of the code in this folder? Open the file that it names before you answer: an answer by a run "
    "that did not open it does not count. Answer with confirmed, refuted or unsure."
)
_KNOWN: Final = (
    "This was reported at an earlier commit, and its code, or code around it or that it names, has changed since. Is "
    "the fault still in the code in this folder, in whatever lines, file or form? Open the file that it names, or the "
    "one that holds the code now, before you answer: an answer by a run that opened none does not count. Answer with "
    "still, fixed or unsure. That the quoted lines are gone, or are as they were, proves nothing. With still, `place` "
    "says where the fault stands now."
)


def _item(candidate: Candidate) -> dict[str, Any]:
    """A new claim as its second reader gets it: never with the first reader's argument."""
    finding = candidate.finding
    parts = [_stated(candidate.rule, finding)]
    if candidate.others:
        said = "\n".join(f"- {each.title}" for each in candidate.others)
        parts.append(f"Also stated of these lines:\n{said}")
    if finding.suggestion is not None:
        parts.append(f"The suggestion, in place of exactly the quoted lines:\n{finding.suggestion}")
    return {
        "title": f"{finding.path}:{finding.start_line}",
        "claim": "\n\n".join(parts),
        "question": _QUESTION,
        "candidate": candidate.model_dump(mode="json"),
    }


def _again(mark: str, finding: Finding, now: _Now, change: str, *, exists: bool) -> dict[str, Any]:
    """A known finding as its second reader gets it."""
    trait = now.traits.get(mark)
    candidate = Candidate(
        kind="known",
        mark=mark,
        rule="" if trait is None else trait.rule,
        finding=finding,
        exists=exists,
    )
    changed = (
        f"What has changed there since (lines with - are before, with + after):\n{change}"
        if change
        else "What exactly has changed there since is not known."
    )
    return {
        "title": f"{finding.path}:{finding.start_line} (known)",
        "claim": f"{_stated(candidate.rule, finding)}\n\n{changed}",
        "question": _KNOWN,
        "candidate": candidate.model_dump(mode="json"),
    }


def _stated(rule: str, finding: Finding) -> str:
    lines = f"{finding.path}, lines {finding.start_line} to {finding.end_line}"
    return (
        f"In {lines}:\n\n{finding.evidence}\n\n"
        f"Rule: {rule}\nClaim: {finding.title}\nScenario: {finding.scenario}"
    )
