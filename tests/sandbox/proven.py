"""Where these tests can run at all, asked without the code that they are about; and what they need to ask."""

from __future__ import annotations

import os
import secrets
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from claude_pool_gh.sandbox import bubblewrap

PYTHON = next(
    (path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).exists()), ""
)
"""A Python that every user of this machine may run."""


@cache
def lacking() -> str:
    """Why no sandbox can be made here; empty where a plain one can."""
    program = bubblewrap.found()
    if program is None:
        return "no bubblewrap"
    with tempfile.TemporaryDirectory() as folder:
        own = bubblewrap.reachable(program, Path(folder))
        nobody: dict[str, Any] = (
            {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
        )
        ran = subprocess.run(
            [own, "--unshare-all", "--ro-bind", "/", "/", "/bin/true"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **nobody,
        )
    return str(ran.stderr).strip()


needs_walls = pytest.mark.skipif(
    bool(lacking()), reason=f"no sandbox can be made here: {lacking()}"
)
needs_python = pytest.mark.skipif(
    not PYTHON, reason="no Python in /usr/bin that every user may run"
)


def archive(folder: Path, files: Mapping[str, str]) -> Path:
    """A tar archive of these files; a content that begins with `-> ` makes a link."""
    path = folder / "files.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            source = folder / "member"
            source.unlink(missing_ok=True)
            if content.startswith("-> "):
                source.symlink_to(content.removeprefix("-> "))
            else:
                source.write_text(content)
            tar.add(source, name)
    return path


def sleeping(seconds: int = 240) -> str:
    """A command that takes long enough, that nobody else runs, and that ends even where a test finds it left alive."""
    return f"sleep {seconds}.{secrets.randbelow(10**9):09}"


def alive(mark: str) -> list[psutil.Process]:
    """Processes of this machine whose command line holds a text."""
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if mark in " ".join(each.info["cmdline"] or ())]
