"""Reads on in the thread while a job serves it: a command that comes meanwhile is this job's, its own waits for it.

Not one that needs another state than this job holds: that is for its own job, which would serve it a second time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from claude_pool_gh.action.asked import Asked, asked_of
from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.action.unauthorized import is_kept_out
from claude_pool_gh.github import command_rows, inbox, reads
from claude_pool_gh.github.command_request import CommandRequest, requests
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.store import lookup
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.errors import DatabaseError
from claude_pool_gh.terms.ids import CommentRef, Thread
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

_SECONDS: Final = 5.0
Holds = Callable[[Sequence[CommandRequest], int], Awaitable[bool]]
"""Says whether this job holds the state that the commands of a comment need. Raises DatabaseError and WorktreeError."""
AuditOf = Callable[[Asked, int, int | None], Awaitable[str]]
"""The audit that commands of a moment are for; "" for none. Its third part is as `since_ms` of `audit_at`."""
_OVERLAP: Final = timedelta(seconds=30)


async def listen(
    runtime: Runtime,
    thread: Thread,
    keeper: Keeper,
    audits: Collection[str] | None,
    audit_of: AuditOf,
) -> None:
    """Take in the commands of new comments, for as long as no other job can serve this thread.

    `audits`: the names of those that are configured; None where that is not known.
    """
    since = datetime.now(UTC) - _OVERLAP
    if keeper.audit:  # what has come since it was asked for is for nobody else
        since = min(since, datetime.fromtimestamp(keeper.since_ms / 1000, UTC))
    strangers: set[int] = set()
    settled: set[int] = set()
    holds = partial(_is_held, runtime, keeper, audits, audit_of)
    while keeper.keeps:
        await asyncio.sleep(_SECONDS)
        try:
            if await _read(runtime, thread, since, strangers, settled, holds):
                runtime.wake()
        except ForgeError as error:
            logger.warning("comments not read: %s", error)


async def _is_held(
    runtime: Runtime,
    keeper: Keeper,
    audits: Collection[str] | None,
    audit_of: AuditOf,
    found: Sequence[CommandRequest],
    at_ms: int,
) -> bool:
    """True where this job holds the state that the commands of a comment need, as their own job finds too."""
    verbs, in_report = runtime.command_worker.judge.verbs, keeper.is_in_report
    asked = asked_of([each.line for each in found], verbs, audits)
    if not asked.is_served_with(keeper.audit, in_report=in_report):
        return False
    if in_report or not asked.steers:
        return True
    if asked.runs:
        known = await runtime.database.read(partial(lookup.states_of, chain_ids=sorted(asked.runs)))
        if known.keys() == asked.runs:
            return True
    since_ms = None if keeper.audit else keeper.since_ms
    return await audit_of(asked, at_ms, since_ms) == keeper.audit


async def _read(
    runtime: Runtime,
    thread: Thread,
    since: datetime,
    strangers: set[int],
    settled: set[int],
    holds: Holds,
) -> int:
    """Take in what is new. `settled`: the comments of which it is known whose they are."""
    new = 0
    path = f"/issues/{thread.number}/comments"
    moment = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    async for comment in runtime.services.forge.pages(thread.repository, path, since=moment):
        # an edited comment commands nothing
        if comment.get("created_at") == comment.get("updated_at"):
            try:
                if (number := int(comment["id"])) in settled:
                    continue
                found = _requests(thread, comment)
                if await holds(found, _ms(comment["created_at"])):
                    wanted = await _ours(runtime, found, strangers)
                    new += await runtime.database.transact(
                        partial(_store, wanted, runtime.clock.now_ms())
                    )
                settled.add(number)
            except (ValueError, TypeError, KeyError, DatabaseError, WorktreeError) as error:
                logger.warning("a comment is not read (%s)", type(error).__name__)
    return new


async def _ours(
    runtime: Runtime, found: list[CommandRequest], strangers: set[int]
) -> list[CommandRequest]:
    """Without those who may not command: their own jobs refuse them, and do not wait for this one.

    `strangers`: who is known not to, so that a flood of comments is not asked about again and again.
    """
    judge = runtime.command_worker.judge
    known = await runtime.database.read(partial(_known, found))
    ours = []
    for each in found:
        if each.key in known or each.actor.id in strangers:
            continue
        if await is_kept_out(judge.services.forge, judge.config_loader, judge.verbs, each):
            strangers.add(each.actor.id)
        else:
            ours.append(each)
    return ours


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _known(found: list[CommandRequest], tx: Transaction) -> set[str]:
    return {each.key for each in command_rows.several(tx, [each.key for each in found])}


def _requests(thread: Thread, comment: Any) -> list[CommandRequest]:
    return requests(
        str(comment.get("body") or "").encode(errors="replace").decode(),
        thread=thread,
        actor=reads.actor_of(comment.get("user")),
        source=CommentRef(id=int(comment["id"])),
    )


def _store(found: list[CommandRequest], now_ms: int, tx: Transaction) -> int:
    return sum(inbox.store(tx, request, now_ms) for request in found)
