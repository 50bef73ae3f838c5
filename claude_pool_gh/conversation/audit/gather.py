"""Last steps of an audit: claims that are one fault are joined, and all that is known becomes the result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from claude_pool_gh.audits import merging, reads, results, rows
from claude_pool_gh.audits.estimate import PastRun
from claude_pool_gh.audits.merging import Apart, Joined
from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditPlan,
    AuditResult,
    AuditState,
    HistoryPoint,
    ShardState,
)
from claude_pool_gh.audits.rest import rest
from claude_pool_gh.audits.results import ShardCounts
from claude_pool_gh.audits.rows import AuditRun, AuditTrait
from claude_pool_gh.audits.shown import without_secrets
from claude_pool_gh.audits.weighing import Candidate, Weighed, weigh
from claude_pool_gh.conversation.audit.host import AuditHost, Subject
from claude_pool_gh.conversation.audit.known import Earlier
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import carried, quoted_in, requoted, still_there
from claude_pool_gh.findings.model import Finding, NewPlace
from claude_pool_gh.findings.tables import KnownFinding, Standing
from claude_pool_gh.pool.model.digests import with_digests
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.pool.store import costs, tasks
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees import history

RESULT: Final = TypeAdapter(AuditResult)
_PLAN: Final = TypeAdapter(AuditPlan)


async def alike(host: AuditHost, context: HostStepContext) -> Done:
    """Ask a judge about claims that may be one fault, or one that is known. Usually there are none, and no cost."""
    subject = host.subject(context)
    traits = await host.database.read(lambda tx: rows.traits_of(tx, subject.audit))
    weighed = _weighed(context)
    mirror = await host.git_dir(context, [subject.commit])
    places = await _places(mirror, subject, context.results["check"], weighed)
    open_findings = _open(places, weighed, traits)
    claims = _apart(context, weighed, open_findings, places)
    groups = merging.alike(claims.new, open_findings)
    asked = [
        {
            "title": f"{len(group)} claims of {group[0].rule}",
            "claims": "\n\n".join(map(_told, group)),
            "marks": [each.mark for each in group],
        }
        for group in groups
    ]
    return Done(with_digests({"groups": asked}, by_item=("groups",)))


def _open(
    places: Mapping[str, Finding], weighed: Weighed, traits: Mapping[str, AuditTrait]
) -> list[Candidate]:
    """The open findings of earlier runs, where they stand now, or about there."""
    here: dict[str, Finding] = {}
    for candidate, place in weighed.still:
        told = place.model_dump(exclude={"evidence"}) if place is not None else {}
        here[candidate.mark] = candidate.finding.model_copy(update=told)
    here |= places
    rules = {mark: trait.rule for mark, trait in traits.items()}
    return [
        Candidate(kind="known", mark=mark, rule=rules.get(mark, ""), finding=finding)
        for mark, finding in here.items()
        if mark not in {each.mark for each in weighed.fixed}
    ]


def _told(each: Candidate) -> str:
    finding = each.finding
    lines = f"{finding.path}, lines {finding.start_line} to {finding.end_line}"
    return f"id: {each.mark}\nIn {lines}:\n{finding.evidence}\nClaim: {finding.title}"


def _weighed(context: HostStepContext) -> Weighed:
    candidates = [
        Candidate.model_validate(each["candidate"])
        for each in context.results["check"]["candidates"]
    ]
    return weigh(candidates, context.results["verify"])


def _claims(context: HostStepContext, weighed: Weighed) -> list[Candidate]:
    """The claims that are reported: confirmed ones, and those that were not serious enough for a second reader."""
    trifles = map(Candidate.model_validate, context.results["check"]["trifles"])
    return [*weighed.confirmed, *trifles]


def _apart(
    context: HostStepContext,
    weighed: Weighed,
    open_findings: Sequence[Candidate],
    places: Collection[str],
) -> Apart:
    """The claims that are reported, without those that are open findings."""
    judged = {each.mark for each in weighed.fixed} | {each.mark for each, _ in weighed.still}
    changed = Earlier.restored(context.results["plan"]["earlier"]).changed
    unjudged = [
        Candidate(kind="known", mark=each.mark, rule="", finding=each.finding)
        for each in changed
        if each.mark not in judged
    ]
    return merging.apart(_claims(context, weighed), open_findings, places, unjudged)


async def gather(host: AuditHost, context: HostStepContext) -> Finish:
    """Weigh, join, and store what this run has found, in one transaction with the chain's end."""
    subject, made = host.subject(context), context.results
    plan = _PLAN.validate_python(made["plan"]["plan"])
    check, weighed = made["check"], _weighed(context)
    groups = [each["marks"] for each in made["alike"]["groups"]]
    mirror = await host.git_dir(context, [subject.commit])
    places = await _places(mirror, subject, check, weighed)
    blobs = await history.blobs_of_paths(mirror, subject.commit)
    ended = host.clock.now_ms()
    known = await host.database.read(lambda tx: _Known.read(tx, subject, context.chain_id))
    open_findings = _open(places, weighed, known.traits)
    claims = _apart(context, weighed, open_findings, places)
    places |= {
        mark: places[mark].model_copy(update={"severity": severity})
        for mark, severity in claims.again.items()
        if mark in places
    }
    joined = merging.joined(claims.new, groups, made["merge"], open_findings)
    covered = results.coverage(
        plan,
        made["find"],
        ShardCounts(stated=check["stated"], kept=check["kept"], costs=known.shards),
        blobs.keys(),
    )
    left = rest(covered, subject.paths, continues=subject.continues)
    unsettled = tuple(weighed.unsettled)
    open_ = results.Unjudged(
        unsettled=len(unsettled),
        broken=len(weighed.broken),
        unverified=check["unverified"],
        beyond=check["beyond"],
        unplaced=check["unplaced"],
        malformed=check["malformed"],
    )
    run = _Run(subject, context.chain_id, ended, joined, places, weighed)
    seen = {*check["seen"], *claims.again, *joined.again}
    findings = results.ordered(_findings(run, known, frozenset(covered.read), blobs, seen, check))
    full = AuditResult(
        plan=plan,
        coverage=covered,
        completeness=results.completeness(covered, open_),
        findings=findings,
        unsettled=unsettled,
        refuted=len(weighed.refuted),
        unplaced=check["unplaced"],
        malformed=check["malformed"],
        beyond_limit=check["beyond"],
        unverified=check["unverified"],
        cost=known.cost,
        cost_is_bound=known.cost_is_bound,
        started_ms=made["plan"]["started_ms"],
        ended_ms=ended,
        problems=results.problems(covered, open_),
        resume="" if covered.whole else host.again(context, left.paths),
        resume_alone=left.alone,
        chain=context.chain_id,
    )
    past = _past(full)
    point = _point(full)
    full = without_secrets(replace(full, history=(*known.points, point)))
    outcome = results.outcome(full, [*made["find"], *weighed.broken])
    ended_run = AuditRun(
        chain_id=context.chain_id,
        audit=subject.audit,
        digest=made["plan"]["digest"],
        started_ms=full.started_ms,
        everything=not plan.only,
        point=point,
        past=past,
    )

    publish = await host.publication(context, full)

    def commit(tx: Transaction) -> None:
        run.store(tx, ended_run)
        before = reads.reads_of(tx, subject.audit)
        read, again = full.coverage.read, _open_in(full, check)
        after = before.with_(read, blobs, made["plan"]["digest"], again)
        reads.note_reads(tx, subject.audit, after)
        publish(tx)

    return Finish(outcome, RESULT.dump_python(full, mode="json"), commit)


