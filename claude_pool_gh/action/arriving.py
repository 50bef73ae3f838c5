"""Imports of packages that are still being installed wait for them: the run begins before everything is there."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

LATER: Final = frozenset(
    {
        "alembic",
        "click",
        "cryptography",
        "genai_prices",
        "git",
        "github",
        "jsonschema",
        "jwt",
        "opentelemetry",
        "psycopg",
        "referencing",
        "requests",
        "rich",
        "structlog",
        "tzdata",
        "urllib3",
    }
)
"""What `install.sh` installs in the background and this package imports. For the agent's own the gate waits."""
_LOOK_SECONDS: Final = 0.05


class Arriving:
    """A finder of modules that finds none, and lets nobody look for one of `LATER` before all of them are there."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name in LATER:
            while self._is_coming():
                time.sleep(_LOOK_SECONDS)
            sys.meta_path[:] = [each for each in sys.meta_path if each is not self]
            importlib.invalidate_caches()
        return None

    def _is_coming(self) -> bool:
        if any((self.home / mark).exists() for mark in ("rest.installed", "agent.failed")):
            return False
        try:
            os.kill(int((self.home / "agent.coming").read_text()), 0)
        except (OSError, ValueError):
            return False  # nobody is at it
        return True


def wait_for_packages(home: Path) -> None:
    """From now on, imports wait for what is being installed into this folder."""
    sys.meta_path.insert(0, Arriving(home))
