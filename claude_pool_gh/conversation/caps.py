"""The caps that the bot's chains count against, and how caps are called where people read of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from claude_pool_gh.pool.model.caps import POOL, Account, Cap, CapUse, Window
from claude_pool_gh.terms.ids import Actor, Repository

THREAD: Final = "thread"
USER: Final = "user"
REPOSITORY: Final = "repository"
"""The kinds of scopes in which the bot's chains share caps."""
CONVERSATION: Final = "conversation"
"""The kind of scope by which a thread's chains are found, also those that its cap does not count."""
THREAD_CAP: Final = Cap(THREAD, Window.ever, 0).name
MONTH_CAP: Final = Cap(REPOSITORY, Window.month, 0).name

JOB: Final = "job"
"""What a server has for all its repositories, a job has for itself."""
_POOL: Final = Cap(POOL, Window.month, 0).name


def account_of(
    thread: str, user: Actor, repository: Repository, *, scheduled: bool = False
) -> Account:
    """The accounts whose caps a command's chain counts against.

    A schedule is no person, and comes again for ever: it uses up no user's day, and not the lifetime of the thread
    that it reports in. Its own budget and the repository's month hold.
    """
    found = {CONVERSATION: thread, REPOSITORY: str(repository.id)}
    return found if scheduled else found | {THREAD: thread, USER: str(user.id)}


def named(uses: Iterable[CapUse], runs_in: str) -> list[CapUse]:
    """The caps under the names that hold in the App or in the Action."""
    return [replace(use, name=name_of(use.name, runs_in)) for use in uses]


def name_of(cap: str, runs_in: str) -> str:
    """The name of a cap in the App or in the Action. A job's pool lives as long as the job."""
    return JOB if runs_in == "action" and cap == _POOL else cap