def _open_in(full: AuditResult, check: Mapping[str, Any]) -> set[str]:
    """The files with a claim that nobody could judge, whichever part made it: the next run reads these again.

    A check that was taken over may be of a version that named those beyond the number of a part in a list of their own.
    """
    claimed = {each.path for each in full.unsettled}
    lists = ("unverified_in", "dropped_in", "beyond_in")
    return claimed.union(*(check.get(name, ()) for name in lists))


# ---- what is stored


@dataclass(frozen=True, slots=True)
class _Run:
    """The findings of the audit, as one run reports them."""

    subject: Subject
    chain_id: str
    ended_ms: int
    joined: Joined
    places: Mapping[str, Finding]
    weighed: Weighed

    def store(self, tx: Transaction, run: AuditRun) -> None:
        """Write it down; what is there already from an earlier try of this step stays as it is."""
        subject, now = self.subject, self.ended_ms
        for finding in self.places.values():
            tables.carry(tx, subject.audit, finding, subject.commit)
        new = [candidate.finding for candidate, _ in self.joined.new]
        tables.remember(tx, subject.audit, self.chain_id, "audit", new, now, head=subject.commit)
        for each in self.weighed.fixed:
            tables.settle(tx, subject.audit, each.mark, Standing.fixed, now)
        verified = {each.mark for each in self.weighed.confirmed}
        traits = {
            candidate.mark: AuditTrait(
                rule=candidate.rule, verified=candidate.mark in verified, also=also
            )
            for candidate, also in self.joined.new
        }
        rows.note_traits(tx, subject.audit, traits)
        rows.remember_run(tx, run)


@dataclass(frozen=True, slots=True)
class _Known:
    """The facts that the audit knew before this run, and what this run has cost, in microdollars."""

    every: Sequence[KnownFinding]
    traits: Mapping[str, AuditTrait]
    points: Sequence[HistoryPoint]
    cost: int
    cost_is_bound: bool
    shards: Sequence[int]

    @classmethod
    def read(cls, tx: Transaction, subject: Subject, chain_id: str) -> _Known:
        """Read it in one transaction."""
        total, bound = costs.cost_of(tx, chain_id)
        own = sorted(tasks.of_chain(tx, chain_id, "find"), key=lambda task: task.shard)
        runs = [[f"{t.id}.{number}" for number in range(1, t.attempt + 1)] for t in own]
        each = costs.cost_of_runs(tx, [run for some in runs for run in some])
        return cls(
            tables.every(tx, subject.audit),
            rows.traits_of(tx, subject.audit),
            [run.point for run in reversed(rows.runs_of(tx, subject.audit))],
            total,
            bound,
            [sum(each.get(run, (0, False))[0] for run in some) for some in runs],
        )


