"""One blob in a ref, read and replaced by compare-and-set. The token travels in the environment of one command only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Login, git

_SECONDS: Final = 60.0
_NAME: Final = "state"
_NOW: Final = {
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
}
"""A commit that says nothing but its content."""


class Stale(Exception):
    """Somebody else has replaced the ref meanwhile."""


class Refused(Exception):
    """The ref cannot be written, and why: the token lacks `contents: write`, or the repository does not allow it."""


@dataclass(slots=True)
class Ref:
    """A ref of one repository, by a bare repository of our own."""

    folder: Path
    login: Login
    name: str
    commit: str = ""
    """What stands there as far as we know; "" for nothing."""
    made: set[str] = field(default_factory=set)
    """What we have tried to put there: a push whose answer was lost may have happened."""

    async def open(self) -> None:
        """Make the bare repository. Raises WorktreeError."""
        await git("init", "--quiet", "--bare", self.folder)

    async def read(self) -> bytes | None:
        """What the ref holds now; None where there is none. Raises WorktreeError where GitHub does not answer."""
        self.commit = await self._stands()
        if not self.commit:
            return None
        await self._remote("fetch", "--quiet", "--no-tags", self.login.url, f"+{self.name}:refs/kept/state")
        # Between the two commands it may have moved.
        self.commit = (await git("rev-parse", "refs/kept/state", git_dir=self.folder)).decode().strip()
        return await git("cat-file", "blob", f"{self.commit}:{_NAME}", git_dir=self.folder)

    async def write(self, content: bytes) -> None:
        """Replace what we know to stand there. Raises Stale and Refused."""
        blob = await git("hash-object", "-w", "--stdin", git_dir=self.folder, stdin=content)
        entry = f"100644 blob {blob.decode().strip()}\t{_NAME}\n".encode()
        tree = await git("mktree", git_dir=self.folder, stdin=entry)
        made = await git(
            "commit-tree",
            tree.decode().strip(),
            "-m",
            "State of claude-pool",
            git_dir=self.folder,
            environment=_NOW,
        )
        commit = made.decode().strip()
        if commit == self.commit:
            return
        self.made.add(commit)
        try:
            await self._push(commit)
        except Stale:
            self.commit = await self._stands()
            if self.commit not in self.made:
                raise
            if self.commit != commit:
                await self._push(commit)
        self.commit = commit

    async def listed(self, pattern: str) -> str:
        """The refs of the repository that fit a pattern, one a line, each behind its commit. Raises WorktreeError."""
        return (await self._remote("ls-remote", self.login.url, pattern)).decode(errors="replace")

    async def delete(self, name: str, commit: str) -> None:
        """Delete another ref, if it still stands at a commit. Raises WorktreeError."""
        await self._remote(
            "push", "--quiet", f"--force-with-lease={name}:{commit}", self.login.url, f":{name}"
        )

    async def _stands(self) -> str:
        listed = await self._remote("ls-remote", self.login.url, self.name)
        return listed.decode().partition("\t")[0].strip()

    async def _push(self, commit: str) -> None:
        lease = f"--force-with-lease={self.name}:{self.commit}"
        try:
            await self._remote("push", "--porcelain", lease, self.login.url, f"{commit}:{self.name}")
        except WorktreeError as error:
            said = f"{error} {error.out}"
            if "stale info" in said:
                raise Stale from error
            raise Refused(_reason(said)) from error

    async def _remote(self, *arguments: str) -> bytes:
        return await git(
            *arguments, git_dir=self.folder, environment=self.login.environment(), timeout=_SECONDS
        )


def _reason(said: str) -> str:
    return "GitHub answered 403" if "403" in said else " ".join(said.split())[-300:]
