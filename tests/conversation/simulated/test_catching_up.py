"""What GitHub could not deliver is found by its log and by reading comments, once, and nothing old is answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from claude_pool_gh.conversation.intake import catching_up
from claude_pool_gh.conversation.intake.catching_up import CatchUp
from claude_pool_gh.github import cursors, inbox
from claude_pool_gh.github.access import AppAccess
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.repository_events import RepositoryEvent, ThreadClosed, ThreadReopened
from claude_pool_gh.github.tables import commands, deliveries
from claude_pool_gh.rehearsal.github import Fault, Respond, SimulatedGitHub
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.conversation.simulated.kit import Clock, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")
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


@pytest.fixture
def here(desk: Desk) -> Iterator[Listener]:
    """Nothing that an earlier test has said is of the last hour."""
    database = Database.temporary()
    migrations.upgrade(database.engine)
    listener = Listener(desk, database, Clock())
    listener.pass_by(3 * HOUR)
    yield listener
    desk.github.faults.clear()
    database.close()


# ---- by the log of deliveries


async def test_what_failed_is_taken_in_and_what_came_through_is_not(here: Listener) -> None:
    await here.said("/pool status")
    await here.said("/pool cost")
    await here.said("/pool help")
    here.log(3, 500, 202, 0)
    assert await here.catch_up.deliveries() == 2
    assert await here.lines() == ["/pool status", "/pool help"]
    (first, _) = await here.heard()
    assert first.delivery == here.github.deliveries[-3].guid
    assert first.thread == here.desk.thread()


async def test_what_was_sent_again_and_came_through_is_not_asked_for(here: Listener) -> None:
    await here.said("/pool status")
    here.log(1)
    await here.github.redeliver(here.github.deliveries[-1])
    here.log(2, 500, 200)
    before = here.details()
    assert await here.catch_up.deliveries() == 0
    assert here.details() == before


async def test_what_was_heard_although_the_answer_came_too_late_is_not_asked_for(
    here: Listener,
) -> None:
    await here.said("/pool status")
    here.log(1, 504)
    guid = here.github.deliveries[-1].guid

    def taken(tx: Transaction) -> None:
        values = {"guid": guid, "event": "issue_comment", "received_ms": 1}
        names = {column.name for column in deliveries.c}
        tx.execute(deliveries.insert().values({k: v for k, v in values.items() if k in names}))

    await here.database.transact(taken)
    before = here.details()
    assert await here.catch_up.deliveries() == 0
    assert (here.details(), await here.lines()) == (before, [])


async def test_events_of_which_nobody_here_hears_cost_no_request(here: Listener) -> None:
    await here.said("/pool status")
    here.log(1)
    here.github.deliveries[-1].event = "star"
    before = here.details()
    assert await here.catch_up.deliveries() == 0
    assert here.details() == before


async def test_what_happened_is_told_in_the_order_in_which_it_happened(here: Listener) -> None:
    issue = here.desk.problem()
    here.desk.shop.close(issue, here.desk.mona)
    here.desk.shop.reopen(issue, here.desk.mona)
    await here.github.settle()
    ours = [one for one in here.github.deliveries[-3:] if one.action in ("closed", "reopened")]
    here.log(3)
    assert len(ours) == 2
    await here.catch_up.deliveries()
    told = [each for each in here.told if isinstance(each, ThreadClosed | ThreadReopened)]
    assert [type(each) for each in told] == [ThreadClosed, ThreadReopened]


async def test_a_second_look_reads_only_what_is_new(here: Listener) -> None:
    await here.said("/pool status")
    here.log(1)
    assert await here.catch_up.deliveries() == 1
    before = here.details()
    assert await here.catch_up.deliveries() == 0
    assert here.details() == before
    await here.said("/pool help")
    here.log(1)
    assert await here.catch_up.deliveries() == 1
    assert await here.lines() == ["/pool status", "/pool help"]


@pytest.mark.parametrize(("minutes", "found"), [(59, 1), (61, 0)])
async def test_a_first_start_answers_nothing_of_more_than_an_hour_ago(
    here: Listener, minutes: int, found: int
) -> None:
    await here.said("/pool status")
    here.log(1, 500, minutes_ago=minutes)
    assert await here.catch_up.deliveries() == found


async def test_nor_does_a_second_look_where_the_first_has_found_nothing_new(
    here: Listener,
) -> None:
    """Where nothing was delivered for an hour, what is older has to be known as read all the same."""
    await here.said("/pool status")
    here.log(1, 500, minutes_ago=3 * 60)
    assert await here.catch_up.deliveries() == 0
    assert await here.catch_up.deliveries() == 0
    assert await here.lines() == []


async def test_who_was_there_before_is_told_of_all_that_was_missed_however_long_ago(
    here: Listener,
) -> None:
    await here.said("/pool cost")
    here.log(1, 200, minutes_ago=5)
    assert await here.catch_up.deliveries() == 0
    here.pass_by(5 * HOUR)
    await here.said("/pool status")
    here.log(1, 500, minutes_ago=4 * 60)
    assert await here.catch_up.deliveries() == 1


async def test_a_delivery_that_timed_out_is_listed_after_later_ones_and_not_lost(
    here: Listener,
) -> None:
    """It is listed when it has ended; those with higher numbers that came through at once are there before."""
    await here.said("/pool status")
    await here.said("/pool help")
    slow = here.github.deliveries[-2]
    here.log(2, 500, 202, minutes_ago=1)
    slow.state = "pending"
    assert await here.catch_up.deliveries() == 0
    slow.state = "failed"
    assert await here.catch_up.deliveries() == 1
    assert await here.lines() == ["/pool status"]


@pytest.mark.parametrize(("minutes", "again"), [(1.5, True), (2.5, False)])
async def test_what_ended_minutes_ago_is_not_read_again(
    here: Listener, minutes: float, *, again: bool
) -> None:
    await here.said("/pool status")
    here.log(1, 202, minutes_ago=minutes)
    await here.catch_up.deliveries()
    newest = await here.database.read(lambda tx: cursors.position(tx, "deliveries"))
    assert (newest == str(here.github.deliveries[-1].id)) is not again


async def test_more_than_one_page_is_read_to_the_last_known(here: Listener) -> None:
    await here.said("/pool status")
    here.log(1)
    first = here.github.deliveries[-1]
    for _ in range(150):
        noise = replace(first, id=here.github.world.site.ids.next(), guid="noise", event="star")
        here.github.deliveries.append(noise)
    assert await here.catch_up.deliveries() == 1
    assert await here.lines() == ["/pool status"]


@pytest.mark.parametrize(("pages", "said"), [(1, True), (2, False)])
async def test_that_there_were_more_than_are_looked_at_is_told_to_the_operator(
    here: Listener,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    pages: int,
    *,
    said: bool,
) -> None:
    monkeypatch.setattr(catching_up, "_PAGES", pages)
    await here.said("/pool status")
    here.log(1)
    first = here.github.deliveries[-1]
    for _ in range(150):
        noise = replace(first, id=here.github.world.site.ids.next(), guid="noise", event="star")
        here.github.deliveries.append(noise)
    await here.catch_up.deliveries()
    actions = [getattr(each, "action", "") for each in caplog.records if each.levelname == "ERROR"]
    assert actions == ["deliveries_not_read"] * said


# ---- by reading comments


async def test_commands_are_found_wherever_they_were_written(here: Listener) -> None:
    mona, shop, pull = here.desk.mona, here.desk.shop, here.desk.pull
    await here.said("/pool status")
    await here.github.comment(mona, shop, here.desk.issue.number, "/pool help")
    inline = here.desk.commented(pull, "/pool cost", mona)
    await here.github.reply(mona, inline, "/pool config")
    shop.review(pull, mona, body="/pool ask why")
    assert await here.catch_up.comments() == 5
    found = {each.line: each for each in await here.heard()}
    sources = {line: each.source.model_dump(exclude={"id"}) for line, each in found.items()}
    root = {"kind": "review_comment", "root": inline.id}
    assert sources == {
        "/pool status": {"kind": "issue_comment", "root": None},
        "/pool help": {"kind": "issue_comment", "root": None},
        "/pool cost": root,
        "/pool config": root,
        "/pool ask why": {"kind": "review"},
    }
    assert {each.actor.login for each in found.values()} == {"mona"}
    assert found["/pool help"].thread == here.desk.thread(here.desk.issue)
    assert found["/pool cost"].thread == here.desk.thread()
    known = await here.database.read(lambda tx: inbox.known_repository(tx, shop.id))
    assert known == here.desk.repository


async def test_it_is_the_same_command_whichever_way_it_was_found(here: Listener) -> None:
    await here.said("/pool status")
    here.log(1)
    assert await here.catch_up.everything() == 1
    assert await here.catch_up.everything() == 0
    assert await here.lines() == ["/pool status"]


async def test_a_comment_that_was_edited_since_is_no_command(here: Listener) -> None:
    comment = await here.github.comment(
        here.desk.mona, here.desk.shop, here.desk.pull.number, "/pool status"
    )
    here.pass_by(MINUTE)
    await here.github.edit_comment(here.desk.mona, comment, "/pool review")
    assert await here.catch_up.comments() == 0


@pytest.mark.parametrize(("minutes", "found"), [(58, 1), (62, 0)])
async def test_a_first_start_reads_no_comment_of_more_than_an_hour_ago(
    here: Listener, minutes: int, found: int
) -> None:
    await here.said("/pool status")
    here.desk.shop.review(here.desk.pull, here.desk.mona, body="/pool help")
    here.pass_by(minutes * MINUTE)
    assert await here.catch_up.comments() == 2 * found


@pytest.mark.parametrize(("minutes", "found"), [(1, 1), (4, 0)])
async def test_each_reading_begins_a_little_before_the_last_one(
    here: Listener, minutes: int, found: int
) -> None:
    """GitHub shows some things late."""
    await here.said("/pool status")
    here.desk.shop.review(here.desk.pull, here.desk.mona, body="/pool help")
    here.pass_by(10 * MINUTE)
    last = here.github.clock.now() + (minutes - 10) * MINUTE
    name = f"comments:{here.desk.shop.id}"
    moment = datetime.fromtimestamp(last, UTC).isoformat()
    await here.database.transact(lambda tx: cursors.advance(tx, name, moment))
    assert await here.catch_up.comments() == 2 * found


async def test_what_cannot_be_read_now_is_read_next_time_and_costs_nothing_else(
    here: Listener,
) -> None:
    await here.said("/pool status")
    here.log(1)
    log = here.github.faults.add(Fault(Respond(404), method="GET", route="/app/hook/deliveries"))
    listing = "/repos/{owner}/{repo}/pulls/comments"
    here.github.faults.add(Fault(Respond(404), method="GET", route=listing))
    assert await here.catch_up.everything() == 0
    assert log.hits == 1
    name = f"comments:{here.desk.shop.id}"
    assert await here.database.read(lambda tx: cursors.position(tx, name)) is None
    assert await here.catch_up.everything() == 1


async def test_a_repository_that_cannot_be_read_costs_no_other(here: Listener) -> None:
    github, mona = here.github, here.desk.mona
    other = github.create_repository("octo/other", files={"a": "b\n"})
    github.add_repositories(here.desk.installation, other)
    issue = other.open_issue("Slow", author=mona)
    await github.comment(mona, other, issue.number, "/pool help")
    await here.said("/pool status")
    fault = Fault(
        Respond(404), when=lambda m: m.path.endswith("/shop/issues/comments"), method="GET"
    )
    github.faults.add(fault)
    assert await here.catch_up.comments() == 1
    assert (fault.hits, await here.lines()) == (1, ["/pool help"])
    github.remove_repositories(here.desk.installation, other)


async def test_an_installation_that_is_suspended_is_not_asked_for(here: Listener) -> None:
    await here.said("/pool status")
    await here.github.suspend(here.desk.installation)
    before = len(here.github.requests)
    assert await here.catch_up.comments() == 0
    assert len(here.github.requests) == before + 1
    await here.github.suspend(here.desk.installation, on=False)
    assert await here.catch_up.comments() == 1
