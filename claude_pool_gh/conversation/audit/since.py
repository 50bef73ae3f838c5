"""The part of the report issue about the time since its result: a run under way, one without a result, what is due.

It is made of rows, whoever changed them, and only this part of the issue changes with it. Runs that end with a result
bring the whole issue up to date, see `publish`.
"""

from __future__ import annotations

from typing import Final

from claude_pool_gh.audits import schedule_rows
from claude_pool_gh.audits.outputs import issue
from claude_pool_gh.audits.outputs.summary import day, when_next
from claude_pool_gh.audits.schedule_rows import ScheduledAudit
from claude_pool_gh.conversation.audit import live
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.conversation.audit.publish import next_run
from claude_pool_gh.conversation.caps import REPOSITORY
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.github import command_rows
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.rows import change_part
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.terms.markdown import SafeMarkdown

VERB: Final = "audit"
_MOST_LOOKED_AT: Final = 50
"""Ended audits of a repository among which the newest of one name is looked for."""


def waiting(audit: str) -> ReportIssue:
    """The report issue of an audit that has no result yet."""
    text = issue.waiting(audit)
    return ReportIssue(title=issue.title(audit), body=text.first, rest=text.rest)


def bring_up_to_date(tx: Transaction, repository: Repository, audit: str, now_ms: int) -> None:
    """Let the report issue say what has happened since its result, if there is an issue."""
    key, told = issue.key(repository.id, audit), since(tx, repository.id, audit, now_ms)
    change_part(tx, key, repository, "report_issue", now_ms, since=told)


def since(tx: Transaction, repository_id: int, audit: str, now_ms: int) -> SafeMarkdown:
    """The news until now; "" for nothing."""
    known = schedule_rows.get(tx, repository_id, audit)
    last = newest_ended(tx, repository_id, audit)
    timezone = known.schedule.timezone if known is not None and known.schedule else "UTC"
    lines = [
        _under_way(tx, known),
        "" if last is None else _without_result(last, timezone),
        *when_next(next_run(known, now_ms)),
    ]
    return SafeMarkdown("\n\n".join(filter(None, lines)))


def newest_ended(tx: Transaction, repository_id: int, audit: str) -> ChainRow | None:
    """The last run of an audit that is over, whoever asked for it and where. Plans are none."""
    ended = lookup.ended_of(tx, REPOSITORY, str(repository_id), limit=_MOST_LOOKED_AT, verb=VERB)
    for chain_id in ended:
        chain = chains.get(tx, chain_id)
        facts = facts_of(chain.plan.context, AuditFacts)
        if facts.name == audit and not facts.plan_only:
            return chain
    return None


def _under_way(tx: Transaction, known: ScheduledAudit | None) -> str:
    if known is None or not known.record.live_run or live.ended(tx, known):
        return ""
    command = command_rows.get(tx, known.record.live_run)
    if command is None or not command.chain_id:
        return "A run is under way."
    return f"A run is under way: #{_thread_of(chains.get(tx, command.chain_id))} shows it."


def _without_result(last: ChainRow, timezone: str) -> str:
    """The end of a run that told no result; "" for one that did."""
    if last.outcome is None or "gather" in last.results:
        return ""
    when = f"The run that ended on {day(last.ended_ms or 0, timezone)} (in #{_thread_of(last)})"
    ended = headline(last.outcome, None, VERB)
    if last.outcome.verdict is Verdict.skipped:
        return f"{when} had nothing to read: {ended}."
    return f"⚠️ {when} has no result, and changes nothing here: {ended}."


def _thread_of(chain: ChainRow) -> int:
    return facts_of(chain.plan.context, AuditFacts).thread.number
