"""The results on GitHub of an ended audit: the report issue, a comment in it, and alerts in code scanning."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.audits import schedule_rows
from claude_pool_gh.audits.model import AuditResult
from claude_pool_gh.audits.outputs import issue, sarif
from claude_pool_gh.audits.outputs.summary import NextRun, when_next
from claude_pool_gh.audits.schedule_rows import ScheduledAudit
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github.effects.lookups import EffectStatus, fate
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.effects.sarif import Sarif
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.terms.links import Links

_HEADS: Final = "refs/heads/"


def publish(
    tx: Transaction,
    services: Services,
    facts: AuditFacts,
    result: AuditResult,
    *,
    now_ms: int,
    workflow_off: str,
) -> None:
    """Want it all, in the transaction that ends the audit. `workflow_off`: see `paused`."""
    repository, name = facts.thread.repository, facts.name
    known = schedule_rows.get(tx, repository.id, name)
    home = home_of(services.links, repository)
    text = issue.text(result, home, workflow_off=workflow_off)
    comes = "\n\n".join(when_next(next_run(known, now_ms)))
    report = ReportIssue(title=issue.title(name), body=text.first, since=comes, rest=text.rest)
    key = issue.key(repository.id, name)
    want(tx, key, repository, report, now_ms, chain_id=result.chain)
    standing = fate(tx, key)
    told = issue.notice(result)
    if told is not None and standing is not None and standing.remote_id is not None:
        comment = Reply(number=standing.remote_id, body=told)
        want(tx, f"audit-notice:{result.chain}", repository, comment, now_ms)
    if facts.settings.code_scanning and sarif.is_worth_uploading(result):
        key = sarif_key(result.chain)
        want(tx, key, repository, upload(facts, result), now_ms, chain_id=result.chain)


def sarif_key(chain_id: str) -> str:
    """The key of the effect that uploads what a run has found."""
    return f"audit-sarif:{chain_id}"


def unpublished(tx: Transaction, repository_id: int, audit: str, chain_id: str) -> list[str]:
    """The parts of a run's result that GitHub has not taken, each with its reason, in sentences."""
    told = []
    report = fate(tx, issue.key(repository_id, audit))
    if report is not None and report.state is EffectState.refused:
        told.append(f"GitHub did not take the report issue: {_reason(report)}.")
    if report is not None and report.state is EffectState.gone:
        told.append(f"The report issue was {_reason(report)}; it is not opened again.")
    uploaded = fate(tx, sarif_key(chain_id))
    if uploaded is not None and uploaded.state is EffectState.refused:
        told.append(f"Code scanning did not take the findings: {_reason(uploaded)}.")
    return told


def _reason(status: EffectStatus) -> str:
    return status.error.rstrip(".") or "no reason is known"


def upload(facts: AuditFacts, result: AuditResult) -> Sarif:
    """The upload to code scanning of a result."""
    return Sarif(
        commit=result.plan.commit,
        ref=f"{_HEADS}{result.plan.branch}",
        tool=sarif.TOOL,
        category=sarif.category(facts.name),
        document=sarif.document(result, sarif.rules_of(result, facts.kind)),
        made_ms=result.ended_ms,
    )


def home_of(links: Links, repository: Repository) -> str:
    """A repository's own page."""
    return f"{links.server.rstrip('/')}/{repository.full_name}"


def next_run(known: ScheduledAudit | None, now_ms: int) -> NextRun | None:
    """The facts that a report gives of an audit's schedule; None where it has none."""
    if known is None or known.schedule is None:
        return None
    record = known.record
    return NextRun(
        start_ms=known.next_start(now_ms),
        timezone=known.schedule.timezone,
        cron=known.schedule.cron,
        stopped_by=record.stopped_by,
        passed_ms=record.passed_ms,
        passed_why=record.passed_why,
        missed=record.missed,
    )
