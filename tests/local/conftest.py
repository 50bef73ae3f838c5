"""Nothing of this machine to be seen, a scripted model, and a runtime with both."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.model import ScriptedModel
from tests.agent.conftest import model, nothing_of_this_machine, short_folder
from tests.local.house import House

__all__ = ["model", "nothing_of_this_machine", "runtime", "short_folder"]


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    return House(model, short_folder)
