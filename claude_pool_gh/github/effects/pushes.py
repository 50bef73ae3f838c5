"""Commits, branches and pull requests: what an approval leads to, checked once more in the moment it happens.

Between an approval and its push lie a queue, a restart, perhaps an outage of GitHub's. So whoever asked and whoever
approved must be allowed to in this very moment, and the branch must be where the approval saw it: git itself compares.
"""

from __future__ import annotations

import asyncio
from typing import Final

from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import sorted_errors
from claude_pool_gh.github.effects.kinds import Authority, Proposal, Push
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, NotAsApproved, NotFound
from claude_pool_gh.terms.ids import Repository, Thread
from claude_pool_gh.terms.roles import Role

_SHOWN_AFTER: Final = (0.5, 1.0, 2.0)
"""Seconds to wait before a pull request is asked for again whose branch GitHub does not know yet."""


async def push(forge: Forge, repository: Repository, wanted: Push) -> int:
    """Put a commit on a pull request's branch. Raises NotAsApproved where anything is not as it was approved."""
    await _check_authority(forge, repository, wanted.authority)
    pull = await reads.pull(forge, Thread(repository=repository, number=wanted.number))
    if not pull.open:
        raise NotAsApproved("the pull request was closed after the approval")
    if pull.head_repository_id != repository.id or pull.head_ref != wanted.branch:
        raise NotAsApproved("the pull request's branch is not in this repository any more")
    if pull.head != wanted.change.parent:
        raise NotAsApproved(f"the branch has moved to {pull.head[:9]} after the approval")
    await forge.pusher(repository, f"refs/heads/{wanted.branch}", wanted.change, wanted.change.parent)
    return wanted.number


async def find_push(forge: Forge, repository: Repository, wanted: Push) -> int | None:
    """The pull request's number, where its branch holds the commit already, whatever came on top of it since."""
    try:
        basehead = f"{wanted.change.commit}...{segment(wanted.branch)}"
        answer = await forge.read(repository, f"/compare/{basehead}")
    except NotFound:
        return None
    with sorted_errors():
        return wanted.number if answer["status"] in ("identical", "ahead") else None


async def propose(forge: Forge, repository: Repository, wanted: Proposal) -> int:
    """Make a branch and a pull request for it; the pull request's number."""
    await _check_authority(forge, repository, wanted.authority)
    standing = await _branch_head(forge, repository, wanted.branch)
    if standing is None:
        await forge.pusher(repository, f"refs/heads/{wanted.branch}", wanted.change, None)
    elif standing != wanted.change.commit:
        raise NotAsApproved(f"there is a branch {wanted.branch} already, with something else on it")
    body = {
        "title": wanted.title,
        "head": wanted.branch,
        "base": wanted.base,
        "body": wanted.body,
        "draft": wanted.draft,
    }
    for wait in (
        *_SHOWN_AFTER,
        None,
    ):  # not `stamina`: before each try it is looked up whether the last one did it
        try:
            made = await forge.call("POST", repository, "/pulls", body)
        except ForgeRefused as error:
            if error.status != 422:
                raise
            if (found := await find_proposal(forge, repository, wanted)) is not None:
                return found
            if wait is None or "head" not in error.message:
                raise
            await asyncio.sleep(wait)  # GitHub shows a new branch a moment after it has taken it
        else:
            with sorted_errors():
                return int(made["number"])
    raise ForgeUnavailable("unreachable")


async def find_proposal(forge: Forge, repository: Repository, wanted: Proposal) -> int | None:
    """The number of our pull request for the branch, open or not."""
    own = await forge.access.own_id(repository)
    head = f"{repository.owner}:{wanted.branch}"
    async for pull in forge.pages(repository, "/pulls", head=head, state="all"):
        if (pull.get("user") or {}).get("id") == own:
            return int(pull["number"])
    return None


async def _branch_head(forge: Forge, repository: Repository, branch: str) -> str | None:
    try:
        answer = await forge.read(repository, f"/git/ref/heads/{segment(branch)}")
    except NotFound:
        return None
    with sorted_errors():
        return str(answer["object"]["sha"])


async def _check_authority(forge: Forge, repository: Repository, wanted: Authority) -> None:
    for actor in wanted.actors:
        role = await reads.role_of(forge, repository, actor)
        if role < wanted.least:
            needed = Role(wanted.least).name
            raise NotAsApproved(f"{actor.login} has the role {role.name} now, and {needed} is needed")
