"""A pool for a script on this machine: the engine joined with git and the packaged recipes.

async with Pool.open(ClaudeAgent(), slots=4) as pool:
    print((await pool.run("Explain this repository in five lines")).output)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from claude_pool_gh.pool import pool
from claude_pool_gh.pool.ports import Agent, Workspaces
from claude_pool_gh.pool.shelf import Shelf
from claude_pool_gh.worktrees.local import LocalRepository

PROJECT_RECIPES: Final = Path(".github/claude-pool")
"""A project's own recipes, as the bot finds them too."""
USER_RECIPES: Final = Path("~/.config/claude-pool")


class Pool(pool.Pool):
    """Agents on slots, in this folder or in git worktrees of it, with the packaged workflows and skills at hand."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        agent: Agent,
        *,
        folder: Path | str = ".",
        workspaces: Workspaces | None = None,
        shelf: Shelf | None = None,
        **more: Any,
    ) -> AsyncIterator[Pool]:
        """As `claude_pool_gh.pool.pool.Pool.open`, with agents that work in `folder`.

        Where it is a git repository, `PoolConfig.worktree_isolation` and the isolation of a chain give them worktrees
        or clones of it, made in the pool's `state` folder. Raises ValueError for a `state` inside `folder`.
        """
        here, kept = Path(folder).resolve(), more.get("state")
        if kept is not None and Path(kept).resolve().is_relative_to(here):
            raise ValueError(
                f"{kept} lies in {here}, where every agent could read the store and other tasks' conversations: "
                "keep the pool's state outside of the folder that agents work in"
            )
        with TemporaryDirectory(prefix="claude-pool-trees-", ignore_cleanup_errors=True) as scratch:
            trees = Path(scratch) if kept is None else Path(kept) / "worktrees"
            async with super().open(
                agent,
                workspaces=workspaces or LocalRepository(here, trees),
                shelf=shelf or recipes(here),
                **more,
            ) as opened:
                yield opened  # type: ignore[misc]  # `cls` makes it


def recipes(folder: Path) -> Shelf:
    """The packaged recipes, those of the user, and those of the project in `folder`: the last one's go first."""
    return Shelf((files("claude_pool_gh.recipes"), USER_RECIPES.expanduser(), folder / PROJECT_RECIPES))
