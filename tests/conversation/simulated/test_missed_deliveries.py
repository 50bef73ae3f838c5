"""What GitHub could not deliver is found by its log, in order and once, and nothing old is answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.conversation.intake import catching_up
from claude_pool_gh.github import cursors
from claude_pool_gh.github.repository_events import ThreadClosed, ThreadReopened
from claude_pool_gh.github.tables import deliveries
from claude_pool_gh.storage import Transaction
from tests.conversation.simulated.listener import HOUR, Listener

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


@pytest.mark.parametrize("payload", [None, "", "{", "[1]", "null", {}])
async def test_a_delivery_without_a_body_holds_up_no_other(here: Listener, payload: Any) -> None:
    await here.said("/pool status")
    await here.said("/pool help")
    here.log(2)
    here.github.deliveries[-2].payload = payload
    assert await here.catch_up.deliveries() == 1
    assert await here.lines() == ["/pool help"]
    assert await here.database.read(lambda tx: cursors.position(tx, "deliveries")) is not None


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
