"""Short names for what the tests of worktrees do."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.ports import CapturedChange, WorkspaceRequest
from claude_pool_gh.rehearsal.github import Repository
from claude_pool_gh.worktrees.leases import Lease, Worktrees
from claude_pool_gh.worktrees.snapshot import Snapshot, capture


@dataclass
class Site:
    worktrees: Worktrees
    widgets: Repository
    token: str
    tmp: Path
    leased: int = 0
    fired: Path = field(init=False)

    def __post_init__(self) -> None:
        self.fired = self.tmp / "fired"
        self.fired.mkdir()

    def spec(self, commit: str | None = None, refs: list[str] | None = None) -> WorkspaceSpec:
        return WorkspaceSpec(
            repository_id=self.widgets.id,
            commit=self.widgets.head() if commit is None else commit,
            refs=("refs/heads/main",) if refs is None else tuple(refs),
        )

    def wanted(
        self,
        run_id: str,
        spec: WorkspaceSpec | None = None,
        start: CapturedChange | None = None,
        *,
        writes: bool = True,
    ) -> WorkspaceRequest:
        return WorkspaceRequest(
            run_id=run_id, slot="slot-0", spec=spec or self.spec(), start=start, writes=writes
        )

    def lease(
        self, start: CapturedChange | None = None, *, writes: bool = True, **spec: Any
    ) -> AbstractAsyncContextManager[Lease]:
        self.leased += 1
        wanted = self.wanted(f"c1.find.{self.leased}.1", self.spec(**spec), start, writes=writes)
        return cast("AbstractAsyncContextManager[Lease]", self.worktrees.lease(wanted))

    async def snapshot(self, lease: Lease) -> Snapshot:
        """What the lease would capture, with the names of the git folders that were found in it."""
        snapshot = await capture(self.mirror, lease.folder, lease.began)
        assert snapshot is not None
        return snapshot

    @property
    def mirror(self) -> Path:
        return self.worktrees.mirror(self.widgets.id).path

    def at(self, commit: str) -> dict[str, tuple[str, bytes]]:
        """Mode and bytes of every file of a commit in the mirror, by names in their own bytes."""
        out = subprocess.run(
            ["git", f"--git-dir={self.mirror}", "ls-tree", "-rz", commit],
            check=True,
            capture_output=True,
        ).stdout
        found = {}
        for line in filter(None, out.split(b"\0")):
            meta, _, name = line.partition(b"\t")
            mode, _, sha = meta.decode().split()
            found[os.fsdecode(name)] = (mode, self.blob(sha) if mode != "160000" else b"")
        return found

    def blob(self, sha: str) -> bytes:
        command = ["git", f"--git-dir={self.mirror}", "cat-file", "blob", sha]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def leftovers(self) -> list[str]:
        """What lies under the state folder besides the mirror and its lock."""
        state = self.worktrees.state
        places = [*(state / "leases").glob("*/*"), *(state / "mirrors").glob("capture-*")]
        return [
            str(path.relative_to(state)) for path in [*places, *(state / "checkouts").glob("*/.*")]
        ]

    async def until_nothing_is_left(self) -> None:
        """What is thrown away goes in the background."""
        async with asyncio.timeout(60):
            while self.leftovers():
                await asyncio.sleep(0.02)


def naive_git(*arguments: str, at: Path, environment: Mapping[str, str] | None = None) -> int:
    """Git as a host would run it who does not know better."""
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environment or {})}
    return subprocess.run(
        ["git", *arguments], cwd=at, env=plain, check=False, capture_output=True, timeout=60
    ).returncode
