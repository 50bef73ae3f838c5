"""The check of a merge queue's commit: green only where the pull request's own review is, and never open for ever."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.tracking.merge_groups import group_check
from claude_pool_gh.github.effects.check_run import CheckRun

COMMIT = "c" * 40


def review(**fields: Any) -> CheckRun:
    values: dict[str, Any] = {
        "name": "claude-pool/review",
        "head": "a" * 40,
        "status": "completed",
        "conclusion": "success",
        "title": "Nothing found in 3 files",
        "summary": "s",
    }
    return CheckRun(**values | fields)


@pytest.mark.parametrize(
    ("own", "conclusion", "title"),
    [
        (None, "neutral", "NOT REVIEWED: pull request 7 has no review at its present head"),
        (
            review(status="in_progress", conclusion=None),
            "neutral",
            "NOT REVIEWED: the review of pull request 7 was not finished when it was queued",
        ),
        (review(), "success", "Pull request 7: Nothing found in 3 files"),
        (review(conclusion="failure"), "failure", "Pull request 7: Nothing found in 3 files"),
        (review(conclusion="neutral"), "neutral", "Pull request 7: Nothing found in 3 files"),
        (
            review(conclusion="action_required"),
            "neutral",
            "Pull request 7: Nothing found in 3 files",
        ),
        (review(conclusion="cancelled"), "neutral", "Pull request 7: Nothing found in 3 files"),
        (review(title="x" * 500), "success", f"Pull request 7: {'x' * 184}"),
    ],
    ids=["none", "not finished", "green", "red", "neutral", "out of money", "cancelled", "long"],
)
def test_it_says_what_the_pull_requests_own_check_says(
    own: CheckRun | None, conclusion: str, title: str
) -> None:
    found = group_check(own, 7, COMMIT)
    assert (found.conclusion, found.title) == (conclusion, title)
    assert (found.name, found.head, found.status) == ("claude-pool/review", COMMIT, "completed")
    assert "the conversation of pull request 7" in found.summary
