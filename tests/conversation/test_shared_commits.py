"""One check speaks for all pull requests at a commit: green only where each of theirs is."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.conversation.tracking.shared_commits import for_all, others_at
from claude_pool_gh.github import thread_rows
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Thread
from tests.conversation.rows import HEAD, OTHER, SHOP
from tests.pool.make import NOW

Verdict = Literal["success", "failure", "neutral", "cancelled", "action_required"]


def check(conclusion: Verdict | None = "success", **fields: Any) -> CheckRun:
    status = "completed" if conclusion else "in_progress"
    values: dict[str, Any] = {"title": "fine", "summary": "s", "status": status}
    values |= {"name": "claude-pool/review", "head": HEAD, "conclusion": conclusion}
    return CheckRun(**values | fields)


@pytest.mark.parametrize(
    ("own", "others", "conclusion", "named"),
    [
        (check(), {}, "success", None),
        (check(), {8: check()}, "success", None),
        (check(), {8: check("failure")}, "failure", 8),
        (check(), {8: check("neutral")}, "neutral", 8),
        (check(), {8: check("cancelled")}, "neutral", 8),
        (check(), {8: check(None)}, "neutral", 8),
        (check(), {8: check("neutral"), 9: check("failure")}, "failure", 9),
        (check(), {9: check("neutral"), 8: check("neutral")}, "neutral", 8),
        (check(), {9: check("failure"), 8: check("failure")}, "failure", 8),
        (check(), {8: check("neutral", alone="success")}, "success", None),
        (check("failure"), {8: check("neutral")}, "failure", None),
        (check("neutral"), {8: check("failure")}, "neutral", None),
    ],
    ids=[
        "alone",
        "all are green",
        "one is red",
        "one is neutral",
        "one was cancelled",
        "one is not finished",
        "red is worse than neutral",
        "the first of two",
        "the first of two that are red",
        "green but for this one",
        "itself is red",
        "itself is neutral",
    ],
)
def test_it_is_green_only_where_all_of_them_are(
    own: CheckRun, others: dict[int, CheckRun], conclusion: str, named: int | None
) -> None:
    found = for_all(own, others)
    assert found.conclusion == conclusion
    if named is None:
        assert found == own
    else:
        assert found.title == f"fine; #{named} has the same commit: fine"
        assert found.alone == "success", "its own verdict is kept for the others"


def test_its_title_is_no_longer_than_github_takes() -> None:
    assert len(for_all(check(), {8: check("failure", title="x" * 300)}).title) == 200


@pytest.mark.parametrize(
    ("head", "is_open", "counts"),
    [
        (None, True, True),
        (HEAD, True, True),
        ("", True, True),
        (OTHER, True, False),
        (HEAD, False, False),
        ("", False, False),
    ],
    ids=["unknown", "at it", "head unknown", "moved on", "closed", "closed, head unknown"],
)
def test_pull_requests_count_that_are_open_at_the_commit(
    head: str | None, is_open: bool, counts: bool
) -> None:
    own, other = Thread(repository=SHOP, number=7), Thread(repository=SHOP, number=8)
    database = Database.temporary()
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        for thread in (own, other):
            key = CheckKey.of(thread, "review", HEAD).format()
            want(tx, key, SHOP, check("failure"), NOW)
        if head is not None:
            thread_rows.note(tx, thread_key(other), head=head, is_open=is_open)
        found = others_at(tx, own, "review", HEAD)
        assert found == ({8: check("failure")} if counts else {}), "never itself"
        assert others_at(tx, own, "fix", HEAD) == {}
    database.close()
