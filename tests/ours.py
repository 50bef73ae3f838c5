"""How tests start programs of ours: from the copy of the package that these tests lie beside.

Without the path, a process that runs in another folder imports the package that is installed,
and a guard that `tests/guards` switches off in a copy would be missed by no test.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def program(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours."""
    return [sys.executable, "-m", module, *arguments]


def cli(*arguments: str) -> list[str]:
    """The command line `claude-pool-gh`."""
    return program("claude_pool_gh.service.cli", *arguments)


def environment(root: Path = ROOT, /, **more: str) -> dict[str, str]:
    """Nothing of this process's own environment but the path, and where our packages are."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), **more}
