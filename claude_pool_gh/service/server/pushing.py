"""Joins the forge's effects with git: a change is made a commit again, wherever this runs, and pushed."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.github.access import PUSHING
from claude_pool_gh.github.api import Forge, Pusher
from claude_pool_gh.github.errors import (
    ForgeUnavailable,
    NotAsApproved,
    OperatorNeeded,
    PushDeclined,
)
from claude_pool_gh.pool.store import tasks
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees.errors import OriginUnavailable, OutOfDisk
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees
from claude_pool_gh.worktrees.push import PushRefused
from claude_pool_gh.worktrees.snapshot import Signature


def pusher(database: Database, forge: Forge, worktrees: Worktrees, settings: Settings) -> Pusher:
    """The pusher that `Forge` is given here."""
    server_url, proxy = settings.github_server_url, settings.proxy

    async def push(repository: Repository, ref: str, change: Any, expected: str | None) -> None:
        work = await database.read(lambda tx: tasks.kept_work(tx, change.run_id))
        if work is None:
            raise NotAsApproved("the work that was approved is not kept any more")
        try:
            await worktrees.fetch(repository.id, [change.parent], [])
            own = Signature(
                message=change.message,
                name=change.author_name,
                email=change.author_email,
                when_s=change.made_s,
            )
            commit = await worktrees.commit(repository.id, work, change.parent, own)
            if commit != change.commit:
                raise NotAsApproved(
                    f"the kept work gives {commit[:9]}, and {change.commit[:9]} was approved"
                )
            token = await forge.access.token_once(repository, PUSHING)
            url = f"{server_url.rstrip('/')}/{repository.owner}/{repository.name}.git"
            await worktrees.push(
                repository.id, Credentials(token, url, proxy), commit, ref, expected
            )
        except PushRefused as error:
            raise PushDeclined(error.what) from error
        except OutOfDisk as error:
            raise OperatorNeeded(str(error)) from error
        except OriginUnavailable as error:
            raise ForgeUnavailable(str(error)) from error

    return push
