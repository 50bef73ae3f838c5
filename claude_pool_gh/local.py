"""A pool for a script on this machine: the engine joined with git and the packaged recipes.

async with Pool.open(ClaudeAgent(), slots=4) as pool:
    print((await pool.run("Explain this repository in five lines")).output)
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from claude_pool_gh.pool import pool
from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig
from claude_pool_gh.pool.model.ports import Agent, Clock, HostStep, Observer, Workspaces
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.store.chains import MAIN
from claude_pool_gh.storage import Database
from claude_pool_gh.worktrees.local import LocalRepository

PROJECT_RECIPES: Final = Path(".github/claude-pool")
"""A project's own recipes, as the bot finds them too."""
USER_RECIPES: Final = Path("~/.config/claude-pool")


class Pool(pool.Pool):
    """Agents on slots, in this folder or in git worktrees of it, with the packaged workflows and skills at hand."""

    @classmethod
    @asynccontextmanager
    @arguments.checked
    async def open(  # noqa: PLR0913 - all optional, by name: a builder in one call
        cls,
        agent: Agent,
        *,
        folder: Path | str = ".",
        name: str = MAIN,
        slots: int | Sequence[SlotConfig] = 1,
        config: PoolConfig | None = None,
        state: Path | str | bool | None = None,
        store: str | Database | None = None,
        workspaces: Workspaces | None = None,
        library: RecipeLibrary | None = None,
        host_steps: Mapping[str, HostStep] | None = None,
        observer: Observer | None = None,
        clock: Clock | None = None,
    ) -> AsyncIterator[Pool]:
        """Open a pool whose agents work in `folder`; what is unfinished at its end goes on when it is next opened.

        `name`: workers on one store share the chains of a name, and leave those of other names alone. `slots`: how
        many, or what each decides for itself. `state`: folder for the store and the slots' conversations, outside of
        `folder`; True for the usual place of this folder, see `usual_state`; without one they last as long as the
        pool. `store`: `postgresql://...` or `sqlite:///...` in place of the folder's own. `library`: skills and
        workflows by name. `host_steps`: functions that steps with `host` call, by name.

        Where `folder` is a git repository, `PoolConfig.worktree_isolation` and the isolation of a chain give agents
        worktrees or clones of it, made in the pool's `state` folder; `workspaces` replaces all that.

        Raises TypeError and ValueError for arguments that cannot hold, among them a `state` inside `folder`;
        ScalingRefused for a number of slots outside `config.scaling`; PoolError where another process runs tasks from
        the same SQLite file.
        """
        here = arguments.folder("folder", folder)
        if isinstance(state, bool):
            kept = usual_state(here) if state else None
        else:
            kept = None if state is None else Path(state)
        if kept is not None and kept.resolve().is_relative_to(here):
            raise ValueError(
                f"{kept} lies in {here}, where every agent could read the store and other tasks' conversations: "
                "keep the pool's state outside of the folder that agents work in, or say `state=True`, which keeps it "
                f"in {usual_state(here)}"
            )
        with TemporaryDirectory(prefix="claude-pool-trees-", ignore_cleanup_errors=True) as scratch:
            trees = Path(scratch) if kept is None else kept / "worktrees"
            async with super().open(
                agent,
                name=name,
                slots=slots,
                config=config,
                state=kept,
                store=store,
                workspaces=workspaces or LocalRepository(here, trees),
                library=library or recipes(here),
                host_steps=host_steps,
                observer=observer,
                clock=clock,
            ) as opened:
                yield opened  # type: ignore[misc]  # `cls` makes it


@arguments.checked
def usual_state(folder: Path | str) -> Path:
    """The folder in which a pool keeps its state for a folder with `state=True`: one for each, below the user's own.

    `$XDG_STATE_HOME/claude-pool/NAME-DIGEST`, by default in `~/.local/state`.
    """
    here = Path(folder).resolve()
    return state_home() / f"{here.name}-{sha256(str(here).encode()).hexdigest()[:10]}"


def state_home() -> Path:
    """The folder below which everything is kept that has no place of its own."""
    base = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(base) / "claude-pool"


def recipes(folder: Path) -> RecipeLibrary:
    """The packaged recipes, those of the user, and those of the project in `folder`: the last one's go first."""
    own = user_recipes()
    return RecipeLibrary((*own.folders, folder / PROJECT_RECIPES), checkout=folder)


def user_recipes() -> RecipeLibrary:
    """The packaged recipes and those of the user, which go before them."""
    return RecipeLibrary((files("claude_pool_gh.recipes"), USER_RECIPES.expanduser()))
