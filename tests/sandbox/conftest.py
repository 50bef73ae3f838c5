from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.sandbox.process import Bounds
from claude_pool_gh.sandbox.sandbox import Sandbox
from tests.sandbox.proven import archive


@pytest.fixture
def in_the_open() -> Iterator[Path]:
    """A folder that any user may enter; pytest closes its own ones again whenever it starts."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def private(in_the_open: Path) -> Path:
    """The server's own folder, with its secret, which permissions alone would show to everybody."""
    folder = in_the_open / "state"
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
