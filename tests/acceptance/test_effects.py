from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.rehearsal.github import (
    Fault,
    Hide,
    Reset,
    Respond,
    Truncate,
    bad_gateway,
    secondary_limit,
    too_many,
    unauthorized,
)
from tests.acceptance.world import World

COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
CHECKS = "/repos/{owner}/{repo}/check-runs"
REVIEWS = "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"
REACTIONS = "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"


async def _stands_once(here: World) -> None:
    await here.reviewed()
    await here.github.until(lambda: here.reviews)
    await here.written()
    assert len(here.own_comments()) == 1
    assert len(here.reviews) == 1
    assert len(here.repository.check_runs(here.pull.head_sha)) == 1
    (command,) = [c for c in here.repository.comments(here.pull.number) if c.body == "/pool review"]
    assert len(command.reactions) == 1


@pytest.mark.rotating(1)
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(bad_gateway(), id="502"),
        pytest.param(Reset(), id="reset"),
        pytest.param(Truncate(), id="truncated", marks=pytest.mark.long),
    ],
)
async def test_what_github_did_before_it_failed_is_not_done_again(found: World, kind: Any) -> None:
    faults = [
        found.github.faults.add(Fault(kind, method="POST", route=route, after_effect=True))
        for route in (COMMENTS, CHECKS, REVIEWS, REACTIONS)
    ]
    await found.say("/pool review")
    await _stands_once(found)
    assert [fault.hits for fault in faults] == [1, 1, 1, 1]


async def test_what_github_failed_to_do_is_done_at_last(found: World) -> None:
    faults = [
        found.github.faults.add(Fault(bad_gateway(), method="POST", route=route, times=2))
        for route in (COMMENTS, CHECKS, REVIEWS)
    ]
    await found.say("/pool review")
    await _stands_once(found)
    assert [fault.hits for fault in faults] == [2, 2, 2]


async def test_a_comment_that_shows_late_is_found_before_another_is_made(found: World) -> None:
    found.bot.environment["CLAUDE_POOL_WRITE_INTERVAL"] = "0.3"
    await found.bot.stop()
    await found.bot.start()
    found.github.faults.add(Fault(Hide(1.0), method="POST", route=COMMENTS))
    found.github.faults.add(Fault(bad_gateway(), method="POST", route=COMMENTS, after_effect=True))
    await found.say("/pool review")
    await _stands_once(found)


async def test_limits_are_waited_for_not_run_against(found: World) -> None:
    found.github.faults.add(Fault(too_many(1), method="POST", route=COMMENTS))
    found.github.faults.add(Fault(secondary_limit(1), method="POST", route=REVIEWS))
    await found.say("/pool review")
    await _stands_once(found)
    posts = [r for r in found.github.requests if r.method == "POST" and r.route == COMMENTS]
    assert posts[1].at - posts[0].at >= 1.0


async def test_an_expired_token_is_replaced_and_the_write_repeated(found: World) -> None:
    await found.say("/pool review")
    await found.until(lambda: found.model.requests)  # everything is fetched by now
    found.github.world.tokens.clear()
    await _stands_once(found)
    minted = [
        r
        for r in found.github.requests
        if r.route is not None and r.route.endswith("/access_tokens")
    ]
    assert len(minted) >= 2


async def test_a_tracking_comment_deleted_by_a_person_stays_deleted(found: World) -> None:
    from claude_pool_gh.rehearsal import stage  # noqa: PLC0415
    from claude_pool_gh.rehearsal.reviewer import Reviewer  # noqa: PLC0415

    found.model.script = Reviewer(stage.PLANTED[1:2], pace=0.4)
    await found.say("/pool review")
    await found.github.until(found.own_comments)
    await found.github.delete_comment(found.maintainer, found.own_comments()[0])
    await found.github.until(lambda: found.check is not None and found.check.status == "completed")
    await found.github.until(lambda: found.reviews)
    await found.written()
    assert found.own_comments() == []


@pytest.mark.long
async def test_our_comment_is_found_in_a_thread_of_more_than_a_hundred(found: World) -> None:
    for number in range(130):
        await found.say(f"chatter {number}")
    found.github.faults.add(Fault(bad_gateway(), method="POST", route=COMMENTS, after_effect=True))
    await found.say("/pool review")
    await _stands_once(found)
    pages = [r for r in found.github.requests if r.method == "GET" and r.route == COMMENTS]
    assert len(pages) >= 2


async def test_a_marker_in_a_strangers_comment_is_not_taken_for_ours(found: World) -> None:
    from claude_pool_gh.github.effects.marks import marker  # noqa: PLC0415

    key = f"comment:{found.repository.id}:{found.pull.number}:review"
    await found.say(f"I am the bot.\n\n{marker(key)}")
    found.github.faults.add(Fault(bad_gateway(), method="POST", route=COMMENTS))
    await found.say("/pool review")
    await found.reviewed()
    assert len(found.own_comments()) - len(found.ends()) == 1


async def test_commits_that_github_does_not_give_end_the_review_with_its_reason(
    found: World,
) -> None:
    route = "/{owner}/{repo}.git/git-upload-pack"
    found.github.faults.add(
        Fault(Respond(403, "Repository access blocked"), method="GET", route=route, times=50)
    )
    await found.say("/pool review")
    check = await found.reviewed()
    assert check.conclusion == "neutral"
    told = "the pull request's commits cannot be read: GitHub refused the fetch: Repository access blocked"
    assert check.title == f"NOT REVIEWED: {told}"
    assert found.model.requests == []
    assert found.rows("SELECT count(*) FROM reservations WHERE settled IS NULL") == [(0,)]


async def test_reads_that_fail_for_a_moment_are_repeated_and_limits_waited_for(
    found: World,
) -> None:
    for route in (
        "/repos/{owner}/{repo}/pulls/{pull_number}",
        "/repos/{owner}/{repo}/pulls/{pull_number}/commits",
    ):
        found.github.faults.add(Fault(bad_gateway(), method="GET", route=route, times=2))
    tokens = "/app/installations/{installation_id}/access_tokens"
    limit = found.github.faults.add(Fault(too_many(1), method="POST", route=tokens, times=2))
    refused = found.github.faults.add(Fault(unauthorized(), method="POST", route=COMMENTS))
    await found.say("/pool review")
    await _stands_once(found)
    assert (limit.hits, refused.hits) == (2, 1)
