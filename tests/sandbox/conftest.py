from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.sandbox.process import Bounds
from claude_pool_gh.sandbox.sandbox import Sandbox
from tests.sandbox.proven import archive


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """The server's own folder, with its secret."""
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "key.pem").write_text("the private key")
    return folder


@pytest.fixture
def sandbox(private: Path) -> Sandbox:
    """A sandbox with small bounds."""
    return Sandbox(private=private, bounds=Bounds(memory=192 << 20, processes=64, output=1 << 20))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The files of a commit."""
    return archive(tmp_path, {"a.txt": "hello\n", "bin/run": "#!/bin/sh\n"})
