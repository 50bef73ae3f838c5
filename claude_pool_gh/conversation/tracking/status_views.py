"""The facts for `/pool status` and `cost`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from claude_pool_gh.conversation.caps import REPOSITORY, account_of, named
from claude_pool_gh.conversation.changes.gates import waiting_step
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.lookups.chain_lookup import of_thread
from claude_pool_gh.conversation.services import CommandContext, Services, caps_of
from claude_pool_gh.conversation.tracking import queue_position
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.pool.store import cap_uses, costs
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.costs import RequestCost
from claude_pool_gh.reports import tables
from claude_pool_gh.reports.views import ChangeReport, HandInReport
from claude_pool_gh.storage import Transaction

_WEEKS: Final = 8
_WEEK_MS: Final = 7 * 24 * 3_600_000


def status_of(tx: Transaction, asked: CommandContext, progress: Progress) -> tables.StatusView:
    """The chains that run and wait in a thread, and how busy the slots are."""
    now = queue_position.read(tx)
    return tables.StatusView(
        chains=[_chain(tx, chain, progress) for chain in of_thread(tx, asked.key)[:15]],
        busy=now.busy,
        slots=now.count,
        waiting=len(now.waiting) if now.busy >= now.count else 0,
        shares=findings.shares(tx, asked.thread.repository.id),
    )


def _chain(tx: Transaction, chain: ChainRow, progress: Progress) -> tables.ChainLine:
    spent, upper_bound = costs.cost_of(tx, chain.id)
    handler = progress.verb_handlers.get(chain.plan.verb)
    report = (
        handler.report(tx, chain)
        if handler is not None and waiting_step(chain) is not None
        else None
    )
    return tables.ChainLine(
        id=chain.id,
        verb=chain.plan.verb,
        title=progress.title_of(tx, chain),
        requester=facts_of(chain.plan.context, ThreadFacts).requester.login,
        cost=spent,
        upper_bound=upper_bound,
        gate=report.gate
        if isinstance(report, ChangeReport | HandInReport) and not report.stale
        else "",
    )


def cost_of(
    tx: Transaction, services: Services, asked: CommandContext, now_ms: int
) -> tables.CostView:
    """The spending of a repository, and on what."""
    account = account_of(asked.key, asked.request.actor, asked.thread.repository)
    caps = caps_of(asked.config, asked.command, services.defaults)
    uses = named(cap_uses.cap_uses(tx, account, caps, now_ms), services.runs_in)
    since = now_ms - _WEEKS * _WEEK_MS
    paid = costs.spending(tx, REPOSITORY, account[REPOSITORY], since)
    month = datetime.fromtimestamp(now_ms / 1000, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return tables.CostView(
        by_verb=_sums((each.verb, each) for each in paid),
        by_model=_sums((each.model, each) for each in paid),
        by_user=_sums((each.requester, each) for each in paid),
        by_week=sorted(_sums((_week(each.created_ms), each) for each in paid), reverse=True),
        caps=uses,
        month=sum(each.cost for each in paid if each.created_ms >= month.timestamp() * 1000),
    )


def _sums(parts: Iterable[tuple[str, RequestCost]]) -> list[tuple[str, int, int]]:
    """Chains and microdollars by name, the dearest first."""
    totals: dict[str, int] = {}
    members: dict[str, set[str]] = {}
    for name, each in parts:
        totals[name] = totals.get(name, 0) + each.cost
        members.setdefault(name, set()).add(each.chain_id)
    found = [(name, len(members[name]), total) for name, total in totals.items()]
    return sorted(found, key=lambda each: (-each[2], each[0]))


def _week(ms: int) -> str:
    year, week, _ = datetime.fromtimestamp(ms / 1000, UTC).isocalendar()
    return f"{year}-W{week:02}"
