"""Deletes the states of what has long been closed: threads, and audits that nobody configures any more.

A few are looked at by each job.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from claude_pool_gh.action.state.audits import AUDITS, headers
from claude_pool_gh.action.state.ref import Ref
from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import ForgeError, NotFound
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

THREADS: Final = "refs/claude-pool/threads/"
KEPT_FOR: Final = timedelta(days=30)
_LOOKED_AT: Final = 3
_Found = TypeVar("_Found")
_COMMIT: Final = r"^([0-9a-f]{40,64})\t"
_THREAD: Final = re.compile(_COMMIT + re.escape(THREADS) + r"([1-9][0-9]{0,9})$", re.MULTILINE)
_AUDIT: Final = re.compile(_COMMIT + re.escape(AUDITS) + r"([a-z][a-z0-9-]{0,39})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """A job's look at the states of its repository."""

    ref: Ref
    """Its own."""
    every: Ref
    """One that stands for all audits, in a folder of its own."""
    key: StateKey
    forge: Forge
    repository: Repository
    thread: int
    """Where it works: what stands there is not looked at."""
    audits: Collection[str] | None
    """The audits that can be asked for; None where that is not known, so that none is deleted."""

    async def run(self) -> None:
        """Look at a few kept states, and delete what nobody will ask for again. Raises nothing."""
        try:
            listed = await self.ref.listed(f"{THREADS}*", f"{AUDITS}*")
            for commit, number in _some(_THREAD.findall(listed)):
                if int(number) != self.thread and await self._is_over(int(number)):
                    await self.ref.delete(f"{THREADS}{number}", commit)
            unknown = {name: commit for commit, name in _AUDIT.findall(listed)}
            for name in self.audits or ():
                unknown.pop(name, None)
            if unknown and self.audits is not None:
                await self._audits(unknown)
        except (WorktreeError, ForgeError) as error:
            logger.warning("old states are not looked at: %s", error)

    async def _audits(self, unknown: Mapping[str, str]) -> None:
        """Of audits that cannot be asked for, by the commits of their states; each is over with its report issue."""
        await self.every.open()
        found = [each for each in await headers(self.every, self.key) if each.audit in unknown]
        for each in _some(found):
            lives = each.until_ms > time.time() * 1000
            if not lives and await self._is_over(each.report or each.thread):
                await self.ref.delete(f"{AUDITS}{each.audit}", unknown[each.audit])

    async def _is_over(self, number: int) -> bool:
        try:
            issue = await self.forge.read(self.repository, f"/issues/{number}")
            closed = datetime.fromisoformat(issue.get("closed_at") or "")
            return closed < datetime.now(UTC) - KEPT_FOR
        except (NotFound, ValueError, TypeError):
            return False  # a token that may not read issues is told the same as one who asks for what is gone


def _some(every: Sequence[_Found]) -> list[_Found]:
    return random.sample(every, min(_LOOKED_AT, len(every)))
