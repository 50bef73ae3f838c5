"""What GitHub itself does to us: installations and repositories come and go, deliveries fail, permissions lack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Request
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.world import World, world

CONFIG: Final = ".github/claude-pool.yml"
QUICK: Final = Reviewer(quick=True)
CHAINS: Final = "SELECT state, json_extract(outcome, '$.verdict') FROM chains ORDER BY created_ms"
GRAPHQL: Final = "/api/graphql"
STATES: Final = "SELECT state FROM repositories"
ALL: Final[Mapping[str, str]] = {
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}


async def under_way(here: World) -> None:
    """A review that works and shows it."""
    here.model.script = Reviewer(stage.PLANTED, pace=2.0)
    await here.say("/pool review")
    await here.until(lambda: here.model.requests and "running" in here.comment_of("review"))


async def cancelled(here: World) -> None:
    """Wait until every chain is, and nothing is left that would be written."""
    await here.until(lambda: here.rows(CHAINS) == [("done", "cancelled")])
    await here.quiet()


def writes(here: World, since: int) -> list[Request]:
    """What the server has changed on GitHub since so many requests by REST, tokens not counted."""
    made = here.github.requests[since:]
    others = (GRAPHQL, "/app/installations/{installation_id}/access_tokens")
    return [one for one in made if one.method != "GET" and one.route not in others]


# ---- installations


@pytest.mark.rotating(2)
async def test_an_installation_that_is_removed_ends_what_runs_and_is_written_to_no_more(
    here: World,
) -> None:
    await under_way(here)
    installation, seen = here.installation, len(here.github.requests)
    here.github.uninstall(installation)
    await here.github.settle()
    await cancelled(here)
    spent = here.ledger
    assert writes(here, seen) == []
    assert here.rows(STATES) == [("removed",)]

    # What is said in between is not heard of, and the next installation begins afresh.
    here.model.script = QUICK
    await here.say("/pool help")
    assert len(here.answers()) == 1
    here.github.install(here.app, "octo", [here.repository])
    await here.github.settle()
    assert here.rows(STATES) == [("active",)]
    await here.say("/pool review")
    await here.shows("review", "### ✅ Nothing found")
    assert here.ledger > spent
    assert (await here.reviewed()).conclusion == "success"


async def test_what_is_out_of_reach_for_a_while_is_not_taken_for_deleted_by_a_person(
    here: World,
) -> None:
    await under_way(here)
    installation, seen = here.installation, len(here.github.requests)
    here.github.delivering = False  # nobody tells us
    here.github.uninstall(installation)
    here.model.script = QUICK
    tokens = f"/app/installations/{installation.id}/access_tokens"
    await here.until(lambda: [one for one in here.github.requests[seen:] if one.path == tokens])
    await here.until(lambda: here.rows(CHAINS)[0][0] == "done")
    here.github.delivering = True
    here.github.install(here.app, "octo", [here.repository])
    await here.github.settle()
    assert (await here.reviewed()).status == "completed"
    await here.until(here.ends)
    await here.written()
    assert (len(here.own_comments()), len(here.ends())) == (2, 1)


async def test_a_suspended_installation_is_left_alone_and_shown_how_things_ended_when_it_is_back(
    here: World,
) -> None:
    await under_way(here)
    seen = len(here.github.requests)
    await here.github.suspend(here.installation)
    await cancelled(here)
    assert writes(here, seen) == []
    assert here.rows(STATES) == [("suspended",)]
    await here.github.suspend(here.installation, on=False)
    check = await here.reviewed()
    assert check.conclusion == "cancelled", "no check hangs for ever"
    await here.shows("review", "cancelled")
    await here.say("/pool help")
    await here.said("`/pool review [PATH…]`")


async def test_repositories_are_taken_from_an_installation_and_given_to_it(here: World) -> None:
    other = here.github.create_repository("octo/other", files={"a.py": "x = 1\n"})
    other.grant(here.maintainer, "write")
    number = other.open_issue("x", "y", here.maintainer).number
    await under_way(here)
    seen = len(here.github.requests)
    here.github.remove_repositories(here.installation, here.repository)
    await here.github.settle()
    await cancelled(here)
    assert writes(here, seen) == []

    here.github.add_repositories(here.installation, other)
    await here.github.settle()
    await here.github.comment(here.maintainer, other, number, "/pool help")
    await here.until(lambda: [c for c in other.comments(number) if c.author.id == here.app.bot.id])
    here.github.add_repositories(here.installation, here.repository)
    await here.github.settle()
    assert {state for (state,) in here.rows(STATES)} == {"active"}
    assert (await here.reviewed()).conclusion == "cancelled"


# ---- repositories


async def test_a_renamed_and_a_transferred_repository_keeps_its_conversation_under_the_new_name(
    here: World,
) -> None:
    await under_way(here)
    here.repository.rename("store")
    await here.github.settle()
    here.model.script = QUICK
    check = await here.reviewed()
    assert check.conclusion == "success", (
        "what ran goes on, reads on and shows its end under the new name"
    )
    await here.say("/pool help")
    await here.said("`/pool review [PATH…]`")

    # To another account, where the App is installed too: GitHub tells the new owner's installation.
    new = here.github.install(here.app, "acme", [])
    here.installation.repositories.remove(here.repository.state)
    new.repositories.append(here.repository.state)
    here.repository.transfer("acme")
    await here.github.settle()
    assert here.rows("SELECT owner, name, installation_id FROM repositories") == [
        ("acme", "store", new.id)
    ]
    await here.say("/pool review --focus units")
    await here.until(lambda: [state for state, _ in here.rows(CHAINS)] == ["done", "done"])
    await here.quiet()
    ((newest,),) = here.rows("SELECT id FROM chains ORDER BY created_ms DESC LIMIT 1")
    assert f"<sub>`{newest}` · requested by `mona`" in await here.shows("review", "Nothing found")
    assert here.repository.check_runs(here.pull.head_sha)[-1].conclusion == "success"


async def test_a_review_sees_under_the_new_name_that_its_branch_was_rewritten(here: World) -> None:
    """Only GitHub says that, asked at the end; that the head has moved, events tell too."""
    await under_way(here)
    here.repository.rename("store")
    onto = here.repository.head("main")
    here.repository.commit("feature", stage.head_files(), author=here.maintainer, onto=onto)
    await here.github.settle()
    here.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    await here.shows("review", "the branch was rewritten")
    await here.quiet()
    assert here.reviews == []


@pytest.mark.parametrize("act", ["archive", "delete"])
async def test_an_archived_or_deleted_repository_ends_what_runs_there(
    here: World, act: str
) -> None:
    await under_way(here)
    here.repository.archive() if act == "archive" else here.repository.delete()
    seen = len(here.github.requests)
    await here.github.settle()
    await cancelled(here)
    assert all(one.status in (403, 404) for one in writes(here, seen))
    assert len(writes(here, seen)) <= 2, "whatever was on its way, and nothing after it"
    assert here.rows(STATES) == [("archived" if act == "archive" else "removed",)]
    if act == "archive":
        here.repository.archive(on=False)
        await here.github.settle()
        assert (await here.reviewed()).conclusion == "cancelled"
        await here.say("/pool help")
        await here.said("`/pool review [PATH…]`")


# ---- threads and permissions


async def test_in_a_locked_thread_the_review_and_the_check_still_arrive(here: World) -> None:
    here.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    here.repository.lock(here.pull)
    await here.say("/pool review")
    check = await here.until(
        lambda: next(
            (run for run in here.repository.check_runs(here.pull.head_sha) if run.conclusion), None
        )
    )
    assert check is not None
    assert "1 finding " in (check.title or "")
    await here.until(lambda: here.reviews)
    await here.quiet()
    assert here.own_comments() == []
    refused = [one for one in here.github.requests if one.status == 403]
    assert 1 <= len(refused) <= 20, (
        "asked at most once for each change, and never again after the last"
    )
    before = len(here.github.requests)
    await here.say("/pool help")
    await here.quiet()
    assert [one.status for one in writes(here, before)] == [403]


async def test_without_checks_a_status_says_the_verdict(tmp_path: Path) -> None:
    async with world(tmp_path, start=False) as here:
        here.model.script = QUICK
        here.installation.permissions = {
            name: level for name, level in ALL.items() if name != "checks"
        }
        await here.begin()
        await here.say("/pool review")
        await here.shows("review", "### ✅ Nothing found")
        await here.quiet()
        newest = here.repository.statuses(here.pull.head_sha)[0]
        assert (newest.context, newest.state) == ("claude-pool/review", "success")
        assert newest.description == "Nothing found in 2 files"
        assert here.repository.check_runs(here.pull.head_sha) == []


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("contents", "contents: read"),
        ("issues", "issues: write"),
        ("pull_requests", "pull_requests: write"),
    ],
)
async def test_a_missing_permission_is_named_with_the_page_that_grants_it(
    tmp_path: Path, missing: str, named: str
) -> None:
    async with world(tmp_path, start=False) as here:
        here.model.script = QUICK
        here.installation.permissions = {
            name: level for name, level in ALL.items() if name != missing
        }
        await here.begin()
        await here.say("/pool review")
        said = await here.said(
            f"The App was not granted `{named}`, and this command needs it. Nothing was run."
        )
        assert f"/installations/{here.installation.id}/permissions/update" in said
        await here.say("/pool review", by=here.github.create_user("stranger"))
        issue = here.repository.open_issue("x", "y", here.maintainer).number
        await here.say("/pool triage", number=issue)  # nothing can be said there without `issues`
        await here.quiet()
        assert here.rows("SELECT count(*) FROM reservations") == [(0,)]
        assert len(here.own_comments(issue)) == (0 if missing == "issues" else 1)

        # As soon as the owner has granted it, it works.
        here.installation.permissions = ALL
        await here.say("/pool review")
        await here.shows("review", "### ✅ Nothing found")


# ---- deliveries that were missed


@pytest.mark.rotating(1)
async def test_what_was_said_while_the_server_was_down_is_done_once_when_it_is_back(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, more={"CLAUDE_POOL_POLL": "0.5"}) as here:
        await here.say("/pool help")
        await here.said("`/pool review [PATH…]`")
        await here.bot.kill()
        # By comment, which both ways find, and by label, which only GitHub's log of deliveries tells.
        await here.say("/pool status")
        await here.say("/pool cost --wrong")
        here.repository.add_label(here.pull, "pool:cancel", here.maintainer)
        await here.github.settle()
        assert [one.state for one in here.github.deliveries if one.event == "issue_comment"][
            -2:
        ] == ["failed"] * 2
        await here.begin()
        await here.said("No commands yet.")
        await here.said("has no flag")
        await here.said("There is nothing here to cancel.")
        # And then GitHub is asked to deliver again what we have found ourselves.
        for delivery in [one for one in here.github.deliveries if one.state == "failed"]:
            await here.github.redeliver(delivery)
        await here.say("/pool help review")
        await here.said("what to look at first")
        await polled(here, times=3)
        await here.quiet()
        assert len(here.answers()) == 5
        assert len(here.own_comments()) == 5


async def polled(here: World, times: int) -> None:
    """Wait until the server has looked for what it missed so often again."""

    def looks() -> int:
        listing = "/repos/{owner}/{repo}/issues/comments"
        return sum(one.route == listing for one in here.github.requests)

    before = looks()
    await here.until(lambda: looks() >= before + times)


async def test_a_command_from_before_a_rename_is_answered_under_the_new_name(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, more={"CLAUDE_POOL_POLL": "0.5"}) as here:
        await here.say("/pool help review")
        await here.said("what to look at first")
        await here.bot.kill()
        await here.say("/pool status")
        here.repository.rename("store")
        await here.github.settle()
        await here.begin()
        await here.said("No commands yet.")
        assert here.rows("SELECT name FROM repositories") == [("store",)]
        assert [answer for _, answer in here.answers()] == ["answered", "answered"]


async def test_without_looking_for_them_missed_commands_stay_missed(tmp_path: Path) -> None:
    """The negative control of those above."""
    async with world(tmp_path, more={"CLAUDE_POOL_POLL": "0"}) as here:
        await here.bot.kill()
        await here.say("/pool status")
        await here.begin()
        await here.say("/pool help")
        await here.said("`/pool review [PATH…]`")
        assert [line for line, _ in here.answers()] == ["/pool help"]


async def test_a_server_without_a_public_address_works_by_reading_alone(tmp_path: Path) -> None:
    async with world(tmp_path, more={"CLAUDE_POOL_POLL": "0.5"}, start=False) as here:
        here.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
        await here.bot.start()
        here.github.delivering = False
        assert here.app.webhook_url is None
        old = await here.say("/pool review")
        await here.reviewed()
        await here.until(lambda: here.reviews)
        await here.github.reply(
            here.maintainer, here.reviews[0].comments[0], "/pool dismiss it is meant so"
        )
        await here.until(
            lambda: here.rows("SELECT count(*) FROM findings WHERE state = 'dismissed'") == [(1,)]
        )
        body = "Looks good.\n\n/pool cost"
        here.repository.review(here.pull, here.maintainer, body=body)
        await here.said("This repository has spent")
        edited = await here.say("hello")
        here.github.clock.advance(2)  # times have whole seconds
        await here.github.edit_comment(here.maintainer, edited, "/pool help")
        await here.github.edit_comment(here.maintainer, old, "/pool review again")
        await polled(here, times=2)
        await here.quiet()
        assert len(here.answers()) == 3, "what was edited is no command"
        assert here.rows("SELECT count(*) FROM chains") == [(1,)]


async def test_reading_comments_finds_commands_where_the_log_of_deliveries_is_no_help(
    tmp_path: Path,
) -> None:
    from claude_pool_gh.rehearsal.github import Fault, Respond  # noqa: PLC0415

    async with world(tmp_path, more={"CLAUDE_POOL_POLL": "0.5"}) as here:
        no_log = Fault(Respond(404, "Not Found"), route="/app/hook/deliveries", times=10_000)
        here.github.faults.add(no_log)
        here.github.delivering = False
        await here.say("/pool help")
        await here.said("`/pool review [PATH…]`")
        assert no_log.hits


async def test_a_delivery_that_failed_late_is_not_passed_over_for_one_that_failed_early(
    tmp_path: Path,
) -> None:
    """Deliveries are listed when they have ended: one that timed out can come after the cursor has passed its id."""
    async with world(tmp_path, more={"CLAUDE_POOL_POLL": "0.5"}) as here:
        here.github.delivering = False
        here.repository.add_label(here.pull, "pool:cancel", here.maintainer)
        slow = here.github.deliveries[-1]
        slow.state = "pending"  # GitHub still waits for an answer
        here.repository.add_label(here.pull, "pool:nonsense", here.maintainer)
        await here.said("nonsense")
        slow.state = "dropped"
        await here.said("There is nothing here to cancel.")
