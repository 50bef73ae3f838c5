"""Finds every point at which the server can die, and lets it die at one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Moment
from claude_pool_gh.rehearsal.model import ModelRequest, Reply
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.world import World, world

_REVIEWER = Reviewer(stage.PLANTED[1:2], quick=True)
_PACED = {"CLAUDE_POOL_WRITE_INTERVAL": "0.15"}


@dataclass(slots=True)
class Reaper:
    """Watches requests that leave the server, and kills it at the one it is told."""

    here: World
    at: str | None
    seen: list[str]
    counts: Counter[str]

    async def github(self, moment: Moment) -> None:
        """Called by the simulation before and after each request's effect."""
        if moment.method == "GET" or str(moment.route).startswith("/{owner}"):
            return
        label = f"{moment.method} {moment.route}"
        if moment.phase == "before":
            self.counts[label] += 1
            return  # nothing has happened yet: the same as dying at the commit before
        await self._pass(f"github {label}#{self.counts[label]}")

    async def model(self, request: ModelRequest) -> Reply:
        """Called by the scripted model for each request."""
        self.counts["model"] += 1
        await self._pass(f"model#{self.counts['model']}")
        return _REVIEWER(request)

    async def _pass(self, point: str) -> None:
        self.seen.append(point)
        if point == self.at:
            await self.here.bot.kill()


@asynccontextmanager
async def mortal_world(
    folder: Path, at: str | None, database_url: str | None
) -> AsyncIterator[tuple[World, Reaper]]:
    """A stage whose server dies at `at`; its first start may fail for that reason."""
    more = _PACED | ({"CLAUDE_POOL_DATABASE_URL": database_url} if database_url else {})
    async with world(folder, more=more, start=False) as here:
        reaper = Reaper(here, at, [], Counter())
        here.model.script = reaper.model
        here.github.on_request(reaper.github)
        here.bot.environment |= {
            "MORTAL_LOG": str(folder / "points.log"),
            "MORTAL_AT": at or "nowhere",
        }
        yield here, reaper


async def find_points(folder: Path, database_url: str | None) -> list[str]:
    """Run the story once, unharmed, and list every point it passes, each once."""
    async with mortal_world(folder, None, database_url) as (here, reaper):
        await here.bot.start()
        here.app.webhook_url = f"{here.bot.url}/webhook"
        await here.say("/pool review")
        await here.reviewed()
        await here.github.until(lambda: here.reviews)
        await here.written()
        commits = (folder / "points.log").read_text().split("\n")
        own = [point for point in commits if point.endswith("/before")]
        return sorted({*own, *reaper.seen})
