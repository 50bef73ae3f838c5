"""The bare repository through which a shell reads a checkout: whoever works in it is never disturbed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.local import LocalRepository, git_dirs
from tests.service.auditing import commit, git


async def test_what_git_reads_beside_the_objects_is_not_written_again_where_it_is_right(
    tmp_path: Path,
) -> None:
    """Each lease looks after the store; a file cut short for a moment fails whatever git reads it just then."""
    folder = tmp_path / "work"
    head = commit(folder, {"a.txt": "a\n"})
    repository = LocalRepository(folder, tmp_path / "trees")
    store = await repository.git_dir()
    assert await history.read_files(store, head, ["a.txt"]) == {"a.txt": "a\n"}
    kept = [store / "objects" / "info" / "alternates", store / "info" / "attributes"]
    before = [file.stat() for file in kept]
    assert await repository.git_dir() == store
    after = [file.stat() for file in kept]
    same = [(each.st_ino, each.st_mtime_ns) for each in after]
    assert same == [(each.st_ino, each.st_mtime_ns) for each in before]


async def test_the_git_directories_of_a_folder_are_found_with_git_2_30(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one takes an option of git 2.31 for the name of a revision, and says it back."""
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    case = 'case "$*" in *--path-format=*) echo "--path-format=absolute";; esac'
    old.write_text(f'#!/bin/sh\n{case}\nexec {shutil.which("git")} "$@"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    folder, tree, link = tmp_path / "work", tmp_path / "tree", tmp_path / "link"
    commit(folder, {"shop/a.txt": "a\n"})
    git(folder, "worktree", "add", "-q", "--detach", str(tree))
    link.symlink_to(folder / "shop")
    own, linked = folder / ".git", folder / ".git" / "worktrees" / "tree"
    assert await git_dirs(folder) == (own, own)
    assert await git_dirs(folder / "shop") == (own, own)
    assert await git_dirs(link) == (own, own)
    assert await git_dirs(tree / "shop") == (linked, own)
    monkeypatch.chdir(folder)
    assert await git_dirs(Path("shop")) == (own, own)
