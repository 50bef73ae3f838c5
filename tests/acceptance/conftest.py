from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.world import World, world


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """The stage with the shop's pull request; nobody has found anything yet."""
    async with world(tmp_path) as made:
        yield made


@pytest.fixture
async def shop(here: World) -> World:
    """The same with the scripted reviewer who finds the planted defects."""
    here.model.script = Reviewer(stage.PLANTED)
    return here


@pytest.fixture
async def found(here: World) -> World:
    """The same with a reviewer who finds one defect: a whole review in two runs of the CLI, not six."""
    here.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    return here
