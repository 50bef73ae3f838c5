"""The limits before anything is spent: commands too often, bots, and pull requests of outsiders."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.config.model import Limits
from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import command_rows, decisions, reads
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Actor, Thread
from claude_pool_gh.terms.roles import Role

HOUR_MS: Final = 3_600_000
_REFUSED_TIMES: Final = 4
"""So many times a user's limit may be refused in an hour, before nothing is said any more."""


def too_often(tx: Transaction, request: CommandRequest, limits: Limits, now_ms: int) -> str | None:
    """Which limit a command is beyond, `user` or `thread`; None where it is within both."""
    found = command_rows.rate(tx, request, thread_key(request.thread), now_ms - HOUR_MS)
    # A flood of lines that are refused is answered no more either.
    if found.heard >= limits.user_hour or found.refused >= _REFUSED_TIMES * limits.user_hour:
        return "user"
    return "thread" if found.in_thread >= limits.thread_hour else None


async def is_unvetted(services: Services, thread: Thread, author: Actor, commit: str) -> bool:
    """True where a commit of a pull request is an outsider's that nobody has looked at yet: no money is spent on it.

    An outsider is whoever may not write here, by the live API, and whatever account it is.
    """
    if await reads.role_of(services.forge, thread.repository, author) >= Role.write:
        return False
    key = thread_key(thread)
    return not await services.database.read(lambda tx: decisions.is_trusted(tx, key, commit))
