"""Audits that something happens to half-way: money, the model, GitHub, people, and the server itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.rehearsal.model import Answer, Fail, Reply, ToolUse, Usage
from tests.acceptance.auditor import Auditor, files_of
from tests.acceptance.test_audit import BY_FOLDER, TOTAL, auditor, configure, gathered
from tests.acceptance.test_audit_schedule import report, shown
from tests.acceptance.world import World

__all__ = ["auditor"]
ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"
ISSUES = "/repos/{owner}/{repo}/issues"
SARIFS = "/repos/{owner}/{repo}/code-scanning/sarifs"
READ = "SELECT count(*) FROM tasks WHERE step = 'find' AND state = 'completed'"
pytestmark = pytest.mark.rotating(6)


def slowly(files: Sequence[str], seconds: float = 300) -> Reply | None:
    """The part with AGENTS.md takes its time."""
    waits = Answer((ToolUse("Read", {"file_path": "AGENTS.md"}),), delay=seconds)
    return waits if "AGENTS.md" in files else None


async def half_way(here: World, parts: int = 2) -> None:
    """Wait until so many parts were read, and one was not."""
    await here.until(lambda: here.rows(READ)[0][0] >= parts)


@pytest.mark.parametrize(
    ("fail", "said"),
    [
        (
            Fail(429, "rate_limit_error", "slow down", {"retry-after": "3600"}),
            "1 of 3 parts not read: the model's API asks to wait until",
        ),
        (Fail(402, "billing_error", "Your credit balance is too low"), "credit"),
    ],
)
async def test_a_model_that_answers_no_more_ends_in_a_report_of_what_was_read(
    here: World, auditor: Auditor, fail: Fail, said: str
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims = (TOTAL,)
    auditor.instead = lambda files: fail if "AGENTS.md" in files else None
    await here.say("/pool audit")
    body = await here.shows("audit", said)
    assert TOTAL["title"] in body
    assert "Nothing found" not in body.split("\n", 1)[0]
    assert gathered(here)["completeness"] == "partial"
    assert TOTAL["title"] in await shown(here, TOTAL["title"])


async def test_a_budget_that_is_gone_half_way_passes_no_cap_and_is_said(
    here: World, auditor: Auditor
) -> None:
    configure(here, f"{BY_FOLDER}    budget: 0.3\n    slots: 1\n")
    auditor.claims = (TOTAL,)
    again = ToolUse("Read", {"file_path": "AGENTS.md"})
    dear = Answer((again,), usage=Usage(input_tokens=3_000, output_tokens=900))
    auditor.instead = lambda files: dear if "AGENTS.md" in files else None
    await here.say("/pool audit")
    await here.until(lambda: here.rows("SELECT state FROM chains") == [("done",)])
    await here.quiet()
    body = here.comment_of("audit")
    assert (
        "PARTLY AUDITED (1 finding): out of budget (2 of 3 parts not read" in body.split("\n", 1)[0]
    )
    assert here.ledger <= 300_000


async def test_what_github_does_not_take_is_said_in_the_comment_that_shows_the_run(
    here: World, auditor: Auditor
) -> None:
    here.installation.permissions = {**here.installation.permissions, "security_events": "write"}
    configure(here, "audits:\n  defects:\n    code_scanning: true\n")
    auditor.claims = (TOTAL,)
    here.github.faults.add(
        Fault(Respond(422, body=b'{"message": "Validation Failed"}'), method="POST", route=ISSUES)
    )
    here.github.faults.add(
        Fault(Respond(403, body=b'{"message": "not enabled"}'), method="POST", route=SARIFS)
    )
    await here.say("/pool audit")
    body = await here.shows("audit", "GitHub did not take the report issue: ")
    assert TOTAL["title"] in body, "the result stands all the same"
    await here.shows("audit", "Code scanning did not take the findings: ")
    assert report(here) is None


async def test_a_repository_that_is_renamed_meanwhile_gets_its_report_under_the_new_name(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims = (TOTAL,)
    slow = iter([slowly(["AGENTS.md"], seconds=20)])
    auditor.instead = lambda files: next(slow, None) if "AGENTS.md" in files else None
    await here.say("/pool audit")
    await half_way(here)
    here.repository.rename("store")
    await shown(here, TOTAL["title"])


async def test_a_repository_that_is_made_private_meanwhile_keeps_its_audit_and_loses_only_its_alerts(
    here: World, auditor: Auditor
) -> None:
    here.installation.permissions = {**here.installation.permissions, "security_events": "write"}
    configure(here, f"{BY_FOLDER}    code_scanning: true\n")
    auditor.claims = (TOTAL,)
    slow = iter([slowly(["AGENTS.md"], seconds=20)])
    auditor.instead = lambda files: next(slow, None) if "AGENTS.md" in files else None
    await here.say("/pool audit")
    await half_way(here)
    here.repository.state.private = True
    refused = b'{"message": "Code Security must be enabled for this repository"}'
    here.github.faults.add(Fault(Respond(403, body=refused), method="POST", route=SARIFS))
    body = await here.shows("audit", "Code scanning did not take the findings: ")
    assert TOTAL["title"] in body
    assert TOTAL["title"] in await shown(here, TOTAL["title"])


async def test_a_repository_without_a_commit_is_told_that_there_is_nothing_to_read(
    here: World, auditor: Auditor
) -> None:
    empty = here.github.create_repository("octo/empty", files={})
    empty.grant(here.maintainer, "admin")
    here.github.add_repositories(here.installation, empty)
    issue = empty.open_issue("Audit", "Please", here.maintainer)
    await here.github.comment(here.maintainer, empty, issue.number, "/pool audit")
    answered = "SELECT answer FROM commands WHERE state = 'handled'"
    await here.until(lambda: bool(here.rows(answered)))
    await here.quiet()
    said = [each.body for each in empty.comments(issue.number) if each.author.id == here.app.bot.id]
    assert len(said) == 1
    assert "no commit" in said[0]
    assert here.rows("SELECT count(*) FROM chains") == [(0,)]
    assert not auditor.asked("audit-defects")


async def test_a_repository_that_is_deleted_ends_its_audit_and_nothing_is_asked_of_it_again(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.instead = slowly
    await here.say("/pool audit")
    await half_way(here)
    here.repository.delete()
    await here.github.settle()
    await here.until(lambda: here.rows("SELECT state FROM chains") == [("done",)])
    before = len(here.github.requests)
    await here.quiet()
    late = here.github.requests[before:]
    assert not [one for one in late if one.method != "GET"]


async def test_a_server_that_is_killed_half_way_pays_for_no_part_twice_and_reports_once(
    here: World, auditor: Auditor
) -> None:
    configure(here, BY_FOLDER)
    auditor.claims = (TOTAL,)
    auditor.instead = slowly
    await here.say("/pool audit")
    await half_way(here)
    read = [tuple(files_of(one)) for one in auditor.asked("audit-defects")]
    await here.bot.kill()
    auditor.instead = lambda _: None
    await here.begin()
    await here.shows("audit", "### 🔎 Audit `defects`: 1 new (worst: high)")
    await here.quiet()
    asked = Counter(tuple(files_of(one)) for one in auditor.asked("audit-defects"))
    again = [files for files, number in asked.items() if number > 1]
    assert all("AGENTS.md" in files for files in again), "only what had not ended is read again"
    assert len(read) > len(again)
    there = report(here)
    assert there is not None
    assert "### 🔎 1 finding open: 1 high" in there.body
    assert len(auditor.asked("verify-audit")) == 1
