"""A commit of an agent's work, and who must still be allowed to have it made.

Between an approval and its push lie a queue, a restart, perhaps an outage of GitHub's. So whoever asked and whoever
approved must be allowed to in this very moment, and the branch must be where the approval saw it: git itself compares.
"""

from __future__ import annotations

from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import NotAsApproved
from claude_pool_gh.terms.ids import Actor, Repository, Term
from claude_pool_gh.terms.roles import Role


class Authority(Term):
    """The people who must still be allowed to, at the very moment: the least role, and everybody's account."""

    actors: tuple[Actor, ...]
    least: int


class Change(Term):
    """A commit of an agent's captured work, with all that makes its id: it can be made again anywhere.

    Its message was looked through for secrets before the approval; what was approved is not reworded afterwards.
    """

    run_id: str
    parent: str
    commit: str
    message: str
    author_name: str
    author_email: str
    made_s: int
    """Seconds since the epoch."""


async def check_authority(forge: Forge, repository: Repository, wanted: Authority) -> None:
    """Raises NotAsApproved where somebody may not do this any more."""
    for actor in wanted.actors:
        role = await reads.role_of(forge, repository, actor)
        if role < wanted.least:
            needed = Role(wanted.least).name
            raise NotAsApproved(
                f"{actor.login} has the role {role.name} now, and {needed} is needed"
            )
