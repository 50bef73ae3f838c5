"""Nothing of a thread is left without a decision."""

from __future__ import annotations

import pytest

from claude_pool_gh.github.thread_parts import PARTS

# The parts and states that GitHub's documentation of issues, pull requests, reviews and conversations speaks of.
DOCUMENTED = (
    "title",
    "body",
    "comment",
    "edited comment",
    "deleted comment",
    "minimized comment",
    "pinned comment",
    "comment by mail",
    "review, by its text",
    "edited review",
    "dismissed review",
    "pending review",
    "comment in a review",
    "resolved conversation",
    "label",
    "milestone",
    "assignees",
    "projects",
    "requested reviewers",
    "reactions",
    "author without write access",
    "author who is a bot",
    "author who is gone",
    "the bot's own comment",
    "open",
    "closed",
    "reopened",
    "merged",
    "draft",
    "ready for review",
    "locked",
    "transferred issue",
    "deleted issue",
    "issue converted to a discussion",
    "new head",
    "force-pushed head",
    "another base",
    "head branch deleted",
    "head repository deleted",
    "renamed repository",
    "archived repository",
    "merge queue",
    "sub-issues and dependencies",
)


@pytest.mark.parametrize("part", DOCUMENTED)
def test_each_part_and_state_has_a_decision(part: str) -> None:
    assert len(PARTS[part]) > 7


def test_there_is_no_other() -> None:
    assert set(PARTS) == set(DOCUMENTED)
