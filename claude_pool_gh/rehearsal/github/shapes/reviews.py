"""Reviews and their comments as JSON."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.shapes.accounts import user
from claude_pool_gh.rehearsal.github.shapes.issues import association, issue_page, rollup
from claude_pool_gh.rehearsal.github.shapes.pulls import pull_url
from claude_pool_gh.rehearsal.github.shapes.repositories import api
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.repository import Review, ReviewComment

Json = dict[str, Any]


def review(one: Review) -> Json:
    """The `pull-request-review` shape."""
    page = f"{issue_page(one.pull)}#pullrequestreview-{one.id}"
    shape = {
        "id": one.id,
        "node_id": node_id("PullRequestReview", one.id),
        "user": user(one.pull.repository.site, one.author),
        "body": one.body,
        "state": one.state,
        "html_url": page,
        "pull_request_url": pull_url(one.pull),
        "_links": {"html": {"href": page}, "pull_request": {"href": pull_url(one.pull)}},
        "commit_id": one.commit_id,
        "author_association": association(one.pull.repository, one.author),
    }
    return shape if one.state == "PENDING" else {**shape, "submitted_at": iso(one.submitted_at)}


def comment(one: ReviewComment) -> Json:
    """The `pull-request-review-comment` shape, which fits `review-comment` too."""
    repository = one.pull.repository
    url = f"{api(repository)}/pulls/comments/{one.id}"
    page = f"{issue_page(one.pull)}#discussion_r{one.id}"
    shape = {
        "url": url,
        "html_url": page,
        "pull_request_url": pull_url(one.pull),
        "pull_request_review_id": one.review.id,
        "id": one.id,
        "node_id": node_id("PullRequestReviewComment", one.id),
        "diff_hunk": one.diff_hunk,
        "path": one.path,
        "position": one.position,
        "original_position": one.original_position,
        "commit_id": one.commit_id,
        "original_commit_id": one.original_commit_id,
        "line": one.line,
        "original_line": one.original_line,
        "side": one.side,
        "start_line": one.start_line,
        "original_start_line": one.original_start_line,
        "start_side": one.start_side,
        "subject_type": "line",
        "user": user(repository.site, one.author),
        "body": one.body,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "author_association": association(repository, one.author),
        "reactions": rollup(one, url),
        "_links": {
            "self": {"href": url},
            "html": {"href": page},
            "pull_request": {"href": pull_url(one.pull)},
        },
    }
    return shape if one.in_reply_to is None else {**shape, "in_reply_to_id": one.in_reply_to.id}
