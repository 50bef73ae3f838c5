"""Comments on lines of a diff."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import reviews as acts
from claude_pool_gh.rehearsal.github.errors import missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.pulls import READ, WRITE
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import reviews as shapes
from claude_pool_gh.rehearsal.github.state.clock import parse_iso
from claude_pool_gh.rehearsal.github.state.repository import ReviewComment


def the_review_comment(call: Call) -> ReviewComment:
    """The review comment of the path."""
    wanted = call.number("comment_id")
    for pull in call.repository.pulls:
        for comment in pull.review_comments:
            if comment.id == wanted:
                return comment
    raise missing()


def list_comments(call: Call) -> Answer:
    """Every review comment of a pull request."""
    since = parse_iso(call.query["since"]) if call.query.get("since") else 0.0
    found = [one for one in call.pull.review_comments if int(one.updated_at) >= since]
    found.sort(key=lambda one: one.id, reverse=call.query.get("direction") == "desc")
    return paged(call, found, shapes.comment)


def list_all(call: Call) -> Answer:
    """The review comments of all pull requests."""
    since = parse_iso(call.query["since"]) if call.query.get("since") else 0.0
    every = [comment for pull in call.repository.pulls for comment in pull.review_comments]
    found = [one for one in every if int(one.updated_at) >= since]
    recent = call.query.get("sort") == "updated"
    found.sort(
        key=lambda one: one.updated_at if recent else one.id,
        reverse=call.query.get("direction") == "desc",
    )
    return paged(call, found, shapes.comment)


def get_comment(call: Call) -> Answer:
    """One review comment."""
    return Answer(json=shapes.comment(the_review_comment(call)))


def edit_comment(call: Call) -> Answer:
    """Replace its text."""
    comment = the_review_comment(call)
    acts.edit_comment(comment, call.actor, call.text("body", "PullRequestReviewComment"))
    return Answer(json=shapes.comment(comment))


def delete_comment(call: Call) -> Answer:
    """Remove it."""
    acts.delete_comment(the_review_comment(call), call.actor)
    return Answer(204)


def reply(call: Call) -> Answer:
    """Answer in its thread; only a thread's first comment can be answered."""
    comment = the_review_comment(call)
    if comment.pull is not call.pull or comment.in_reply_to is not None:
        raise missing()
    return Answer(
        201,
        shapes.comment(
            acts.reply(comment, call.actor, call.text("body", "PullRequestReviewComment"))
        ),
    )


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/comments", list_comments, READ),
    Route("GET", "/repos/{owner}/{repo}/pulls/comments", list_all, READ),
    Route("GET", "/repos/{owner}/{repo}/pulls/comments/{comment_id}", get_comment, READ),
    Route("PATCH", "/repos/{owner}/{repo}/pulls/comments/{comment_id}", edit_comment, WRITE),
    Route("DELETE", "/repos/{owner}/{repo}/pulls/comments/{comment_id}", delete_comment, WRITE),
    Route(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies",
        reply,
        WRITE,
    ),
)
