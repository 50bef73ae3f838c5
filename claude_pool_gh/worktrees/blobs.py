"""Reads files of a commit out of a mirror's objects, by GitPython."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

# It runs git when it is imported, and gives up where there is none: `doctor` and `serve` are to say what is missing.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
from git import Git, Repo
from git.objects import Blob, Submodule, Tree

from claude_pool_gh.worktrees.git import scrubbed_environment

_FILE_LIMIT: Final = 2 * 2**20


class _ScrubbedGit(Git):
    """GitPython's git, with our environment in place of the server's, which holds every secret."""

    def execute(self, command: Any, *args: Any, **options: Any) -> Any:
        """Run a command of GitPython's own making."""
        pairs = [f"{name}={value}" for name, value in scrubbed_environment().items()]
        return super().execute(["/usr/bin/env", "-i", *pairs, *command], *args, **options)


class _Mirror(Repo):
    """A mirror as GitPython sees it. It only reads objects here."""

    GitCommandWrapperType = _ScrubbedGit


def texts(mirror: Path, commit: str, paths: tuple[str, ...], pointers: bool) -> dict[str, str]:
    """The text files among `paths`; see `history.read_files`."""
    found: dict[str, str] = {}
    with _Mirror(mirror) as repo:
        tree = repo.commit(commit).tree
        for path in paths:
            text = _read(tree, path, pointers)
            if text is not None:
                found[path] = text
    return found


def _read(tree: Tree, path: str, pointers: bool) -> str | None:
    try:
        entry = tree.join(path)
    except (KeyError, ValueError):
        return None
    if pointers and isinstance(entry, Submodule):
        return f"Subproject commit {entry.hexsha}\n"
    if not isinstance(entry, Blob) or entry.size > _FILE_LIMIT:
        return None
    if entry.mode == Blob.link_mode and not pointers:
        return None
    data: bytes = entry.data_stream.read()
    return None if b"\0" in data else data.decode(errors="replace")
