"""The content of an audit's tracking comment, read back from the chain's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import TypeAdapter

from claude_pool_gh.audits.model import AuditPlan, AuditResult, AuditState, Completeness
from claude_pool_gh.audits.stated import claims_of, is_typed
from claude_pool_gh.conversation.audit import going_on
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.conversation.audit.gather import RESULT
from claude_pool_gh.conversation.audit.publish import unpublished
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.store import tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import AuditReport, Remark
from claude_pool_gh.storage import Transaction

_PLAN: Final = TypeAdapter(AuditPlan)
_WORST: Final = 20
_FIRST: Final = 10


def report(tx: Transaction, chain: ChainRow) -> AuditReport | None:
    """The facts known of an audit by now: its result, else what its parts said before it ended, else its plan."""
    if gathered := chain.results.get("gather"):
        shown = of_result(RESULT.validate_python(gathered))
        facts = facts_of(chain.plan.context, AuditFacts)
        missing = unpublished(tx, facts.thread.repository.id, facts.name, chain.id)
        return replace(shown, problems=(*shown.problems, *missing))
    planned = planned_in(chain)
    if planned is None or chain.outcome is None or chain.outcome.verdict is Verdict.answered:
        return planned
    own = sorted(tasks.of_chain(tx, chain.id, "find"), key=lambda task: task.shard)
    kind = facts_of(chain.plan.context, AuditFacts).kind
    if not own:
        return planned
    told = ended_early(planned, [task.outcome or {} for task in own], kind)
    if not going_on.can_go_on(tx, chain):
        return told
    again = "The same command goes on with the rest while the branch stands where it did; `--fresh` begins anew."
    return replace(told, problems=(*told.problems, again))


def planned_in(chain: ChainRow) -> AuditReport | None:
    """The plan of an audit; None before there is one."""
    planned = chain.results.get("plan")
    if not isinstance(planned, dict) or "plan" not in planned:
        return None
    plan = _PLAN.validate_python(planned["plan"])
    return of_plan(plan, planned=bool(planned.get("planned")))


def ended_early(plan: AuditReport, found: Sequence[Mapping[str, Any]], kind: str) -> AuditReport:
    """The claims of an audit's parts when it was cancelled or broke: kept, and said to be unverified. Pure."""
    whole = [task for task in found if task.get("ending") == Ending.completed and is_typed(task)]
    claims = [each.finding for task in whole for each in claims_of(task, kind).claims]
    claims.sort(key=lambda each: (-each.severity.rank, each.path, each.start_line))
    return replace(
        plan,
        shards_read=len(whole),
        unsettled=[
            Remark(
                title=each.title,
                path=each.path,
                line=each.start_line,
                severity=each.severity,
                reason="not verified: the audit ended before that",
            )
            for each in claims
        ],
        problems=(
            *plan.problems,
            f"{len(whole)} of {plan.shards} parts were read before it ended; what they say is not verified.",
        ),
    )


def of_plan(plan: AuditPlan, *, planned: bool) -> AuditReport:
    """A plan as people see it."""
    cost, seconds = plan.estimate.cost, plan.estimate.seconds
    return AuditReport(
        name=plan.audit,
        planned=planned,
        files_unread=plan.files,
        files_skipped=sum(each.files for each in plan.skipped),
        shards=len(plan.shards),
        tokens=plan.estimate.tokens,
        cost=(cost.low, cost.likely, cost.high),
        seconds=(seconds.low, seconds.likely, seconds.high),
        runs=plan.estimate.runs,
        beyond=sum(shard.files for shard in plan.beyond),
        first=[shard.title for shard in plan.shards[:_FIRST]],
        skipped=_reasons(plan),
        problems=plan.notices,
    )


def of_result(result: AuditResult) -> AuditReport:
    """A result as the tracking comment shows it."""
    read = [each for each in result.coverage.shards if each.state == "read"]
    return AuditReport(
        name=result.plan.audit,
        complete=result.completeness is Completeness.complete,
        files_read=result.coverage.files_read,
        files_unread=result.coverage.files_unread,
        files_skipped=sum(each.files for each in result.plan.skipped),
        shards_read=len(read),
        shards=len(result.coverage.shards),
        skipped=_reasons(result.plan),
        standing=[
            each.finding.model_copy(update={"mark": each.id}) for each in result.standing[:_WORST]
        ],
        open=tuple(result.by_severity().items()),
        new=len(result.in_state(AuditState.new)),
        fixed=result.history[-1].fixed if result.history else 0,
        reappeared=len(result.in_state(AuditState.reappeared)),
        unsettled=[
            Remark(
                title=each.title,
                path=each.path,
                line=each.line,
                severity=each.severity,
                reason=each.reason,
            )
            for each in result.unsettled
        ],
        refuted=result.refuted,
        problems=(*result.plan.notices, *result.problems),
    )


def _reasons(plan: AuditPlan) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for each in plan.skipped:
        counts[each.reason.value] = counts.get(each.reason.value, 0) + each.files
    return tuple(sorted(counts.items(), key=lambda item: -item[1]))
