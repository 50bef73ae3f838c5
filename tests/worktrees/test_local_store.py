"""The bare repository through which a shell reads a checkout: whoever works in it is never disturbed."""

from __future__ import annotations

from pathlib import Path

from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.local import LocalRepository
from tests.service.auditing import commit


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
