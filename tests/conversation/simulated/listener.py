"""Who was away while things happened on the simulated GitHub, and finds them later."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from claude_pool_gh.conversation.intake.catching_up import CatchUp
from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.repository_events import RepositoryEvent
from claude_pool_gh.github.tables import commands
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.storage import Database
from tests.conversation.simulated.kit import Clock, Desk

MINUTE, HOUR = 60, 3_600


@dataclass
class Listener:
    """Who was away, in rows of its own."""

    desk: Desk
    database: Database
    clock: Clock
    told: list[RepositoryEvent] = field(default_factory=list)

    @property
    def github(self) -> SimulatedGitHub:
        return self.desk.github

    @property
    def catch_up(self) -> CatchUp:
        access = self.desk.services.forge.access
        assert isinstance(access, AppAccess)
        self.clock.now = int(self.github.clock.now() * 1000)
        return CatchUp(
            database=self.database,
            forge=self.desk.services.forge,
            access=access,
            clock=self.clock,
            told=lambda _tx, event: self.told.append(event),
        )

    async def heard(self) -> list[CommandRequest]:
        """The commands that are known now, in the order in which they came to be."""
        query = sa.select(commands.c.request).order_by(sa.text("rowid"))
        rows = await self.database.read(lambda tx: tx.execute(query).scalars().all())
        return [CommandRequest.model_validate(row) for row in rows]

    async def lines(self) -> list[str]:
        return [each.line for each in await self.heard()]

    def log(self, last: int, *codes: int, minutes_ago: float = 10) -> None:
        """What GitHub's log says of the last deliveries: how each ended, and when."""
        for one, code in zip(self.github.deliveries[-last:], codes or [500] * last, strict=True):
            one.state = "delivered" if 200 <= code < 300 else "failed"
            one.status_code = code
            one.delivered_at = self.github.clock.now() - minutes_ago * MINUTE

    def details(self) -> int:
        """How often a delivery was asked for whole."""
        route = "/app/hook/deliveries/{delivery_id}"
        return sum(one.route == route for one in self.github.requests)

    def pass_by(self, seconds: float) -> None:
        """Let time pass: all that was said, done and delivered until now was that much earlier."""
        for one in self.github.deliveries:
            one.delivered_at -= seconds
        pull, issue = self.desk.pull, self.desk.issue
        said = [*pull.comments, *issue.comments, *pull.review_comments]
        for each in said:
            each.created_at -= seconds
            each.updated_at -= seconds
        for review in pull.reviews:
            review.submitted_at = (review.submitted_at or 0) - seconds
        for thread in (pull, issue):
            thread.updated_at -= seconds

    async def said(self, line: str) -> None:
        await self.github.comment(self.desk.mona, self.desk.shop, self.desk.pull.number, line)
