"""A place of the test's own, and nothing of this machine to be seen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.bench import killed_at_last

_KEPT = ("PATH", "LANG", "MONEY_SEED", "COVERAGE_PROCESS_START")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One with a short name: the CLI puts a socket below the temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="m-")).resolve()
    for name in ("home", "tmp", "work", "state"):
        (folder / name).mkdir()
    (folder / "work" / "a.txt").write_text("hello\n")
    for name in set(os.environ) - set(_KEPT):
        if not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "tmp"))
    with killed_at_last(str(folder)):
        yield folder
    shutil.rmtree(folder, ignore_errors=True)
