"""The report issue: one, whatever happens to it, and each happening an outcome of its own."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.rehearsal.github import Fault, Repository, Reset, Respond
from tests.github.test_writer import Bench, bench

__all__ = ["bench"]
ISSUES = "/repos/{owner}/{repo}/issues"
ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"


def report(body: str = "first") -> ReportIssue:
    return ReportIssue(title="Audit: defects", body=body)


def shop(bench: Bench) -> Repository:
    return bench.github.repository("octo/shop")


async def wanted(bench: Bench, body: str = "first") -> Any:
    bench.want(report(body), chain="c1")
    await bench.until(lambda: bench.row().state != "wanted")
    return bench.row()


def issues(bench: Bench) -> list[Any]:
    return [one for one in shop(bench).state.threads.values() if one.title == "Audit: defects"]


async def test_it_is_made_once_and_kept_up_to_date(bench: Bench) -> None:
    row = await wanted(bench)
    (issue,) = issues(bench)
    assert (row.state, row.remote_id) == ("written", issue.number)
    assert (await wanted(bench, "second")).state == "written"
    (issue,) = issues(bench)
    assert issue.body.startswith("second\n")


async def test_after_an_answer_that_was_lost_it_is_found_by_its_marker(bench: Bench) -> None:
    bench.github.faults.add(Fault(Reset(), method="POST", route=ISSUES, after_effect=True))
    assert (await wanted(bench)).state == "written"
    assert len(issues(bench)) == 1


async def test_a_copy_of_its_marker_by_somebody_else_is_not_it(bench: Bench) -> None:
    await wanted(bench)
    (ours,) = issues(bench)
    shop(bench).open_issue("Audit: defects", ours.body, bench.github.create_user("mallory"))
    bench.change(remote_id=None, state="wanted", wanted_version=2)
    await bench.until(lambda: bench.row().state == "written")
    assert bench.row().remote_id == ours.number


async def test_one_that_a_person_closed_stays_closed_and_is_kept_up_to_date(bench: Bench) -> None:
    await wanted(bench)
    (issue,) = issues(bench)
    shop(bench).close(issue)
    assert (await wanted(bench, "second")).state == "written"
    assert issue.body.startswith("second\n")
    assert issue.state == "closed"


async def test_one_that_was_deleted_is_not_made_again(bench: Bench) -> None:
    await wanted(bench)
    shop(bench).delete_issue(issues(bench)[0])
    row = await wanted(bench, "second")
    assert (row.state, row.error) == ("gone", "deleted by a person")
    bench.want(report("third"))
    await asyncio.sleep(0.2)
    assert (bench.row().state, issues(bench)) == ("gone", [])


async def test_one_that_was_moved_is_told_as_that_and_left_alone(bench: Bench) -> None:
    elsewhere = bench.github.create_repository("octo/elsewhere")
    await wanted(bench)
    (issue,) = issues(bench)
    shop(bench).transfer_issue(issue, elsewhere)
    row = await wanted(bench, "second")
    assert (row.state, row.error) in (
        ("gone", "moved to another repository"),
        ("gone", "deleted by a person"),  # where it may not be seen there
    )
    assert issue.body.startswith("first\n")


async def test_one_that_can_be_seen_where_it_was_moved_to_is_not_edited_there(
    bench: Bench,
) -> None:
    elsewhere = bench.github.create_repository("octo/elsewhere")
    await wanted(bench)
    (issue,) = issues(bench)
    shop(bench).transfer_issue(issue, elsewhere)
    shape = (
        b'{"number": 1, "repository_url": "'
        + bench.github.api_url.encode()
        + b'/repos/octo/elsewhere"}'
    )
    bench.github.faults.add(Fault(Respond(200, body=shape), method="GET", route=ISSUE, times=1))
    row = await wanted(bench, "second")
    assert (row.state, row.error) == ("gone", "moved to another repository")


async def test_an_issue_of_somebody_else_is_not_edited_whatever_the_rows_say(bench: Bench) -> None:
    """In the Action, rows come from a ref."""
    await wanted(bench)
    theirs = shop(bench).open_issue("Mine", "My words.", bench.github.create_user("mallory"))
    bench.change(remote_id=theirs.number)
    row = await wanted(bench, "second")
    assert (row.state, row.error) == ("gone", "replaced by what others wrote")
    assert (theirs.title, theirs.body) == ("Mine", "My words.")


async def test_where_our_own_account_is_not_found_the_issue_is_not_taken_for_deleted(
    bench: Bench,
) -> None:
    """Without its mark our account tells whose it is, and a 404 of that says nothing of the issue."""
    await wanted(bench)
    (issue,) = issues(bench)
    issue.body = "A person wrote this."
    cast(Any, bench.writer._forge.access)._account = None  # as after a restart
    fault = Fault(Respond(404, "Not Found"), method="GET", route="/users/{username}", times=99)
    bench.github.faults.add(fault)
    bench.want(report("second"), chain="c1")
    await bench.until(lambda: fault.hits and bench.row().state == "wanted" and bench.row().tries)
    assert bench.row().error == "GitHub did not answer; it is tried again"
    bench.github.faults.clear()
    bench.change(due_ms=0)
    await bench.until(lambda: bench.row().state == "written")
    assert issue.body.startswith("second\n")


async def test_one_with_its_mark_is_ours_whatever_is_known_of_our_account(bench: Bench) -> None:
    await wanted(bench)
    cast(Any, bench.writer._forge.access)._account = None  # as after a restart
    fault = Fault(Respond(404, "Not Found"), method="GET", route="/users/{username}", times=99)
    bench.github.faults.add(fault)
    assert (await wanted(bench, "second")).state == "written"
    assert not fault.hits


async def test_one_that_another_account_of_ours_has_opened_is_kept_up_to_date(bench: Bench) -> None:
    """The job's own token opened it, and an App's token goes on."""
    await wanted(bench)
    (ours,) = issues(bench)
    earlier = bench.github.create_user("earlier")
    theirs = shop(bench).open_issue("Audit: defects", ours.body, earlier)
    bench.change(remote_id=theirs.number)
    assert (await wanted(bench, "second")).state == "written"
    assert theirs.body.startswith("second\n")


async def test_one_that_is_locked_is_kept_up_to_date(bench: Bench) -> None:
    await wanted(bench)
    (issue,) = issues(bench)
    shop(bench).lock(issue)
    assert (await wanted(bench, "second")).state == "written"
    assert issue.body.startswith("second\n")


async def test_where_issues_are_off_it_is_said_and_comes_back_with_them(bench: Bench) -> None:
    shop(bench).switch_issues(on=False)
    row = await wanted(bench)
    assert row.state == "refused"
    assert "issues are switched off in this repository" in row.error
    shop(bench).switch_issues(on=True)
    assert (await wanted(bench, "second")).state == "written"
    shop(bench).switch_issues(on=False)
    row = await wanted(bench, "third")
    assert (row.state, "switched off" in row.error) == ("refused", True)
    shop(bench).switch_issues(on=True)
    assert (await wanted(bench, "fourth")).state == "written"
    (issue,) = issues(bench)
    assert issue.body.startswith("fourth\n")


async def test_what_a_person_wrote_into_it_is_replaced_by_the_next_report(bench: Bench) -> None:
    await wanted(bench)
    (issue,) = issues(bench)
    issue.body = "This is all wrong."
    assert (await wanted(bench, "second")).state == "written"
    assert issue.body.startswith("second\n")
    assert "<!-- claude-pool:" in issue.body, "and it can be found again"


@pytest.mark.parametrize(
    ("status", "state"), [(403, "refused"), (404, "gone"), (410, "gone"), (422, "refused")]
)
async def test_a_refusal_half_way_keeps_what_stands_and_is_told(
    bench: Bench, status: int, state: str
) -> None:
    await wanted(bench)
    (issue,) = issues(bench)
    no = Respond(status, body=b'{"message": "not now, not ever"}')
    bench.github.faults.add(Fault(no, method="PATCH", route=ISSUE, times=1))
    row = await wanted(bench, "second")
    assert (row.state, bool(row.error)) == (state, True)
    assert len(issues(bench)) == 1, "none is made in its place"
    if state == "refused":
        assert (await wanted(bench, "third")).state == "written"
        assert issue.body.startswith("third\n")


@pytest.mark.parametrize("title", ["", "x" * 257])
def test_a_title_that_github_does_not_take_is_never_wanted(title: str) -> None:
    with pytest.raises(ValueError, match="title"):
        ReportIssue(title=title, body="b")
