"""The sandbox that the settings ask for."""

from __future__ import annotations

from pathlib import Path

from claude_pool_gh.sandbox.process import Bounds
from claude_pool_gh.sandbox.sandbox import Sandbox
from claude_pool_gh.service.settings import Settings


def sandbox_of(settings: Settings) -> Sandbox | None:
    """The sandbox in which repositories' checks run; None where they do not."""
    if not settings.checks:
        return None
    folders = tuple(Path(each).absolute() for each in settings.check_folders.split(":") if each)
    return Sandbox(
        private=settings.state_dir.absolute(),
        folders=folders,
        bounds=Bounds(memory=settings.check_memory_mb << 20),
        at_once=max(1, settings.slots),
    )
