"""First step of an audit: what is read, in which parts, and what it may cost. No model, no cost."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from claude_pool_gh.audits import packages, reads, rows
from claude_pool_gh.audits.estimate import rates
from claude_pool_gh.audits.files import Listing, TooManyFiles, Wanted, list_files, sift
from claude_pool_gh.audits.model import AuditPlan, Cut, Shard, SkipReason
from claude_pool_gh.audits.plan import PlanFacts, in_order, make_plan
from claude_pool_gh.audits.reads import NOTHING_READ, Reads
from claude_pool_gh.audits.risk import Signals
from claude_pool_gh.audits.rows import AuditRun
from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.audits.shards import Grouping, group_of, pattern_of
from claude_pool_gh.audits.sifting import sifted
from claude_pool_gh.config import owners
from claude_pool_gh.conversation.audit import known
from claude_pool_gh.conversation.audit.host import AuditHost, Subject
from claude_pool_gh.conversation.prompts.thread_prompt import new_fence
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import KnownFinding
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.model.digests import with_digests
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.redact import cleared, veiled
from claude_pool_gh.reports.visible import visible_text
from claude_pool_gh.reports.words import count
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms import patterns
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import WorktreeError

FIELDS: Final = frozenset(
    {
        *("head", "fence", "about", "guidance", "turns", "rules", "dismissed"),
        *("shards", "plan", "digest", "earlier", "started_ms"),
    }
)
"""Names in its result, for `{steps.plan.NAME}` in the recipe."""
_SIFTED_FIRST: Final = 64 * 2**20
"""Bytes of files up to which all are looked at before they are cut; of more, only those that are read."""
_DISMISSED_TOLD: Final = 20
_PLAN: Final = TypeAdapter(AuditPlan)


async def brief(host: AuditHost, context: HostStepContext) -> Done | Finish:
    """Fetch the commit, list and cut its files, and hold the price against the budget."""
    subject = host.subject(context)
    started = host.clock.now_ms()
    try:
        return await _brief(host, context, subject, started)
    except TooManyFiles as error:
        raise StepFailed(str(error)) from error
    except WorktreeError as error:  # its detail is for operators
        raise StepFailed(f"the commit cannot be read: {error.what}", ours=True) from error
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error


def planned(answer: Done | Finish) -> AuditPlan | str:
    """The plan that it has made for a command that asks for no more, or the reason why there is none."""
    if not isinstance(answer, Finish):
        return "no plan could be made"
    if isinstance(answer.result, dict) and "plan" in answer.result:
        return _PLAN.validate_python(answer.result["plan"])
    return answer.outcome.reason


async def _brief(
    host: AuditHost, context: HostStepContext, subject: Subject, started: int
) -> Done | Finish:
    mirror = await host.git_dir(context, [subject.commit])
    past = await host.database.read(lambda tx: _Past.read(tx, subject))
    rules = await host.guidance(context)
    digest = _digest(subject, context, rules)
    read = past.reads.under(digest) if subject.continues else NOTHING_READ
    wanted = Wanted(
        paths=subject.paths,
        within=subject.settings.paths,
        exclude=subject.settings.exclude,
        read=read,
        trusts_attributes=subject.kind != "security",
    )
    listing = await list_files(mirror, subject.commit, wanted)
    since = past.runs[0].point.commit if read and past.runs else ""
    failing = await host.failing(context)
    plan = await _plan(subject, mirror, listing, past, since, failing, context.plan.limits.chain)
    if not plan.shards:
        _refuse_missing(plan)
        reason = _nothing(subject, listing, since)
        unchanged = {"unchanged_since": since} if since else None
        return Finish(Outcome(verdict=Verdict.skipped, reason=reason), unchanged)
    stored = _PLAN.dump_python(plan, mode="json")
    if subject.plan_only:
        return Finish(Outcome(verdict=Verdict.answered), {"plan": stored, "planned": True})
    if plan.beyond and subject.settings.over_budget == "refuse":
        reason = (
            f"the estimate is {dollars(plan.estimate.cost.likely)}, the budget {dollars(plan.budget)}; "
            "nothing was read"
        )
        return Finish(
            Outcome(verdict=Verdict.out_of_budget, reason=reason, anew=True), {"plan": stored}
        )
    await host.bring(context, known.heads(past.every))
    earlier = await known.earlier(mirror, subject.commit, past.every)
    told = {
        "head": subject.commit,
        "fence": new_fence(),
        "about": _about(subject, plan),
        "guidance": _as_kept(rules),
        "turns": {
            step.name: step.overrides.max_turns
            for step in context.plan.steps
            if isinstance(step, AgentRun)
        },
        "rules": "\n".join(f"- `{rule.id}`: {rule.summary}" for rule in KINDS[subject.kind]),
        "dismissed": _as_kept(_dismissed(past.dismissed)),
        "shards": [_item(shard) for shard in plan.shards],
    }
    own = {"plan": stored, "digest": digest, "earlier": earlier.stored(), "started_ms": started}
    return Done(with_digests(told, by_item=("shards",)) | own)


@dataclass(frozen=True, slots=True)
class _Past:
    """The facts that are known of the audit when it begins."""

    runs: Sequence[AuditRun]
    reads: Reads
    every: Sequence[KnownFinding]
    dismissed: Sequence[KnownFinding]

    @classmethod
    def read(cls, tx: Transaction, subject: Subject) -> _Past:
        """Read it in one transaction."""
        return cls(
            rows.runs_of(tx, subject.audit),
            reads.reads_of(tx, subject.audit),
            tables.every(tx, subject.audit),
            tables.dismissed_in(tx, subject.repository_id, last=_DISMISSED_TOLD),
        )


def _digest(subject: Subject, context: HostStepContext, rules: str) -> str:
    """Of all that decides what an audit finds besides the code: not of what it may cost, and how much at a time."""
    said = {
        "rules": [(rule.id, rule.summary) for rule in KINDS[subject.kind]],
        "steps": [step.model_dump(mode="json", exclude={"at_once"}) for step in context.plan.steps],
        "guidance": rules,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _unread(listing: Listing, read: Reads) -> frozenset[str]:
    """Files that no run has read as they are now, by whatever rules; none before there was a run."""
    if not read:
        return frozenset()
    return frozenset(each.path for each in listing.files if not read.have(each.path, each.blob))


async def _plan(
    subject: Subject,
    mirror: Path,
    listing: Listing,
    past: _Past,
    since: str,
    failing: frozenset[str],
    budget: int,
) -> AuditPlan:
    files, skipped = list(listing.files), list(listing.skipped)
    first = listing.size <= _SIFTED_FIRST
    if first:
        files, more = await sift(mirror, files, listing.claimed)
        skipped += more
    by, owned = Cut(subject.settings.by), await _owners(mirror, subject.commit)
    is_owned: Callable[[str], bool] | None = (
        None if owned is None else lambda path: bool(owners.owners_of(owned, path))
    )
    paths = [each.path for each in files]
    made = PlanFacts(
        audit=subject.name,
        repository=subject.repository,
        commit=subject.commit,
        branch=subject.branch,
        by=by,
        group_of=group_of(by, await _grouping(by, subject, mirror, paths, owned)),
        signals=Signals(
            changed=_unread(listing, past.reads),
            failing=failing,
            commits=await history.commits_of_paths(mirror, subject.commit),
            found=_counted(past.every),
            is_owned=is_owned,
        ),
        rates=rates([run.past for run in past.runs]),
        budget=budget,
        slots=subject.settings.slots,
        only=subject.paths,
        notices=_unmatched(subject, listing),
        unread_since=since,
    )
    ordered = await asyncio.to_thread(in_order, files, made)
    if not first:
        ordered, more = await sifted(mirror, ordered, files, listing.claimed, made)
        skipped += more
    return await asyncio.to_thread(make_plan, ordered, skipped, made)


async def _owners(mirror: Path, head: str) -> tuple[owners.Rule, ...] | None:
    found = await history.read_files(mirror, head, owners.PLACES)
    text = next((found[place] for place in owners.PLACES if place in found), None)
    return None if text is None else owners.parse(text)


async def _grouping(
    by: Cut,
    subject: Subject,
    mirror: Path,
    paths: Sequence[str],
    owned: tuple[owners.Rule, ...] | None,
) -> Grouping:
    if by is Cut.package:
        texts = await history.read_files(mirror, subject.commit, packages.ROOT_MANIFESTS)
        return Grouping(package_of=packages.package_of(packages.packages(paths, texts)))
    return Grouping(
        pattern_of=pattern_of(subject.settings.paths, patterns.names),
        owner_of=lambda path: ", ".join(owners.owners_of(owned or (), path)),
    )


def _counted(every: Sequence[KnownFinding]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for each in every:
        counts[each.finding.path] = counts.get(each.finding.path, 0) + 1
    return counts


def _unmatched(subject: Subject, listing: Listing) -> tuple[str, ...]:
    """Paths of the command that name nothing that is read."""
    paths = [each.path for each in listing.files]
    return tuple(
        f"No file that is read matches {each}."
        for each in subject.paths
        if not any(patterns.names(each, path) for path in paths)
    )


def _nothing(subject: Subject, listing: Listing, since: str) -> str:
    if not listing.total:
        return "the repository has no files"
    if since:
        return "nothing has changed since earlier runs have read it"
    if subject.paths or subject.settings.paths:
        return "no file that can be read matches the paths that were given"
    return "every file is generated, vendored, binary or excluded"


def _refuse_missing(plan: AuditPlan) -> None:
    """Raise StepFailed where contents are not here: nobody may be told then that there is nothing to read."""
    missing = sum(each.files for each in plan.skipped if each.reason is SkipReason.missing)
    if missing:
        raise StepFailed(
            f"nothing was read: the content of {count(missing, 'file')} is not in this copy of the repository. "
            "A complete clone has it; `git fsck` says whether this one is damaged",
            ours=True,
        )


def _about(subject: Subject, plan: AuditPlan) -> str:
    """The host's own words about the whole."""
    return (
        f"Repository {plan.repository}, branch {plan.branch}, commit {plan.commit}. "
        f"The audit {subject.name!r} reads {plan.files} files in {len(plan.shards)} parts; "
        "other agents read the other parts at the same time."
    )


def _dismissed(dismissed: Sequence[KnownFinding]) -> str:
    """The findings that maintainers have said are none, for the finders."""
    lines = [
        f"- {visible_text(each.finding.title, 200)} ({each.finding.path}): {visible_text(each.reason, 300)}"
        for each in dismissed
    ]
    return "\n".join(lines) or "(none)"


def _as_kept(text: str) -> str:
    """A text as a state keeps it that others can read: all agents are told the same, in whichever job they work."""
    return veiled(cleared(text))


def _item(shard: Shard) -> dict[str, Any]:
    """The facts that one agent is told of its part. A name with odd characters is quoted as JSON quotes it."""
    return {"title": shard.title, "id": shard.id, "files": "\n".join(map(_named, shard.paths))}


def _named(path: str) -> str:
    return f"- {path}" if path.isprintable() else f"- {json.dumps(path)}"
