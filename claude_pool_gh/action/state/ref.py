"""One blob in a ref, read and replaced by compare-and-set. The token travels in the environment of one command only."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import stamina

from claude_pool_gh.storage.retry_log import log_retries
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git

logger = logging.getLogger(__name__)

_SECONDS: Final = 60.0
_NOTED: Final = "refs/noted/"
_LISTED: Final = re.compile(r"^([0-9a-f]{40,64})\t(\S+)$", re.MULTILINE)
_NAME: Final = "state"
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a state, deflated, that are fetched: a ref is written by whoever may push, and jobs wait for it."""
_SUBJECT: Final = b"State of claude-pool"
_NOW: Final = {
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
}
"""A commit that says nothing but its content."""

_TAKEN_FOR: Final = ("refs/", "refs/heads/", "refs/tags/", "refs/remotes/")
"""Before a whole name, where `git push` takes another ref for the one of that name."""
_RACES: Final = 3
"""Pushes of one content, where the ref still stands where it was expected: somebody else's lock was in the way."""
_FINAL: Final = re.compile(r"exists; cannot create", re.IGNORECASE)
_STALE: Final = re.compile(
    r"stale info|fetch first|non-fast-forward|cannot lock ref|failed to lock|failed to update ref"
    r"|reference already exists",
    re.IGNORECASE,
)
_REFUSED: Final = re.compile(
    r"(?:HTTP |returned error: )403\b|protected|declined|denied|forbidden|not allowed|polic|rule violations|GH\d{3}\b"
    r"|archived|read-only",
    re.IGNORECASE,
)
_NOT_FOR_US: Final = re.compile(
    r"(?:HTTP |returned error: )40[134]\b|repository '.*' not found", re.IGNORECASE
)
_Found = TypeVar("_Found")


class Stale(Exception):
    """Somebody else has replaced the ref meanwhile."""


class Refused(Exception):
    """The ref cannot be written, and why: the token lacks `contents: write`, or the repository does not allow it."""


class Unavailable(WorktreeError):
    """GitHub gave no answer that means anything. It was asked several times; of a push nobody knows if it happened."""


def meaning(error: WorktreeError, url: str) -> Stale | Refused | Unavailable:
    """The meaning of a failed push, in git's words.

    Only a plain no is one: a race or an outage says nothing of rights.
    """
    # a repository may be called "declined"
    said = f"{error} {error.out}".replace(url.removesuffix(".git"), "")
    if _STALE.search(said) and not _FINAL.search(said):
        return Stale(_reason(said))
    if _REFUSED.search(said) or _FINAL.search(said):
        return Refused(_reason(said))
    return Unavailable(_reason(said))


def is_in_the_way(found: str, name: str) -> bool:
    """True where a ref keeps another from being made, as a file does a folder, or git takes it for that one. Pure."""
    taken_for = {f"{place}{name}" for place in _TAKEN_FOR}
    return found in taken_for or found.startswith(f"{name}/") or name.startswith(f"{found}/")


