"""Deletes the states of what has long been closed: threads, and audits that nobody configures any more.

A few are looked at by each job.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from claude_pool_gh.action.state import image
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
_THREAD: Final = re.compile(rf"\t{re.escape(THREADS)}([1-9][0-9]{{0,9}})$", re.MULTILINE)
_AUDIT: Final = re.compile(rf"\t{re.escape(AUDITS)}([a-z][a-z0-9-]{{0,39}})$", re.MULTILINE)


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
            for number in map(int, _some(_THREAD.findall(listed))):
                if number != self.thread and await self._is_over(number):
                    await self._delete(f"{THREADS}{number}")
            unknown = {*_AUDIT.findall(listed)}.difference(self.audits or ())
            if unknown and self.audits is not None:
                await self._audits(unknown)
        except (WorktreeError, ForgeError) as error:
            logger.warning("old states are not looked at: %s", error)

    async def _audits(self, unknown: Collection[str]) -> None:
        """Of audits that cannot be asked for; each is over with its report issue."""
        await self.every.open()
        found = [each for each in await headers(self.every, self.key) if each.audit in unknown]
        for each in _some(found):
            if await self._is_over(each.report or each.thread):
                await self._delete(f"{AUDITS}{each.audit}")

    async def _delete(self, name: str) -> None:
        """Delete a state as it is now read, unless its job lives, whichever key that one has."""
        state = replace(self.ref, name=name, commit="", made=set())
        content = await state.read()
        if content is not None and (image.claimed_until(content) or 0) < time.time() * 1000:
            await state.delete(name, state.commit)

    async def _is_over(self, number: int) -> bool:
        try:
            issue = await self.forge.read(self.repository, f"/issues/{number}")
            closed = datetime.fromisoformat(issue.get("closed_at") or "")
            return closed < datetime.now(UTC) - KEPT_FOR
        except (NotFound, ValueError, TypeError):
            return False  # a token that may not read issues is told the same as one who asks for what is gone


def _some(every: Sequence[_Found]) -> list[_Found]:
    return random.sample(every, min(_LOOKED_AT, len(every)))
