"""Finds where a pull request went its own way: by the history in the mirror, or by GitHub where that is not here.

GitHub renders the whole difference for that answer, and refuses or fails where it is too large: then git says it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import reads
from claude_pool_gh.github.errors import ForgeError, ForgeRefused, ForgeUnavailable, NotFound
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees import deepening, history
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
        found = await merge_base(services, repository, facts.base, facts.head)
    except NotFound as error:  # both commits are there: they were fetched just now
        raise NoCommonCommit("the two branches have no commit in common") from error
    return await worktrees.fetch(repository.id, [found], []), found


async def merge_base(services: Services, repository: Repository, base: str, head: str) -> str:
    """The commit from which `head` went its own way, whatever is in the mirror. Raises ForgeError."""
    try:
        return await reads.merge_base(services.forge, repository, base, head)
    except (ForgeRefused, ForgeUnavailable) as error:
        if _says_none(error):
            raise
        return await _by_git(services, repository, base, head, error)


async def is_ancestor(services: Services, repository: Repository, older: str, newer: str) -> bool:
    """True where a commit goes on from another one; not where that is known no more. Raises ForgeError."""
    try:
        return await reads.is_ancestor(services.forge, repository, older, newer)
    except (ForgeRefused, ForgeUnavailable) as error:
        if _says_none(error):
            return False
        try:
            return await _by_git(services, repository, older, newer, error) == older
        except NotFound:
            return False


def _says_none(error: ForgeError) -> bool:
    """True where GitHub knows both commits, and that they have none in common.

    Its plain 404 says less: right after a push some of its servers have not heard of the new commit.
    """
    return isinstance(error, NotFound) and "no common ancestor" in error.message.lower()


async def _by_git(
    services: Services, repository: Repository, base: str, head: str, refusal: ForgeError
) -> str:
    """The same by the mirror. Raises NotFound for none, and what GitHub has said where it cannot be fetched either."""
    logger.info(
        "GitHub does not compare: %s", refusal, extra={"action": "not_compared", "head": head}
    )
    try:
        return await deepening.merge_base(services.worktrees, repository.id, base, head)
    except NoCommonCommit as error:
        raise NotFound(404, error.what) from error
    except OriginUnavailable as error:
        raise ForgeUnavailable(str(refusal)) from error
    except WorktreeError as error:
        raise refusal from error


async def goes_on_from(services: Services, facts: ThreadFacts, mirror: Path, older: str) -> bool:
    """True where a pull request's head goes on from an older commit, which then is in the mirror. Raises as above."""
    repository, worktrees = facts.thread.repository, services.worktrees
    if not worktrees.is_shallow:
        return await history.merge_base(mirror, older, facts.head) == older
    if not await is_ancestor(services, repository, older, facts.head):
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
