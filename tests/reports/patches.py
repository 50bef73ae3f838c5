"""Patches for tests, made by git itself the way the host makes them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

Tree = Mapping[str, bytes | str]
"""Path -> content, or the target of a link."""


def patch(
    folder: Path, before: Tree, after: Tree, executable: frozenset[str] = frozenset()
) -> bytes:
    """What git says of the way from one tree to another."""
    _git(folder, "init", "-q")
    for tree in (before, after):
        for name in (
            _git(folder, "ls-files", "-z").decode(errors="surrogateescape").split("\0")[:-1]
        ):
            (folder / name).unlink()
        for name, content in tree.items():
            _write(folder / name, content)
            if name in executable and tree is after:
                (folder / name).chmod(0o755)
        _git(folder, "add", "--all")
        _git(folder, "commit", "-q", "--allow-empty", "-m", "x")
    options = ("--binary", "--no-ext-diff", "--no-textconv", "--no-color")
    return _git(folder, "diff", *options, "HEAD~1", "HEAD")


def _write(file: Path, content: bytes | str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        file.symlink_to(content)
    else:
        file.write_bytes(content)


def _git(folder: Path, *arguments: str) -> bytes:
    own = {"PATH": "/usr/bin:/bin:/usr/local/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}
    named = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    return subprocess.run(
        ["git", *named, *arguments], cwd=folder, env=own, check=True, capture_output=True
    ).stdout
