"""Tells what a working folder has that its last commit has not, without a command that obeys its configuration."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from claude_pool_gh.worktrees import foreign
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.local import git_dirs, store_in
from claude_pool_gh.worktrees.mirror import checked_commit

_STATUS: Final = (
    "status",
    "--porcelain=v1",
    "-z",
    "--no-renames",
    "--untracked-files=normal",
    "--ignore-submodules=dirty",  # else git runs there, with the configuration of the submodule
)


async def uncommitted_files(folder: Path) -> list[str]:
    """The files of a repository's working folder that are not as in its last commit, new ones among them.

    Git looks at the folder from a store of our own, with a copy of the repository's index: what that knows of the
    files' times spares reading them. Raises WorktreeError where there is no repository, or no commit.
    """
    here = folder.absolute()
    own, common = await git_dirs(here)
    head = await foreign.ask("rev-parse", "--verify", "HEAD^{commit}", git_dir=own)
    root = (await foreign.ask("rev-parse", "--show-toplevel", folder=here)).decode().rstrip("\n")
    with TemporaryDirectory(prefix="claude-pool-look-") as scratch:
        store = await store_in(Path(scratch), common)
        commit = checked_commit(head.decode().strip())
        await git("update-ref", "--no-deref", "HEAD", commit, git_dir=store)
        # with its times: what was written in the same moment as the index is read, not believed
        _copy(own / "index", store / "index")
        _copy(common / "info" / "exclude", store / "info" / "exclude")
        modes = ("-c", f"core.fileMode={await _file_modes(own)}")
        found = await git(*modes, *_STATUS, git_dir=store, environment={"GIT_WORK_TREE": root})
    return [each[3:] for each in found.decode(errors="replace").split("\0") if each]


def _copy(file: Path, to: Path) -> None:
    if file.is_file():
        shutil.copy2(file, to)


async def _file_modes(git_dir: Path) -> str:
    """False where the folder's file system keeps no modes: every file would be told."""
    try:
        said = await foreign.ask("config", "--get", "core.fileMode", git_dir=git_dir)
    except WorktreeError:
        return "true"  # not said
    return "false" if said.strip().lower() in (b"false", b"no", b"off", b"0") else "true"
