"""Decides what an audit came to: coverage, states of its findings, and its outcome. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditPlan,
    AuditResult,
    AuditState,
    Completeness,
    Coverage,
    ShardResult,
    ShardState,
    SkipReason,
)
from claude_pool_gh.audits.stated import is_typed
from claude_pool_gh.audits.weighing import files_opened
from claude_pool_gh.pool.model.endings import ending_of, gravity, verdict_of
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.reports.words import count

_CUT: Final = (
    Ending.out_of_budget,
    Ending.out_of_turns,
    Ending.timed_out,
    Ending.quota,
    Ending.cancelled,
)
_UNOPENED: Final = "the agent that answered for the part did not open them"
_STATES: Final = (
    AuditState.new,
    AuditState.reappeared,
    AuditState.open,
    AuditState.fixed,
    AuditState.dismissed,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCounts:
    """The counts that the check of claims makes for each shard, in the order of the plan."""

    stated: Sequence[int]
    kept: Sequence[int]
    costs: Sequence[int]


def coverage(
    plan: AuditPlan,
    found: Sequence[Mapping[str, Any]],
    counts: ShardCounts,
    there: Collection[str],
) -> Coverage:
    """The outcome of each shard. A shard whose agent opened none of its files was not read, whatever it says.

    `there`: the files of the commit. A name that was kept without a part of it names none of them, and two files may
    have the same such name.
    """
    told = [
        _shard_result(plan, at, task, counts, there)
        for at, task in enumerate(found[: len(plan.shards)])
    ]
    missing = [
        ShardResult(shard=shard, state=ShardState.not_started, reason="it was not begun")
        for shard in plan.shards[len(told) :]
    ]
    beyond = [
        ShardResult(
            shard=shard, state=ShardState.not_started, reason="the budget does not reach it"
        )
        for shard in plan.beyond
    ]
    return Coverage(shards=(*told, *missing, *beyond), skipped=plan.skipped)


def _shard_result(
    plan: AuditPlan,
    at: int,
    task: Mapping[str, Any],
    counts: ShardCounts,
    there: Collection[str],
) -> ShardResult:
    shard = plan.shards[at]
    ending = Ending(task.get("ending", Ending.failed))
    state, reason = ShardState.read, ""
    opened = {path for path in files_opened(task) if path in there}
    if ending is not Ending.completed:
        state = ShardState.cut if ending in _CUT else ShardState.failed
        reason = str(task.get("reason") or ending.value)
    elif not is_typed(task):
        state, reason = ShardState.failed, "the agent's answer does not have the form asked for"
    elif not opened & set(shard.paths):
        state, reason = ShardState.failed, "the agent answered without opening any of its files"
    return ShardResult(
        shard=shard,
        state=state,
        reason=reason,
        unopened=tuple(path for path in shard.paths if path not in opened)
        if state is ShardState.read
        else (),
        stated=counts.stated[at],
        kept=counts.kept[at],
        cost=counts.costs[at] if at < len(counts.costs) else 0,
        seconds=float(task.get("elapsed_ms") or 0) / 1000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """The numbers of claims that nobody has judged, by what became of them."""

    unsettled: int = 0
    """Claims of which a second reader could not say whether they are true, or that broke its run."""
    broken: int = 0
    """Runs of second readers that ended without an answer."""
    unverified: int = 0
    beyond: int = 0
    unplaced: int = 0
    malformed: int = 0


def completeness(covered: Coverage, left: Unjudged) -> Completeness:
    """The extent to which its plan was done."""
    if not any(each.state is ShardState.read for each in covered.shards):
        return Completeness.nothing
    done = covered.whole and left == Unjudged()
    return Completeness.complete if done else Completeness.partial


def problems(covered: Coverage, left: Unjudged) -> tuple[str, ...]:
    """The reasons why a run is not complete, in sentences, the shards for each reason together."""
    reasons: dict[str, int] = {}
    for each in covered.shards:
        if each.state is not ShardState.read:
            reasons[each.reason] = reasons.get(each.reason, 0) + each.shard.files
        elif each.unopened:
            reasons[_UNOPENED] = reasons.get(_UNOPENED, 0) + len(each.unopened)
    if missing := covered.reasons().get(SkipReason.missing):
        reasons["their content is not here"] = missing
    told = [f"{count(files, 'file')} not read: {reason}." for reason, files in reasons.items()]
    claims = (
        (left.unverified, "serious claim", "not verified: over the limit of one run"),
        (left.broken, "claim", "not verified: the run that should do it failed"),
        (left.beyond, "claim", "not looked at: over the number that one part may make"),
        (left.malformed, "claim", "not looked at: without the form asked for"),
        (left.unplaced, "claim", "not settled: the quoted code stands nowhere in the repository"),
    )
    return (*told, *(f"{count(number, what)} {why}." for number, what, why in claims if number))


def outcome(result: AuditResult, tasks: Sequence[Mapping[str, Any]]) -> Outcome:
    """The outcome of the chain: clean only where all was read, every claim is settled and nothing stands."""
    ended = [
        task for task in tasks if task.get("ending") not in (None, Ending.completed, "completed")
    ]
    unread = [each for each in result.coverage.shards if each.state is not ShardState.read]
    if ended:
        worst = min(ended, key=lambda task: gravity(ending_of(task)))
        verdict = verdict_of(ending_of(worst))
        reason = (
            f"{len(unread)} of {count(len(result.coverage.shards), 'part')} not read: "
            f"{worst.get('reason', '')}"
            if unread
            else f"{count(len(ended), 'claim')} not verified: {worst.get('reason', '')}"
        )
        operator = any(task.get("operator") for task in ended)
        return Outcome(verdict=verdict, reason=reason, ours=True, operator=operator)
    if result.completeness is Completeness.nothing:
        reason = unread[0].reason if unread else "nothing was read"
        return Outcome(verdict=Verdict.failed, reason=reason, ours=True)
    open_ = " ".join(result.problems)
    if result.unsettled:
        open_ = f"{open_} {count(len(result.unsettled), 'claim')} could not be settled.".strip()
    if result.standing:
        return Outcome(verdict=Verdict.findings, reason=open_)
    if open_:
        return Outcome(verdict=Verdict.unsettled, reason=open_)
    if result.plan.only or result.plan.unread_since:
        what = ", ".join(result.plan.only) or "what no earlier run had read"
        return Outcome(verdict=Verdict.skipped, reason=f"nothing found, but only {what} was read")
    return Outcome(verdict=Verdict.clean)


def ordered(findings: Sequence[AuditFinding]) -> tuple[AuditFinding, ...]:
    """The findings in order: open ones before fixed ones before dismissed ones, the worst first."""
    return tuple(
        sorted(
            findings,
            key=lambda each: (
                not each.stands,
                _STATES.index(each.state) if not each.stands else 0,
                -each.severity.rank,
                each.finding.path,
                each.finding.start_line,
            ),
        )
    )
