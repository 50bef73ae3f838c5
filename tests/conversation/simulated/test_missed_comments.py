"""What was said while nobody listened is found by reading comments, once, and costs no other where it is odd."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from claude_pool_gh.github import cursors, inbox
from claude_pool_gh.rehearsal.github import Fault, Respond
from tests.conversation.simulated.listener import MINUTE, Listener

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_half_a_character_in_a_comment_is_stored_as_a_sign_and_holds_up_no_other(
    here: Listener,
) -> None:
    """JSON can hold one, and no database takes it."""
    await here.said("/pool ask why \ud800?")
    here.desk.shop.review(here.desk.pull, here.desk.mona, body="/pool ask \ud800")
    await here.said("/pool help")
    assert await here.catch_up.comments() == 3
    assert set(await here.lines()) == {"/pool ask why ??", "/pool ask ?", "/pool help"}


async def test_a_comment_in_another_form_costs_no_other(here: Listener) -> None:
    comment = await here.github.comment(
        here.desk.mona, here.desk.shop, here.desk.pull.number, "/pool status"
    )
    await here.said("/pool help")
    comment.id = -comment.id
    assert await here.catch_up.comments() == 1
    comment.id = -comment.id
    assert await here.lines() == ["/pool help"]


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
