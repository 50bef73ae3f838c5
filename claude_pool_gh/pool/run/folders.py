"""Workspaces without git: the one folder that the pool was given, shared by all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.ports import CapturedChange, WorkspaceRequest
from claude_pool_gh.pool.store import places


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """Lends the same folder to every run, and keeps nothing of what a run changes there."""

    folder: Path

    def __post_init__(self) -> None:
        """Make the folder's name absolute: a plan outlives the process, and its working folder."""
        object.__setattr__(self, "folder", self.folder.resolve())

    async def pinned(self, isolation: Isolation) -> WorkspaceSpec:
        """The folder. Raises NoWorkspace for any isolation."""
        if isolation is not Isolation.none:
            raise NoWorkspace(
                f"isolation {isolation.value!r} needs git: open the pool with `workspaces=LocalRepository(...)`"
            )
        return WorkspaceSpec(isolation=isolation, folder=str(self.folder))

    @asynccontextmanager
    async def lease(self, wanted: WorkspaceRequest) -> AsyncIterator[SharedFolder]:
        """The folder, for a run that asks for no isolation."""
        await self.pinned(wanted.spec.isolation or Isolation.none)
        places.check(wanted.spec, self.folder)
        if not self.folder.is_dir():
            raise NoWorkspace(f"{self.folder} is no folder")
        yield self

    async def capture(self) -> CapturedChange | None:
        """Nothing: what a run changed here stays here."""
        return None
