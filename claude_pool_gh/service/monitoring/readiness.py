"""The decision whether a server can do its work: store what comes in, and answer it.

Looked at when somebody asks, at most every few seconds; the log has one line when it is no longer ready, and one when
it is again.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from claude_pool_gh.service.monitoring.clock_skew import SKEW_SECONDS
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.storage import Database
from claude_pool_gh.storage.errors import DatabaseError
from claude_pool_gh.storage.probe import writes

logger = logging.getLogger(__name__)

WRITE_SECONDS: Final = 5.0
"""For one small write to be durable: GitHub waits twice as long for its answer."""
LEAST_BYTES: Final = 64 * 2**20
"""Free space below which a database, a mirror or a checkout may fail at any moment."""
SILENT_SECONDS: Final = 60.0
"""GitHub may be away for so long: what waits for it is written afterwards."""
STUCK_SECONDS: Final = 120.0
"""A loop that looks every few seconds has stopped when it has not looked for so long."""
_KEPT_SECONDS: Final = 2.0
_LOOK_EVERY: Final = 15.0

Beats = Callable[[], Mapping[str, float]]
"""When each loop of a process last went round, by its name, in seconds of the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Signs:
    """The signs by which readiness is decided."""

    storing: str
    """Why nothing can be stored; empty where it can."""
    free_bytes: int
    github_away: bool
    """Whether GitHub has answered nothing for `SILENT_SECONDS`."""
    key_refused: bool
    """Whether GitHub refuses the App's key."""
    silent: Mapping[str, float]
    """Seconds since each loop went round."""
    clock_skew: float = 0.0
    """Seconds by which the clock differs from GitHub's."""


def faults(signs: Signs) -> tuple[str, ...]:
    """The reasons why a server is not ready, and what to do, a line for each; nothing where it is."""
    found = []
    if signs.storing:
        found.append(f"nothing can be stored: {signs.storing}; check the database and its disk")
    if signs.free_bytes < LEAST_BYTES:
        left = f"{signs.free_bytes >> 20} MB left on the state folder's disk"
        found.append(f"{left}; free some space")
    if signs.key_refused and signs.clock_skew > SKEW_SECONDS:
        found.append(
            f"this machine's clock is {signs.clock_skew:.0f} seconds away from GitHub's, which therefore refuses "
            "the App's logins; set it, and let it be kept by NTP"
        )
    elif signs.key_refused:
        found.append(
            "GitHub refuses the App's id and private key; `claude-pool-gh doctor` says why"
        )
    elif signs.github_away:
        found.append("GitHub does not answer; check the way to GITHUB_API_URL")
    found += [
        f"{name} has stopped for {seconds:.0f} seconds; read the log, and start the server again"
        for name, seconds in signs.silent.items()
        if seconds > STUCK_SECONDS
    ]
    return tuple(found)


@dataclass(slots=True)
class Readiness:
    """Looks at one process's signs."""

    database: Database
    folder: Path
    github: GitHubWatch
    beats: Beats
    clock: Callable[[], float] = time.monotonic
    _looked: float = -_KEPT_SECONDS
    _found: tuple[str, ...] = ()
    _since: float | None = None
    """Since when it is not ready."""
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def faults(self) -> tuple[str, ...]:
        """See the function of this name. Asked by many at once, it looks once."""
        async with self._alone:
            if self.clock() - self._looked >= _KEPT_SECONDS:
                self._found = faults(await self._signs())
                self._looked = self.clock()
                self._log()
            return self._found

    async def look_for_ever(self) -> None:
        """Look again and again, for the log's sake."""
        while True:
            await self.faults()
            await asyncio.sleep(_LOOK_EVERY)

    async def _signs(self) -> Signs:
        storing = await self._storing()
        now = self.clock()
        return Signs(
            storing=storing,
            free_bytes=await asyncio.to_thread(_free, self.folder),
            github_away=self.github.is_away(SILENT_SECONDS),
            key_refused=self.github.is_key_refused(),
            silent={name: now - at for name, at in self.beats().items()},
            clock_skew=self.github.clock_skew() or 0.0,
        )

    async def _storing(self) -> str:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self.database.transact(writes)
        except TimeoutError:
            return f"a write took more than {WRITE_SECONDS:g} seconds"
        except DatabaseError as error:  # the driver's own words may hold the database's address
            return type(error).__name__
        return ""

    def _log(self) -> None:
        if self._found and self._since is None:
            self._since = self.clock()
            told = {"action": "not_ready", "do": "; ".join(self._found)}
            logger.error("not ready", extra=told)
        elif not self._found and self._since is not None:
            seconds = round(self.clock() - self._since)
            self._since = None
            logger.info("ready again", extra={"action": "ready_again", "after_seconds": seconds})


def _free(folder: Path) -> int:
    """Free bytes on the disk of a folder; none where it cannot be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