@dataclass(slots=True)
class Ref:
    """A ref of one repository, by a bare repository of our own."""

    folder: Path
    login: Credentials
    name: str
    commit: str = ""
    """What stands there as far as we know; "" for nothing."""
    made: set[str] = field(default_factory=set)
    """What we have tried to put there: a push whose answer was lost may have happened."""

    async def open(self) -> None:
        """Make the bare repository. Raises WorktreeError."""
        await git("init", "--quiet", "--bare", self.folder)
        # Nothing of it is ever checked out, and one odd commit must not keep all others from being read.
        await git("config", "fetch.fsckObjects", "false", git_dir=self.folder)

    async def read(self) -> bytes | None:
        """The present value of the ref: None where there is none, empty where something else than ours stands there.

        Raises WorktreeError where GitHub does not answer.
        """
        return await _patiently(self._read)

    async def _read(self) -> bytes | None:
        self.commit = await self._stands()
        if not self.commit:
            return None
        # Somebody else may have put a commit with a history there.
        await self._ask(
            "fetch",
            "--quiet",
            "--no-tags",
            "--depth=1",
            f"--filter=blob:limit={LARGEST}",
            self.login.url,
            f"+{self.name}:refs/kept/state",
        )
        # Between the two commands it may have moved.
        self.commit = (
            (await git("rev-parse", "refs/kept/state", git_dir=self.folder)).decode().strip()
        )
        try:
            blob = f"{self.commit}:{_NAME}"
            asked = f"{blob}\n".encode()
            kind = await git(
                "cat-file", "--batch-check=%(objecttype)", git_dir=self.folder, stdin=asked
            )
            if kind.strip() != b"blob":
                return b""
            return await git("cat-file", "blob", blob, git_dir=self.folder)
        except WorktreeError as error:
            if "promisor remote" not in str(error):
                raise
            logger.warning("what stands in %s is larger than any state", self.name)
            # a repository that lacks a blob of it could not push what replaces it
            await asyncio.to_thread(shutil.rmtree, self.folder)
            await self.open()
            return b""

    async def write(self, content: bytes, note: bytes = b"") -> None:
        """Replace what we know to stand there. Raises Stale, Refused, and WorktreeError as `read`.

        `note`: what `notes` tells of it to whoever needs no more.
        """
        blob = await git("hash-object", "-w", "--stdin", git_dir=self.folder, stdin=content)
        entry = f"100644 blob {blob.decode().strip()}\t{_NAME}\n".encode()
        tree = await git("mktree", git_dir=self.folder, stdin=entry)
        made = await git(
            "commit-tree",
            tree.decode().strip(),
            git_dir=self.folder,
            environment=_NOW,
            stdin=_SUBJECT + b"\n\n" + note if note else _SUBJECT,
        )
        commit = made.decode().strip()
        if commit == self.commit:
            return
        self.made.add(commit)
        await _patiently(lambda: self._replace(commit))
        self.commit = commit

    async def _replace(self, commit: str) -> None:
        """Push, and again where the ref still stands where we know it to, or at something of our own."""
        for left in reversed(range(_RACES)):
            try:
                return await self._push(commit)
            except Stale:
                expected, self.commit = self.commit, await self._stands()
                if self.commit == commit:
                    return None
                if not left or self.commit not in {expected, *self.made}:
                    raise
                await asyncio.sleep(random.uniform(0.05, 0.3))  # noqa: S311 - no secret
        raise AssertionError("unreachable")

    async def listed(self, *patterns: str) -> str:
        """The refs of the repository that fit any pattern, one a line, each behind its commit. Raises WorktreeError."""
        found = await _patiently(lambda: self._ask("ls-remote", self.login.url, *patterns))
        return found.decode(errors="replace")

    async def notes(self, prefix: str) -> dict[str, bytes]:
        """The notes of all refs below a prefix, by the rest of their names. Their contents stay where they are.

        Raises WorktreeError.
        """
        wanted = f"+{prefix}*:{_NOTED}*"
        await _patiently(
            lambda: self._ask(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--prune",
                "--depth=1",
                "--filter=blob:none",
                self.login.url,
                wanted,
            )
        )
        told = await git(
            "for-each-ref", "--format=%(refname)%00%(contents:body)%00", _NOTED, git_dir=self.folder
        )
        parts = told.split(b"\0")
        return {
            name.decode(errors="replace").strip().removeprefix(_NOTED): body.strip()
            for name, body in zip(parts[::2], parts[1::2], strict=False)
        }

    async def delete(self, name: str, commit: str) -> None:
        """Delete another ref, if it still stands at a commit. Raises WorktreeError."""
        await self._remote(
            "push", "--quiet", f"--force-with-lease={name}:{commit}", self.login.url, f":{name}"
        )

    async def _stands(self) -> str:
        """The commit at which it stands; "" for none. What keeps git from it is deleted, where the token may."""
        above = [str(folder) for folder in PurePosixPath(self.name).parents][:-3]
        asked = (self.name, f"{self.name}/*", *above)
        listed = (await self._ask("ls-remote", self.login.url, *asked)).decode(errors="replace")
        # git lists whatever ends in one of the names
        commits: dict[str, str] = {name: commit for commit, name in _LISTED.findall(listed)}
        for name, commit in commits.items():
            if is_in_the_way(name, self.name):
                logger.warning("deleted, since %s could not be kept: %s", self.name, name)
                with suppress(WorktreeError):
                    await self.delete(name, commit)
        return commits.get(self.name, "")

    async def _push(self, commit: str) -> None:
        lease = f"--force-with-lease={self.name}:{self.commit}"
        try:
            await self._remote(
                "push", "--porcelain", lease, self.login.url, f"{commit}:{self.name}"
            )
        except WorktreeError as error:
            raise meaning(error, self.login.url) from error

    async def _ask(self, *arguments: str) -> bytes:
        """A command that only reads. Raises Unavailable where it may be answered later, WorktreeError for a no."""
        try:
            return await self._remote(*arguments)
        except WorktreeError as error:
            if _NOT_FOR_US.search(str(error)):
                raise
            raise Unavailable(error.what, error.detail, error.out) from error

    async def _remote(self, *arguments: str) -> bytes:
        return await git(
            *arguments, git_dir=self.folder, environment=self.login.environment(), timeout=_SECONDS
        )


async def _patiently(act: Callable[[], Awaitable[_Found]]) -> _Found:
    """Do it, and a few times again within seconds where GitHub does not answer: a job has not more to be ended in."""
    log_retries()
    patience = stamina.AsyncRetryingCaller(
        attempts=4, timeout=6.0, wait_initial=0.3, wait_max=2.0, wait_jitter=0.2
    )
    return await patience(Unavailable, act)


def _reason(said: str) -> str:
    refused = re.search(r"(?:HTTP |returned error: )403\b", said)
    return "GitHub answered 403" if refused else " ".join(said.split())[-300:]
