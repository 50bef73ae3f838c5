"""Which changed files belong to Git LFS and hold plain bytes: a repository keeps pointers there, and objects elsewhere.

The host's git runs no filters, so a file that an agent writes goes into the commit as it is. Where `.gitattributes`
says `filter=lfs`, everybody else's git would take those bytes for a pointer.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import checked_commit

_POINTER: Final = (
    b"version https://git-lfs.github.com/spec/",
    b"version https://hawser.github.com/spec/",
)
_POINTER_LIMIT: Final = 1024


async def plain_bytes(mirror: Path, parent: str, commit: str) -> tuple[str, ...]:
    """The files that a commit adds or changes which LFS governs, before or after it, and which are no pointers."""
    changed = await git(
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        "--diff-filter=AMT",
        checked_commit(parent),
        checked_commit(commit),
        git_dir=mirror,
    )
    paths = [path for path in changed.split(b"\0") if path]
    if not paths:
        return ()
    governed = await _governed(mirror, parent, paths) | await _governed(mirror, commit, paths)
    found = [
        path for path in paths if path in governed and not await _is_pointer(mirror, commit, path)
    ]
    return tuple(path.decode(errors="backslashreplace") for path in found)


async def _governed(mirror: Path, commit: str, paths: list[bytes]) -> set[bytes]:
    """The paths whose filter is `lfs`, by the `.gitattributes` files of a commit alone.

    The mirror's own attributes switch all filters off, so this is asked in an empty repository beside it.
    """
    with tempfile.TemporaryDirectory(prefix="attributes-") as private:
        own = Path(private) / "git"
        (own / "refs").mkdir(parents=True)
        (own / "objects" / "info").mkdir(parents=True)
        (own / "objects" / "info" / "alternates").write_text(f"{mirror / 'objects'}\n")
        (own / "HEAD").write_text("ref: refs/heads/none\n")
        index = {"GIT_INDEX_FILE": str(own / "index")}
        await git("read-tree", commit, git_dir=own, environment=index)
        answered = await git(
            "check-attr",
            "--cached",
            "--stdin",
            "-z",
            "filter",
            git_dir=own,
            environment=index,
            stdin=b"\0".join(paths) + b"\0",
        )
    fields = answered.split(b"\0")
    return {fields[i] for i in range(0, len(fields) - 2, 3) if fields[i + 2] == b"lfs"}


async def _is_pointer(mirror: Path, commit: str, path: bytes) -> bool:
    name = path.decode("utf-8", "surrogateescape")
    listed = await git("ls-tree", "-z", "-l", "--full-tree", commit, "--", name, git_dir=mirror)
    _, kind, id_, size = listed.split(b"\t")[0].split()
    if kind != b"blob" or not int(size):  # an empty file is its own pointer
        return True
    if int(size) > _POINTER_LIMIT:
        return False
    return (await git("cat-file", "blob", id_.decode(), git_dir=mirror)).startswith(_POINTER)
