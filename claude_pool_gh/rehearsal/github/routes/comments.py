"""Comments in conversations."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import comments as acts
from claude_pool_gh.rehearsal.github.errors import missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.issues import READ, WRITE
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import issues as shapes
from claude_pool_gh.rehearsal.github.state.clock import parse_iso
from claude_pool_gh.rehearsal.github.state.repository import Comment


def the_comment(call: Call) -> Comment:
    """The comment of the path."""
    wanted = call.number("comment_id")
    for thread in call.repository.threads.values():
        for comment in thread.comments:
            if comment.id == wanted:
                call.check_thread(thread)
                return comment
    raise missing()


def _since(call: Call, comments: list[Comment]) -> list[Comment]:
    since = parse_iso(call.query["since"]) if call.query.get("since") else 0.0
    return [one for one in comments if int(one.updated_at) >= since]


def list_comments(call: Call) -> Answer:
    """The conversation of a thread, oldest first."""
    return paged(call, _since(call, call.issue.comments), shapes.comment)


def list_all(call: Call) -> Answer:
    """The comments of all threads."""
    everything = [
        comment for thread in call.repository.threads.values() for comment in thread.comments
    ]
    descending = call.query.get("direction") == "desc"
    recent = call.query.get("sort") == "updated"
    everything.sort(key=lambda one: one.updated_at if recent else one.id, reverse=descending)
    return paged(call, _since(call, everything), shapes.comment)


def get_comment(call: Call) -> Answer:
    """One comment."""
    return Answer(json=shapes.comment(the_comment(call)))


def create_comment(call: Call) -> Answer:
    """Say something."""
    comment = acts.create(call.issue, call.actor, call.text("body", "IssueComment"))
    return Answer(201, shapes.comment(comment), {"Location": shapes.comment(comment)["url"]})


def edit_comment(call: Call) -> Answer:
    """Replace a comment's text."""
    comment = the_comment(call)
    acts.edit(comment, call.actor, call.text("body", "IssueComment"))
    return Answer(json=shapes.comment(comment))


def delete_comment(call: Call) -> Answer:
    """Remove a comment."""
    acts.delete(the_comment(call), call.actor)
    return Answer(204)


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments", list_comments, READ),
    Route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments", create_comment, WRITE),
    Route("GET", "/repos/{owner}/{repo}/issues/comments", list_all, READ),
    Route("GET", "/repos/{owner}/{repo}/issues/comments/{comment_id}", get_comment, READ),
    Route("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}", edit_comment, WRITE),
    Route("DELETE", "/repos/{owner}/{repo}/issues/comments/{comment_id}", delete_comment, WRITE),
)
