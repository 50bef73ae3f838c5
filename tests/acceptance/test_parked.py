"""What ends early is not lost: the comment says what there is, and the line to copy goes on from there."""

from __future__ import annotations

import re

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.model import Fail
from tests.acceptance.colleague import MENDED, READ, Colleague, write
from tests.acceptance.world import World

CONFIG = ".github/claude-pool.yml"


@pytest.fixture
def colleague(here: World) -> Colleague:
    """The model."""
    made = Colleague(planted=stage.PLANTED[:2])
    here.model.script = made
    return made


@pytest.mark.rotating(2)
async def test_out_of_turns_goes_on_from_the_work_that_was_kept(
    here: World, colleague: Colleague
) -> None:
    colleague.mends = (write("first.py", "x = 1\n"), READ, MENDED)
    before = here.pull.head_sha
    await here.say("/pool fix it --turns 2")
    shown = await here.shows("fix", "### ⚠️ NOT DONE: out of turns")
    assert "The files changed so far are saved (1 file, +1 -0). To resume:" in shown
    (line,) = re.findall(r"```\n(/pool continue [0-9a-f]{10} --turns 4)\n```", shown)
    check = next(run for run in here.repository.check_runs(before) if run.name == "claude-pool/fix")
    assert check.conclusion == "action_required"

    colleague.mends = (READ, MENDED)
    await here.say(line)
    shown = await here.shows("fix", "AWAITING APPROVAL: 2 files, +2 -1")
    assert "`first.py` | 1 | 0 | new" in shown, "what the first attempt wrote is part of the patch"
    assert (
        "An earlier attempt at this ended without a result: no result after 2 turns"
        in colleague.seen[-1].text
    )
    assert "1 earlier run" in shown
    (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)
    await here.say(f"/pool approve {gate}")
    await here.shows("fix", "### ✅ Pushed")
    assert here.repository.read("feature", "first.py") == b"x = 1\n"


async def test_a_review_that_ran_out_of_money_pays_again_only_for_what_is_missing(
    here: World, colleague: Colleague
) -> None:
    await here.say("/pool review --budget 0.05")
    shown = await here.shows("review", "out of budget")
    (line,) = re.findall(r"```\n(/pool continue [0-9a-f]{10} --budget [0-9.]+)\n```", shown)
    before = len(colleague.seen)
    await here.say(re.sub(r"--budget .*", "--budget 2", line))
    await here.shows("review", "### 🔎 ")
    assert here.check is not None
    await here.until(lambda: here.reviews)
    first, second = here.rows("SELECT id FROM chains ORDER BY created_ms")
    done = {
        name
        for (name,) in here.rows("SELECT id FROM tasks WHERE state = 'completed' AND attempt > 0")
    }
    twice = [
        name
        for name in done
        if name.startswith(second[0]) and name.replace(second[0], first[0]) in done
    ]
    assert twice == [], "a run that was finished is not paid for again"
    assert len(colleague.seen) > before
    assert here.ledger == here.model.bill.total


@pytest.mark.rotating(2)
async def test_the_models_limit_is_named_with_its_reset_and_a_crash_says_what_goes_on(
    here: World, colleague: Colleague
) -> None:
    colleague.failures = [Fail(429, "rate_limit_error", headers={"retry-after": "7200"})]
    await here.say("/pool ask why?")
    shown = await here.shows("ask", "NOT DONE: ")
    assert re.search(r"asks to wait until \d\d:\d\d UTC", shown)
    (line,) = re.findall(r"```\n(/pool continue [0-9a-f]{10})\n```", shown)
    await here.say(line)
    await here.said("From ten pieces on")

    colleague.failures = [Fail(500)] * 12
    await here.say("/pool ask why not?")
    shown = await here.shows("ask", "### ⚠️ NOT DONE: ")
    assert "/pool continue " in shown
    await here.say("/pool continue")
    await here.until(lambda: sum("From ten pieces on" in body for body in here.replies()) == 2)


async def test_what_goes_on_under_another_configuration_is_approved_under_that(
    here: World, colleague: Colleague
) -> None:
    colleague.mends = (write("first.py", "x = 1\n"), READ, MENDED)
    await here.say("/pool fix it --turns 2")
    shown = await here.shows("fix", "### ⚠️ NOT DONE: out of turns")
    (line,) = re.findall(r"```\n(/pool continue [0-9a-f]{10} --turns 4)\n```", shown)
    config = "changes: {approvals: 2, protected: [first.py]}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    colleague.mends = (READ, MENDED)
    await here.say(line)
    shown = await here.shows("fix", "AWAITING APPROVAL: 2 files, +2 -1")
    assert re.search(r"`first.py` .*\*\*protected\*\*", shown), (
        "the gate is that of today's configuration"
    )
    (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)
    await here.say(f"/pool approve {gate}")
    await here.shows("fix", "1 more")
    other = here.github.create_user("other")
    here.repository.grant(other, "write")
    await here.say(f"/pool approve {gate}", by=other)
    await here.shows("fix", "### ✅ Pushed")


async def test_whoever_goes_on_needs_what_the_command_itself_needs(
    here: World, colleague: Colleague
) -> None:
    here.repository.commit(
        "main", {CONFIG: "permissions: {ask: maintain}\n"}, author=here.maintainer
    )
    writer = here.github.create_user("writer")
    here.repository.grant(writer, "write")
    colleague.failures = [Fail(429, "rate_limit_error", headers={"retry-after": "7200"})]
    await here.say("/pool ask why?")
    await here.shows("ask", "NOT DONE: ")
    await here.say("/pool continue", by=writer)
    await here.said(
        "`/pool ask` needs the role **maintain** in this repository; yours is **write**"
    )
    await here.say("/pool continue")
    await here.said("From ten pieces on")


async def test_what_runs_can_be_cancelled_and_what_ended_can_be_run_again(
    here: World, colleague: Colleague
) -> None:
    await here.say("/pool cancel")
    await here.said("There is nothing here to cancel.")
    colleague.pace = 30
    await here.say("/pool ask why?")
    await here.until(lambda: colleague.seen)
    await here.say("/pool cancel 0000000000")
    await here.said("Nothing in this thread has the ID `0000000000`")
    await here.say("/pool cancel")
    await here.said("is being cancelled. Its results so far and its cost are kept.")
    await here.shows("ask", "### ⚠️ NOT DONE: cancelled")
    colleague.pace = 0
    await here.say("/pool continue")
    await here.said("There is nothing here to continue.")
    await here.say("/pool retry")
    await here.said("From ten pieces on")
    reader = here.github.create_user("reader")
    here.repository.grant(reader, "triage")
    here.repository.commit(
        "main", {CONFIG: "permissions: {retry: triage}\n"}, author=here.maintainer
    )
    await here.say("/pool retry", by=reader)
    await here.said("`/pool ask` needs the role **write** in this repository; yours is **triage**")


async def test_several_that_could_be_meant_are_listed(here: World, colleague: Colleague) -> None:
    colleague.pace = 30
    await here.say("/pool ask one?\n/pool review")
    await here.until(lambda: len(colleague.seen) == 2)
    await here.say("/pool cancel")
    which = await here.said("Several runs match. Which one?")
    assert re.search(r"- `/pool cancel [0-9a-f]{10}`: review, running\n", which)
    assert re.search(r"- `/pool cancel [0-9a-f]{10}`: ask, running\n", which)
