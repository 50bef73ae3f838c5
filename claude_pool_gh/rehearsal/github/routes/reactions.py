"""Reactions on threads, comments and review comments."""

from __future__ import annotations

from collections.abc import Callable

from claude_pool_gh.rehearsal.github.acts import comments as acts
from claude_pool_gh.rehearsal.github.errors import missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.comments import the_comment
from claude_pool_gh.rehearsal.github.routes.issues import READ, WRITE
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.review_comments import the_review_comment
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import issues as shapes
from claude_pool_gh.rehearsal.github.state.texts import Written

Find = Callable[[Call], Written]


def rows(template: str, find: Find, read: str, write: str) -> tuple[Route, ...]:
    """The three routes of one kind of thing that can be reacted to."""

    def listing(call: Call) -> Answer:
        content = call.query.get("content")
        found = [one for one in find(call).reactions if content in (None, one.content)]
        return paged(call, found, lambda one: shapes.reaction(call.site, one))

    def create(call: Call) -> Answer:
        reaction, new = acts.react(
            call.site, find(call), call.actor, call.text("content", "Reaction")
        )
        return Answer(201 if new else 200, shapes.reaction(call.site, reaction))

    def delete(call: Call) -> Answer:
        written, wanted = find(call), call.number("reaction_id")
        found = next((one for one in written.reactions if one.id == wanted), None)
        if found is None:
            raise missing()
        written.reactions.remove(found)
        call.site.changed()
        return Answer(204)

    return (
        Route("GET", f"{template}/reactions", listing, read),
        Route("POST", f"{template}/reactions", create, write),
        Route("DELETE", f"{template}/reactions/{{reaction_id}}", delete, write),
    )


ROUTES = (
    *rows("/repos/{owner}/{repo}/issues/{issue_number}", lambda call: call.issue, READ, WRITE),
    *rows("/repos/{owner}/{repo}/issues/comments/{comment_id}", the_comment, READ, WRITE),
    *rows(
        "/repos/{owner}/{repo}/pulls/comments/{comment_id}",
        the_review_comment,
        "pull_requests:read",
        "pull_requests:write",
    ),
)
