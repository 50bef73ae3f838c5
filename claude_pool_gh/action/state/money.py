"""The month's money of the whole repository, as lines in one ref, so that caps hold over the jobs of all threads."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field
from pydantic.dataclasses import dataclass

from claude_pool_gh.action.state.image import STRICT, Whole
from claude_pool_gh.action.state.ref import Ref, Stale
from claude_pool_gh.conversation.caps import CONVERSATION, REPOSITORY, THREAD, USER
from claude_pool_gh.pool.model.caps import POOL
from claude_pool_gh.pool.store import cap_uses, chains, elsewhere, lookup
from claude_pool_gh.pool.store.elsewhere import Charge
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees.errors import WorktreeError

NAME: Final = "refs/claude-pool/ledger"
NOBODY: Final = "schedule"
"""In place of a user, for what a schedule began."""
_TRIES: Final = 8
_MOST: Final = 20_000
"""Lines that are read: a ref is written by whoever may push."""


_AHEAD_MS: Final = 86_400_000
"""By which another machine's clock may be ahead of this one's."""
_LONGEST_LINE: Final = 2_000
Name = Annotated[str, Field(min_length=1, max_length=110)]


@dataclass(frozen=True, slots=True, kw_only=True, config=STRICT)
class Entry:
    """The charge of one run against the caps: its reservation while it runs, then its cost."""

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
    """The entries since a moment. A line that is none is left out, and one that would count in every month to come."""
    found = {}
    latest = int(time.time() * 1000) + _AHEAD_MS
    for line in content.splitlines()[:_MOST]:
        if len(line) > _LONGEST_LINE:
            continue
        with suppress(ValueError, TypeError, RecursionError, OverflowError):
            entry = Entry(**json.loads(line))
            if since_ms <= entry.created_ms <= latest:
                found[entry.id] = entry
    return found


def month_start_ms() -> int:
    """The moment at which this calendar month began (UTC), in milliseconds."""
    now = datetime.now(UTC)
    return int(datetime(now.year, now.month, 1, tzinfo=UTC).timestamp() * 1000)


def own(tx: Transaction) -> dict[str, Entry]:
    """The charges of this thread's runs of this month."""
    return {
        each.chain_id: Entry(
            id=each.chain_id,
            thread=each.account[CONVERSATION],
            user=each.account.get(USER, NOBODY),
            repository=each.account[REPOSITORY],
            amount=each.amount,
            created_ms=each.created_ms,
        )
        for each in elsewhere.own_charges(tx, month_start_ms())
    }


def count_others(tx: Transaction, entries: Mapping[str, Entry]) -> None:
    """Let the caps of this thread's runs count what other threads have spent, and nothing else of them be here."""
    mine = own(tx)
    elsewhere.count(tx, [_charge(entry) for entry in entries.values() if entry.id not in mine])


def _charge(entry: Entry) -> Charge:
    # Another thread's never counts against this one's cap, whatever its line says.
    thread = elsewhere.ELSEWHERE + entry.thread
    account = {THREAD: thread, USER: entry.user, REPOSITORY: entry.repository}
    return Charge(
        chain_id=entry.id, account=account, amount=entry.amount, created_ms=entry.created_ms
    )


def exceeded(tx: Transaction) -> str:
    """The cap that running chains exceed together with what other threads have reserved meanwhile; "" for none."""
    for chain_id in lookup.on_the_way(tx):
        chain = chains.get(tx, chain_id)
        uses = cap_uses.cap_uses(tx, chain.account, chain.caps, chain.created_ms)
        # The pool is this job, in which nobody else spends.
        if over := [
            use.name for use in uses if use.used > use.limit and not use.name.startswith(POOL)
        ]:
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
