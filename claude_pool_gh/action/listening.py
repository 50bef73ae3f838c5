"""Reads on in the thread while a job serves it: a command that comes meanwhile is this job's, its own waits for it."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.github import inbox, intake, reads
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.service.house import House
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import CommentRef, Thread

logger = logging.getLogger(__name__)

_SECONDS: Final = 5.0
_OVERLAP: Final = timedelta(seconds=30)


async def listen(house: House, thread: Thread, keeper: Keeper) -> None:
    """Take in the commands of new comments, for as long as no other job can serve this thread."""
    since = datetime.now(UTC) - _OVERLAP
    while keeper.keeps:
        await asyncio.sleep(_SECONDS)
        try:
            if await _read(house, thread, since):
                house.wake()
        except ForgeError as error:
            logger.warning("comments not read: %s", error)


async def _read(house: House, thread: Thread, since: datetime) -> int:
    new = 0
    path = f"/issues/{thread.number}/comments"
    moment = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    async for comment in house.desk.forge.pages(thread.repository, path, since=moment):
        if comment.get("created_at") == comment.get("updated_at"):  # an edited comment commands nothing
            try:
                new += await house.database.transact(partial(_store, thread, comment, house.clock.now_ms()))
            except (ValueError, TypeError, KeyError, SQLAlchemyError) as error:
                logger.warning("a comment is not read (%s)", type(error).__name__)
    return new


def _store(thread: Thread, comment: Any, now_ms: int, tx: Transaction) -> int:
    found = intake.requests(
        str(comment.get("body") or "").encode(errors="replace").decode(),
        thread=thread,
        actor=reads.actor_of(comment.get("user")),
        source=CommentRef(id=int(comment["id"])),
    )
    return sum(inbox.store(tx, request, now_ms) for request in found)
