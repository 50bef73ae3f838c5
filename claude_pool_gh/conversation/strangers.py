"""Who is kept out before anything is spent: commands too often, bots, and pull requests of outsiders."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.config.model import Limits
from claude_pool_gh.conversation import tables
from claude_pool_gh.conversation.desk import Desk
from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.github import reads
from claude_pool_gh.github.intake import CommandRequest
from claude_pool_gh.github.tables import commands
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Actor, Thread
from claude_pool_gh.terms.roles import Role

HOUR_MS: Final = 3_600_000
_C: Final = commands.c


def too_often(tx: Transaction, request: CommandRequest, limits: Limits, now_ms: int) -> str | None:
    """Which limit a command is beyond, `user` or `thread`; None where it is within both."""
    since = _C.received_ms > now_ms - HOUR_MS
    # Only what came before counts: a flood does not take the turn of those who were first.
    mine = sa.select(_C.received_ms).where(_C.key == request.key).scalar_subquery()
    before = sa.and_(
        since, sa.or_(_C.received_ms < mine, sa.and_(_C.received_ms == mine, _C.key < request.key))
    )
    counted = sa.select(sa.func.count()).select_from(commands)
    repository = _C.thread.startswith(f"{request.thread.repository.id}:")
    by_user = tx.execute(counted.where(before, _C.actor_id == request.actor.id, repository)).scalar_one()
    if by_user >= limits.user_hour:
        return "user"
    # Nor do those who may not command here: what was refused counts for its author alone.
    heard = sa.or_(
        _C.answer.is_(None), sa.not_(sa.or_(_C.answer == "refused", _C.answer.startswith("silence")))
    )
    thread = sa.and_(_C.thread == thread_key(request.thread), heard)
    in_thread = tx.execute(counted.where(before, thread)).scalar_one()
    return "thread" if in_thread >= limits.thread_hour else None


async def is_unvetted(desk: Desk, thread: Thread, author: Actor, commit: str) -> bool:
    """Whether a commit of a pull request is an outsider's that nobody has looked at yet: no money is spent on it.

    An outsider is whoever may not write here, by the live API, and whatever account it is.
    """
    if await reads.role_of(desk.forge, thread.repository, author) >= Role.write:
        return False
    key = thread_key(thread)
    return not await desk.database.read(lambda tx: tables.is_trusted(tx, key, commit))
