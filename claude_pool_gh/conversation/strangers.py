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
_REFUSED_TIMES: Final = 4
"""So many times a user's limit may be refused in an hour, before nothing is said any more."""
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
    # Who may not command here, what was mistyped, and what is switched off do not take anybody's turn.
    silent, refused = _C.answer.startswith("silence"), _C.answer.startswith("refused")
    heard = sa.or_(_C.answer.is_(None), sa.not_(sa.or_(silent, refused)))
    own = sa.and_(before, _C.actor_id == request.actor.id)
    mine_here = sa.and_(own, _C.thread.startswith(f"{request.thread.repository.id}:"))
    if tx.execute(counted.where(mine_here, heard)).scalar_one() >= limits.user_hour:
        return "user"
    # But a flood of such lines is answered no more either.
    if tx.execute(counted.where(mine_here, refused)).scalar_one() >= _REFUSED_TIMES * limits.user_hour:
        return "user"
    in_thread = tx.execute(counted.where(before, _C.thread == thread_key(request.thread), heard)).scalar_one()
    return "thread" if in_thread >= limits.thread_hour else None


async def is_unvetted(desk: Desk, thread: Thread, author: Actor, commit: str) -> bool:
    """Whether a commit of a pull request is an outsider's that nobody has looked at yet: no money is spent on it.

    An outsider is whoever may not write here, by the live API, and whatever account it is.
    """
    if await reads.role_of(desk.forge, thread.repository, author) >= Role.write:
        return False
    key = thread_key(thread)
    return not await desk.database.read(lambda tx: tables.is_trusted(tx, key, commit))