async def _places(
    mirror: Path, subject: Subject, check: Mapping[str, Any], weighed: Weighed
) -> dict[str, Finding]:
    """Open findings where they stand now, by their names."""
    places = {mark: Finding.model_validate(f) for mark, f in check["places"].items()}
    told = {place.path.removeprefix("./") for _, place in weighed.still if place is not None}
    before = {candidate.finding.path for candidate, _ in weighed.still}
    files = await history.read_files(mirror, subject.commit, told | before)
    for candidate, place in weighed.still:
        found = _quoted(candidate.finding, place, files) or _as_it_was(candidate.finding, files)
        if found is not None:
            places[candidate.mark] = carried(candidate.finding, found)
    return places


def _quoted(before: Finding, place: NewPlace | None, files: Mapping[str, str]) -> Finding | None:
    path = place.path.removeprefix("./") if place is not None else ""
    if place is None or path not in files:
        return None
    named = requoted(before, path, place.start_line, place.evidence)
    return quoted_in(named, files[path])


def _as_it_was(before: Finding, files: Mapping[str, str]) -> Finding | None:
    """A finding whose lines stand in their definition: without a place each run would ask, and pay, once more."""
    text = files.get(before.path)
    return None if text is None else still_there(before, text)


def _findings(
    run: _Run,
    known: _Known,
    read: frozenset[str],
    there: Collection[str],
    seen: Collection[str],
    check: Mapping[str, Any],
) -> list[AuditFinding]:
    """Every finding that the audit knows, old and new, each once. `seen`: the open ones that it has stated again."""
    subject = run.subject
    before = {each.mark: each for each in known.every}
    fixed = {each.mark for each in run.weighed.fixed}
    judged = fixed | {each.mark for each, _ in run.weighed.still} | {*seen}
    told: list[AuditFinding] = []
    reported = {candidate.mark for candidate, _ in run.joined.new}
    for mark, each in before.items():
        if mark in reported:
            continue
        finding = run.places.get(mark, each.finding)
        trait = known.traits.get(mark)
        told.append(
            AuditFinding(
                id=mark,
                rule="" if trait is None else trait.rule,
                finding=finding,
                state=AuditState.fixed if mark in fixed else _state(each.state),
                commit=subject.commit if mark in run.places else each.head,
                verified=trait is not None and trait.verified,
                reread=mark in judged or finding.path in read,
                also=() if trait is None else trait.also,
                first_ms=each.created_ms,
                settled_ms=run.ended_ms if mark in fixed else each.settled_ms,
                seen=1 if trait is None else trait.seen,
                settled_by=each.by,
                reason=each.reason,
                file_gone=finding.path not in there,
            )
        )
    verified = {each.mark for each in run.weighed.confirmed}
    for candidate, also in run.joined.new:
        old = before.get(candidate.mark)
        trait = known.traits.get(candidate.mark)
        told.append(
            AuditFinding(
                id=candidate.mark,
                rule=candidate.rule,
                finding=candidate.finding,
                state=AuditState.new if old is None else AuditState.reappeared,
                commit=subject.commit,
                verified=candidate.mark in verified,
                reread=True,
                shard=check["shard_of"].get(candidate.mark, ""),
                also=also,
                first_ms=run.ended_ms if old is None else old.created_ms,
                seen=1 if trait is None else trait.seen + 1,
            )
        )
    return told


def _state(standing: Standing) -> AuditState:
    match standing:
        case Standing.open:
            return AuditState.open
        case Standing.fixed:
            return AuditState.fixed
        case Standing.dismissed | Standing.ignored:
            return AuditState.dismissed


def _past(full: AuditResult) -> PastRun:
    """The parts that this run has paid for: those that it took over have cost it nothing, and tell no price."""
    read = [each for each in full.coverage.shards if each.state is ShardState.read and each.cost]
    return PastRun(
        tokens=sum(each.shard.tokens for each in read),
        cost=full.cost,
        seconds=sum(each.seconds for each in read),
        shards=len(read),
    )


def _point(full: AuditResult) -> HistoryPoint:
    return HistoryPoint(
        ended_ms=full.ended_ms,
        commit=full.plan.commit,
        open=full.by_severity(),
        new=len(full.in_state(AuditState.new)),
        fixed=sum(
            each.state is AuditState.fixed and each.settled_ms == full.ended_ms
            for each in full.findings
        ),
        completeness=full.completeness,
        cost=full.cost,
    )
