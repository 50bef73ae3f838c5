"""The job's page and its report file: the same words as on GitHub, and nothing in them that acts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.action import summary
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.action.results import CommandResult, JobResult
from claude_pool_gh.github import inbox
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.review import InlineComment, Review
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Repository

SHOP = Repository(id=1, owner="octo", name="shop")
FOUND = CommandResult(line="/pool review", outcome=Verdict.findings, title="1 finding")
RULE = "\n\n---\n\n"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        inbox.remember_repository(tx, SHOP)
    yield opened
    opened.close()


def report(database: Database, *wanted: Effect, shout: bool = False) -> str:
    """The report where these were wanted, in this order; `shout`: as a screen lets them through."""
    with database.engine.begin() as tx:
        for place, effect in enumerate(wanted):
            rows.want(tx, f"{place}", SHOP, effect, place)
        return summary.report(tx, lambda each: each.reworded(str.upper) if shout else each)


def test_all_that_people_were_to_read_is_in_the_report_and_nothing_else(
    database: Database,
) -> None:
    inline = InlineComment(path="a`b.py", line=3, body="Divides by zero", listed="not this")
    found = report(
        database,
        Comment(number=7, body="The run"),
        Reply(number=7, body="An answer"),
        CheckRun(name="c", head="a" * 40, status="queued", title="Waits", summary="The check"),
        ReportIssue(title="The audit", body="A report"),
        Review(number=7, commit="a" * 40, body="A review", comments=(inline,), fallback="else"),
    )
    parts = found.split(RULE)
    assert parts[:3] == ["The run", "An answer", "A report"]
    assert parts[3].startswith("A review\n\n**")
    assert parts[3].endswith("**, line 3\n\nDivides by zero")
    assert len(parts) == 4


def test_what_leaves_for_the_report_is_screened_as_on_its_way_to_github(
    database: Database,
) -> None:
    wanted = (Comment(number=7, body="a key"), Reply(number=7, body="another"))
    assert report(database, *wanted, shout=True) == f"A KEY{RULE}ANOTHER"


def test_the_page_begins_with_what_came_of_the_job_and_what_it_cost() -> None:
    result = JobResult(outcome=Verdict.findings, red=False, cost=1_500_000, commands=(FOUND,))
    assert summary.page(result, "The report", "https://github.com/octo/shop/pull/7") == (
        "### claude-pool: findings ($1.50)\n"
        "\n[The thread](https://github.com/octo/shop/pull/7) has the same.\n"
        "\n- `/pool` review: findings, 1 finding"
        "\n\nThe report\n"
    )


def test_a_page_of_a_job_without_a_thread_leads_nowhere_and_says_what_it_at_most_cost() -> None:
    result = JobResult(outcome=Verdict.clean, red=False, cost=2_000_000, upper_bound=True)
    head, *rest = summary.page(result, "", "").split("\n")
    assert head.startswith("### claude-pool: clean (")
    assert "$2.00" in head
    assert head != "### claude-pool: clean ($2.00)"
    assert "".join(rest) == ""


def test_a_rehearsal_is_called_one() -> None:
    result = JobResult(outcome=Verdict.findings, red=False, dry_run=True)
    assert summary.page(result, "x", "").startswith("### claude-pool: rehearsal, findings (")


def test_why_it_is_red_comes_before_the_commands_and_a_first_refusal_is_not_told_twice() -> None:
    refusals = ("GitHub refused the check: no", "GitHub refused the review: no")
    result = JobResult(
        outcome=JobOutcome.not_posted,
        red=True,
        why=refusals[0],
        commands=(FOUND,),
        refusals=refusals,
    )
    assert summary.page(result, "x", "").split("\n")[1:] == [
        "",
        "**GitHub refused the check: no**",
        "",
        "- `/pool` review: findings, 1 finding",
        "- GitHub refused the review: no",
        "",
        "x",
        "",
    ]


def test_words_of_others_on_the_page_mention_nobody_and_begin_no_heading() -> None:
    hostile = "/pool ask @octo/all\n# mine"
    command = CommandResult(line=hostile, outcome=JobOutcome.refused, title=hostile)
    result = JobResult(
        outcome=JobOutcome.refused,
        red=False,
        why=hostile,
        commands=(command,),
        refusals=("", hostile),
    )
    page = summary.page(result, "", "")
    assert "\n# mine" not in page
    assert " @octo/all" not in page
    assert page.count("octo/all") == 4
