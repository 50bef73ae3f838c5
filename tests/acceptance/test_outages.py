"""A no, not now, and silence: what people see while GitHub is away, and where it refuses what they approved."""

from __future__ import annotations

import asyncio
import re

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import CheckRun, Fault, Moment, Respond
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World

RECEIVE = "/{owner}/{repo}.git/git-receive-pack"
UPLOAD = "/{owner}/{repo}.git/git-upload-pack"
PULL = "/repos/{owner}/{repo}/pulls/{pull_number}"
QUERY = "/api/graphql"
ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"
COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
UNKNOWN = b'{"data": {"repository": null}, "errors": [{"type": "NOT_FOUND", "message": "?"}]}'
RULE = "echo 'error: GH013: Repository rule violations found for refs/heads/feature.' >&2\n"
REASON = "echo '- Commits must have verified signatures. @mona' >&2\n"


@pytest.mark.rotating(2)
async def test_a_push_is_shown_as_it_is_late_at_first_and_refused_at_last(here: World) -> None:
    here.model.script = Colleague(planted=stage.PLANTED)
    before = here.pull.head_sha
    await here.say("/pool fix the discount must count from ten pieces")
    (gate,) = re.findall(
        r"/pool approve ([0-9a-f]{10})\n", await here.shows("fix", "AWAITING APPROVAL")
    )
    outage = here.github.faults.add(Fault(Respond(503, "Unavailable"), route=RECEIVE, times=10**6))
    await here.say(f"/pool approve {gate}")
    shown = await here.shows("fix", "Not done yet: GitHub did not answer; it is tried again.")
    assert "### ⏳ Approved, being pushed: 1 file, +1 -1" in shown

    def check() -> CheckRun:
        return next(
            run for run in here.repository.check_runs(before) if run.name == "claude-pool/fix"
        )

    await here.until(
        lambda: check().status == "in_progress" and "being pushed" in (check().title or "")
    )
    assert check().conclusion is None, "nothing is green before the commit stands"
    assert outage.hits

    hook = here.repository.git.path / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\n{RULE}{REASON}exit 1\n")
    here.github.faults.clear()
    shown = await here.shows(
        "fix", "### ⚠️ NOT PUSHED: GitHub refused the push: GH013: Repository rule violations"
    )
    assert "Approved by `mona`, but not pushed: GitHub refused the push: GH013" in shown
    assert (
        "Commits must have verified signatures. `@mona`. The bot's commits are unsigned." in shown
    )
    await here.until(lambda: check().status == "completed")
    assert check().conclusion == "failure"
    assert here.pull.head_sha == before
    assert any("GitHub refused the push: GH013" in line for line in here.bot.log)
    pushes = len([one for one in here.github.requests if one.route == RECEIVE])
    await here.quiet()
    await asyncio.sleep(1)
    assert len([one for one in here.github.requests if one.route == RECEIVE]) == pushes, (
        "a no is not asked for again"
    )


PHASES = [
    ("GET", UPLOAD),
    ("GET", PULL),
    ("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews"),
    ("POST", "/app/installations/{installation_id}/access_tokens"),
    ("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}"),
]


@pytest.mark.parametrize(
    ("seconds", "phases"),
    [
        (6.0, PHASES[:2]),
        pytest.param(20.0, PHASES, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_an_outage_ends_no_review(
    here: World, seconds: float, phases: list[tuple[str, str]]
) -> None:
    """GitHub goes away when it is asked for a thing the first time, each time for so long, API and git alike."""
    here.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    loop, began, back = asyncio.get_running_loop(), list[tuple[str, str]](), 0.0

    def away(moment: Moment) -> bool:
        nonlocal back
        point = (moment.method, str(moment.route))
        if point in phases and point not in began and loop.time() > back:
            began.append(point)
            back = loop.time() + seconds
        return loop.time() < back

    here.github.faults.add(Fault(Respond(503, "Unavailable"), times=10**6, when=away))
    await here.say("/pool review")
    check = await here.reviewed(timeout=60 + 3 * seconds * len(phases))
    await here.until(lambda: here.reviews, timeout=60 + 2 * seconds)
    assert "1 finding" in (check.title or "")
    assert sorted(began) == sorted(phases)
    await here.until(lambda: loop.time() > back)
    await here.written()
    assert len(here.reviews) == 1
    assert here.ledger == here.model.bill.total, "nothing was run twice"


async def test_what_could_not_go_out_is_said_before_it_is_paid_for_or_asked_about(
    here: World,
) -> None:
    here.model.script = Colleague(planted=stage.PLANTED)
    files = {
        "#12-fix": {"x.md": "x\n"},
        "-odd": {"x.md": "x\n"},
        "lfs": {".gitattributes": "*.py filter=lfs\n"},
    }
    numbers = {}
    for branch, changed in files.items():
        here.repository.commit(branch, changed, onto=here.pull.head_sha, author=here.maintainer)
        opened = here.repository.open_pull(
            branch, base="main", title="x", body="", author=here.maintainer
        )
        numbers[branch] = opened.number

    await here.say("/pool fix the boundary, fixes #7 @octocat", number=numbers["-odd"])
    told = await here.said(
        "Nothing can be pushed to the branch `-odd`: it begins with a dash.", numbers["-odd"]
    )
    assert "Nothing was run." in told
    assert here.model.requests == []

    await here.say("/pool fix the boundary, fixes #7 @octocat", number=numbers["lfs"])
    lfs = "NOT DONE: files of Git LFS are changed, which only its own program can store: shop/prices.py"
    await here.shows("fix", lfs, numbers["lfs"])

    await here.say("/pool fix the boundary, fixes #7 @octocat", number=numbers["#12-fix"])
    shown = await here.shows("fix", "AWAITING APPROVAL", numbers["#12-fix"])
    (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)
    await here.say(f"/pool approve {gate}", number=numbers["#12-fix"])
    await here.shows("fix", "### ✅ Pushed", numbers["#12-fix"])
    assert (
        here.repository.git.text("log", "-1", "--format=%s", "refs/heads/#12-fix")
        == "Fix: the boundary, fixes 7 octocat"
    )


async def test_what_github_does_not_know_yet_is_not_taken_for_gone(here: World) -> None:
    """It tells of a comment before all of its servers know of it: a command was neither run nor answered."""
    for number, faults in enumerate(
        (
            [Fault(Respond(404, "Not Found"), method="GET", route=COMMENT)],
            [
                Fault(Respond(200, body=UNKNOWN), route=QUERY),
                Fault(Respond(404, "Not Found"), method="GET", route=ISSUE),
            ],
        ),
        1,
    ):
        for fault in faults:
            here.github.faults.add(fault)
        await here.say("/pool help")
        await here.handled(number)
        assert all(fault.hits for fault in faults)
        assert here.rows("SELECT answer FROM commands WHERE answer != 'answered'") == []
    here.github.faults.add(Fault(Respond(404, "Not Found"), "GET", COMMENT, times=9))
    await here.say("/pool status")
    await here.said("was edited or deleted before it could be acted on")
