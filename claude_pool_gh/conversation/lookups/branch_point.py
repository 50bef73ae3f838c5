"""Finds where a pull request went its own way: by the history in the mirror, or by GitHub where that is not here."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import reads
from claude_pool_gh.github.errors import NotFound
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import NoCommonCommit, OriginUnavailable, WorktreeError

logger = logging.getLogger(__name__)


async def fetched(services: Services, facts: ThreadFacts) -> tuple[Path, str]:
    """The mirror with a pull request's commits, and the one from which its head went its own way.

    Raises NoCommonCommit, other WorktreeErrors, and ForgeError.
    """
    repository, worktrees = facts.thread.repository, services.worktrees
    mirror = await worktrees.fetch(repository.id, [facts.head, facts.base], facts.refs)
    if not worktrees.is_shallow:
        return mirror, await history.merge_base(mirror, facts.base, facts.head)
    try:
        found = await reads.merge_base(services.forge, repository, facts.base, facts.head)
    except NotFound as error:  # both commits are there: they were fetched just now
        raise NoCommonCommit("the two branches have no commit in common") from error
    return await worktrees.fetch(repository.id, [found], []), found


async def goes_on_from(services: Services, facts: ThreadFacts, mirror: Path, older: str) -> bool:
    """True where a pull request's head goes on from an older commit, which then is in the mirror. Raises as above."""
    repository, worktrees = facts.thread.repository, services.worktrees
    if not worktrees.is_shallow:
        return await history.merge_base(mirror, older, facts.head) == older
    if not await reads.is_ancestor(services.forge, repository, older, facts.head):
        return False
    await worktrees.fetch(repository.id, [older], [])
    return True


async def bring(services: Services, facts: ThreadFacts, older: Iterable[str]) -> None:
    """Bring commits that elsewhere came with the history. Whoever needs one that GitHub no longer has will miss it.

    Raises OriginUnavailable.
    """
    if not services.worktrees.is_shallow:
        return
    for commit in filter(None, older):
        try:
            await services.worktrees.fetch(facts.thread.repository.id, [commit], [])
        except OriginUnavailable:
            raise
        except WorktreeError as error:
            logger.info("not fetched: %s", error, extra={"action": "not_fetched"})
