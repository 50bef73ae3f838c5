"""What is read for `/pool status` and `cost`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.conversation import line
from claude_pool_gh.conversation.candidates import of_thread
from claude_pool_gh.conversation.caps import named
from claude_pool_gh.conversation.desk import Asked, Desk, caps_of
from claude_pool_gh.conversation.facts import Facts, facts_of
from claude_pool_gh.conversation.gates import waiting_step
from claude_pool_gh.conversation.progress import Progress
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.ledger import Account
from claude_pool_gh.pool.store.tables import chains, reservations
from claude_pool_gh.reports import tables
from claude_pool_gh.reports.views import Changed, Presented
from claude_pool_gh.storage import Transaction

_WEEKS: Final = 8
_WEEK_MS: Final = 7 * 24 * 3_600_000


def status_of(tx: Transaction, asked: Asked, progress: Progress) -> tables.StatusView:
    """What runs and waits in a thread, and how busy the slots are."""
    now = line.read(tx)
    return tables.StatusView(
        chains=[_chain(tx, chain, progress) for chain in of_thread(tx, asked.key)[:15]],
        busy=now.busy,
        slots=now.count,
        waiting=len(now.waiting) if now.busy >= now.count else 0,
        shares=findings.shares(tx, asked.thread.repository.id),
    )


def _chain(tx: Transaction, chain: ChainRow, progress: Progress) -> tables.ChainLine:
    spent, upper_bound = ledger.cost_of(tx, chain.id)
    room = progress.rooms.get(chain.plan.verb)
    report = room.report(tx, chain) if room is not None and waiting_step(chain) is not None else None
    return tables.ChainLine(
        id=chain.id,
        verb=chain.plan.verb,
        title=progress.title_of(tx, chain),
        requester=facts_of(chain.plan.context, Facts).requester.login,
        cost=spent,
        upper_bound=upper_bound,
        gate=report.gate if isinstance(report, Changed | Presented) and not report.stale else "",
    )


def cost_of(tx: Transaction, desk: Desk, asked: Asked, now_ms: int) -> tables.CostView:
    """What a repository has spent, and on what."""
    repository, actor = str(asked.thread.repository.id), asked.request.actor
    caps = caps_of(asked.config, asked.command, desk.defaults)
    account = Account(thread=asked.key, user=str(actor.id), repository=repository)
    uses = named(ledger.cap_uses(tx, account, caps, now_ms), desk.door)
    money, chain = reservations.c, chains.c
    own = sa.and_(
        money.level == "request",
        money.settled > 0,
        chain.account_repository == repository,
        money.created_ms > now_ms - _WEEKS * _WEEK_MS,
    )
    rows = tx.execute(
        sa.select(chain.id, chain.plan, money.model, money.settled, money.created_ms).join(
            chains, chain.id == money.chain_id
        ).where(own)
    ).all()  # fmt: skip
    month = datetime.fromtimestamp(now_ms / 1000, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return tables.CostView(
        by_verb=_sums((row.plan["verb"], row.id, row.settled) for row in rows),
        by_model=_sums((row.model, row.id, row.settled) for row in rows),
        by_user=_sums((row.plan["context"]["requester"]["login"], row.id, row.settled) for row in rows),
        by_week=sorted(_sums((_week(row.created_ms), row.id, row.settled) for row in rows), reverse=True),
        caps=uses,
        month=sum(int(row.settled) for row in rows if row.created_ms >= month.timestamp() * 1000),
    )


def _sums(parts: Any) -> list[tuple[str, int, int]]:
    """Chains and microdollars by name, the dearest first."""
    totals: dict[str, int] = {}
    members: dict[str, set[str]] = {}
    for name, chain_id, amount in parts:
        totals[str(name)] = totals.get(str(name), 0) + int(amount)
        members.setdefault(str(name), set()).add(chain_id)
    found = [(name, len(members[name]), total) for name, total in totals.items()]
    return sorted(found, key=lambda each: (-each[2], each[0]))


def _week(ms: int) -> str:
    year, week, _ = datetime.fromtimestamp(ms / 1000, UTC).isocalendar()
    return f"{year}-W{week:02}"
