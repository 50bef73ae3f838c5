"""What goes wrong on purpose, and limits."""

from __future__ import annotations

import asyncio

import aiohttp
import gidgethub
import pytest

from claude_pool_gh.rehearsal.github import (
    Fault,
    Hide,
    Moment,
    Repository,
    Reset,
    SimulatedGitHub,
    Stall,
    Truncate,
    bad_gateway,
    secondary_limit,
    too_many,
)
from tests.rehearsal.world import Bot

COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
PATH = "/repos/octo/widgets/issues/1/comments"
BODY = {"body": "hello"}


@pytest.fixture(autouse=True)
def issue(widgets: Repository) -> None:
    widgets.open_issue("An issue")


@pytest.mark.parametrize("after", [False, True])
async def test_a_failure_comes_before_or_after_the_effect(
    github: SimulatedGitHub, widgets: Repository, bot: Bot, *, after: bool
) -> None:
    fault = github.faults.add(
        Fault(bad_gateway(), method="POST", route=COMMENTS, after_effect=after)
    )
    with pytest.raises(gidgethub.GitHubBroken):
        await bot.api.post(PATH, data=BODY)
    assert (fault.hits, len(widgets.comments(1))) == (1, int(after))
    await bot.api.post(PATH, data=BODY)


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_is_reset(
    github: SimulatedGitHub, widgets: Repository, bot: Bot, *, after: bool
) -> None:
    github.faults.add(Fault(Reset(), method="POST", after_effect=after))
    with pytest.raises(aiohttp.ClientError):
        await bot.api.post(PATH, data=BODY)
    assert len(widgets.comments(1)) == int(after)


async def test_limits_tell_when_to_come_back(github: SimulatedGitHub, bot: Bot) -> None:
    github.faults.add(Fault(too_many(7), method="POST"))
    status, headers, _ = await bot.raw("POST", PATH, json=BODY)
    assert (status, headers["Retry-After"]) == (429, "7")
    github.faults.add(Fault(secondary_limit(), method="POST"))
    status, _, body = await bot.raw("POST", PATH, json=BODY)
    assert status == 403
    assert b"secondary rate limit" in body
    github.limits.writes_per_second = 2
    answers = [await bot.raw("POST", PATH, json=BODY) for _ in range(3)]
    assert [status for status, _, _ in answers] == [201, 201, 403]
    github.limits.requests_per_hour = 1
    status, headers, _ = await bot.raw("GET", PATH)
    assert (status, headers["x-ratelimit-remaining"]) == (403, "0")
    github.clock.advance(3600)


async def test_an_answer_can_be_slow_or_cut_short(github: SimulatedGitHub, bot: Bot) -> None:
    github.faults.add(Fault(Stall(5), method="GET"))
    with pytest.raises(TimeoutError):
        await bot.raw("GET", PATH, timeout=aiohttp.ClientTimeout(total=0.2))
    github.faults.add(Fault(Truncate(), method="POST"))
    with pytest.raises(ValueError, match=r"Unterminated|Expecting|delimiter"):
        await bot.api.post(PATH, data=BODY)


async def test_a_new_comment_may_show_late(github: SimulatedGitHub, bot: Bot) -> None:
    github.faults.add(Fault(Hide(4), method="POST", route=COMMENTS))
    await bot.api.post(PATH, data=BODY)
    assert await bot.api.getitem(PATH) == []
    github.clock.advance(4)
    assert len(await bot.api.getitem(PATH)) == 1


async def test_a_hook_sees_both_sides_of_the_effect(
    github: SimulatedGitHub, widgets: Repository, bot: Bot
) -> None:
    seen = []

    async def look(moment: Moment) -> None:
        await asyncio.sleep(0)
        if moment.method == "POST":
            seen.append((moment.phase, moment.route, len(widgets.comments(1))))

    github.on_request(look)
    await bot.api.post(PATH, data=BODY)
    assert seen == [("before", COMMENTS, 0), ("after", COMMENTS, 1)]


async def test_an_unchanged_answer_costs_nothing(bot: Bot) -> None:
    _, headers, _ = await bot.raw("GET", PATH)
    status, again, body = await bot.raw("GET", PATH, headers={"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")
    assert again["x-ratelimit-used"] == headers["x-ratelimit-used"]
    assert (await bot.api.getitem("/rate_limit"))["rate"]["limit"] == 5000


async def test_a_wait_in_vain_tells_what_happened(github: SimulatedGitHub, bot: Bot) -> None:
    await bot.api.post(PATH, data=BODY)
    with pytest.raises(TimeoutError, match=r"POST /repos/octo/widgets/issues/1/comments -> 201"):
        await github.until(lambda: False, timeout=0.05)
