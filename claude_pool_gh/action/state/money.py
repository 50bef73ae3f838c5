"""The month's money of the whole repository, as lines in one ref, so that caps hold over the jobs of all threads."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Final

import sqlalchemy as sa
from pydantic import Field
from pydantic.dataclasses import dataclass

from claude_pool_gh.action.state.image import STRICT, Whole
from claude_pool_gh.action.state.ref import Ref, Stale
from claude_pool_gh.pool.model.states import ON_THE_WAY
from claude_pool_gh.pool.store import chains as chain_store
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.pool.store.tables import chains, reservations
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees.errors import WorktreeError

NAME: Final = "refs/claude-pool/ledger"
ELSEWHERE: Final = "elsewhere:"
"""How the ids of other threads' chains begin in this thread's database, which counts them and never keeps them."""
_TRIES: Final = 8
_MOST: Final = 20_000
"""Lines that are read: a ref is written by whoever may push."""


_LONGEST_LINE: Final = 2_000
Name = Annotated[str, Field(min_length=1, max_length=110)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Entry:
    """What one run counts against the caps: its reservation while it runs, then what it cost."""

    id: Name
    thread: Name
    user: Name
    repository: Name
    amount: Annotated[int, Field(ge=0, le=10**14)]
    """Microdollars."""
    created_ms: Whole


def lines(entries: Mapping[str, Entry]) -> bytes:
    """A ledger as it is kept."""
    return b"".join(json.dumps(asdict(entries[id_])).encode() + b"\n" for id_ in sorted(entries))


def parse(content: bytes, since_ms: int) -> dict[str, Entry]:
    """The entries since a moment. A line that is none is left out."""
    found = {}
    for line in content.splitlines()[:_MOST]:
        if len(line) > _LONGEST_LINE:
            continue
        with suppress(ValueError, TypeError, RecursionError, OverflowError):
            entry = Entry(**json.loads(line))
            if entry.created_ms >= since_ms:
                found[entry.id] = entry
    return found


def month_start_ms() -> int:
    """When this calendar month began (UTC)."""
    now = datetime.now(UTC)
    return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp() * 1000)


def own(tx: Transaction) -> dict[str, Entry]:
    """What this thread's runs of this month count."""
    count = sa.func.coalesce(reservations.c.settled, reservations.c.reserved).label("amount")
    query = (
        sa.select(
            chains.c.id, chains.c.account_thread, chains.c.account_user, chains.c.account_repository,
            chains.c.created_ms, count,
        )
        .join(reservations, reservations.c.id == chains.c.id)
        .where(reservations.c.level == "chain", chains.c.created_ms >= month_start_ms(), ~_foreign())
    )  # fmt: skip
    return {
        row.id: Entry(
            id=row.id, thread=row.account_thread, user=row.account_user, repository=row.account_repository,
            amount=int(row.amount), created_ms=int(row.created_ms),
        )
        for row in tx.execute(query)
    }  # fmt: skip


def count_others(tx: Transaction, entries: Mapping[str, Entry]) -> None:
    """Let the caps of this thread's runs count what other threads have spent, and nothing else of them be here."""
    tx.execute(reservations.delete().where(reservations.c.id.startswith(ELSEWHERE)))
    tx.execute(chains.delete().where(_foreign()))
    mine = own(tx)
    for entry in entries.values():
        if entry.id in mine:
            continue
        name = f"{ELSEWHERE}{entry.id}"
        if len(name) > 64:
            name = ELSEWHERE + sha256(entry.id.encode()).hexdigest()[:48]
        tx.execute(chains.insert().values(id=name, **_ended(entry)))
        tx.execute(
            reservations.insert().values(
                id=name, level="chain", chain_id=name, reserved=entry.amount, settled=entry.amount,
                upper_bound=False, created_ms=entry.created_ms, settled_ms=entry.created_ms,
            )
        )  # fmt: skip


def _ended(entry: Entry) -> dict[str, Any]:
    return {
        "pool": ELSEWHERE, "kind": "chain", "state": "done", "plan": {"verb": "", "context": {}}, "caps": {},
        "account_thread": ELSEWHERE + entry.thread, "account_user": entry.user,
        "account_repository": entry.repository, "priority": 0, "place": 0, "created_ms": entry.created_ms,
        "cancel_requested": False, "generation": 0,
    }  # fmt: skip


def _foreign() -> sa.ColumnElement[bool]:
    return chains.c.id.startswith(ELSEWHERE)


def exceeded(tx: Transaction) -> str:
    """The cap that running chains exceed together with what other threads have reserved meanwhile; "" for none."""
    running = sa.select(chains.c.id).where(chains.c.state.in_(ON_THE_WAY))
    for id_ in tx.execute(running).scalars().all():
        chain = chain_store.get(tx, id_)
        uses = ledger.cap_uses(tx, chain.account, chain.caps, chain.created_ms)
        # The pool is this job, in which nobody else spends.
        if over := [use.name for use in uses if use.used > use.limit and not use.name.startswith("pool")]:
            return over[0]
    return ""


async def publish(ref: Ref, mine: Mapping[str, Entry]) -> dict[str, Entry]:
    """Put this thread's entries into the repository's ledger; all entries of this month. Raises Stale, Refused."""
    for attempt in range(_TRIES):
        whole = parse(await ref.read() or b"", month_start_ms()) | dict(mine)
        try:
            await ref.write(lines(whole))
        except Stale:
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(random.uniform(0.1, 1.0))  # noqa: S311 - no secret
        else:
            return whole
    raise AssertionError("unreachable")


async def known(ref: Ref) -> dict[str, Entry]:
    """All entries of this month; none where there is no ledger, or it cannot be read."""
    try:
        await ref.open()
        return parse(await ref.read() or b"", month_start_ms())
    except WorktreeError:
        return {}
