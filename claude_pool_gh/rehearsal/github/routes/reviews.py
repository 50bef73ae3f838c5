"""Reviews of pull requests."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import reviews as acts
from claude_pool_gh.rehearsal.github.errors import missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.pulls import READ, WRITE
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import reviews as shapes
from claude_pool_gh.rehearsal.github.state.repository import Review


def _visible(call: Call) -> list[Review]:
    mine = call.bearer.user
    return [one for one in call.pull.reviews if one.state != "PENDING" or one.author is mine]


def _the(call: Call) -> Review:
    wanted = call.number("review_id")
    found = next((one for one in _visible(call) if one.id == wanted), None)
    if found is None:
        raise missing()
    return found


def list_reviews(call: Call) -> Answer:
    """Reviews in the order they came."""
    return paged(call, _visible(call), shapes.review)


def create_review(call: Call) -> Answer:
    """Submit a review."""
    body = call.body
    review = acts.create(
        call.pull,
        call.actor,
        event=body.get("event"),
        body=body.get("body") or "",
        commit_id=body.get("commit_id"),
        comments=body.get("comments") or [],
    )
    return Answer(json=shapes.review(review))


def get_review(call: Call) -> Answer:
    """One review."""
    return Answer(json=shapes.review(_the(call)))


def edit_review(call: Call) -> Answer:
    """Replace the summary of a review."""
    review = _the(call)
    review.body = call.text("body", "PullRequestReview")
    call.site.changed()
    return Answer(json=shapes.review(review))


def delete_review(call: Call) -> Answer:
    """Take back a draft."""
    review = _the(call)
    acts.delete(review)
    call.site.changed()
    return Answer(json=shapes.review(review))


def list_review_comments(call: Call) -> Answer:
    """The comments that came with a review."""
    return paged(call, _the(call).comments, shapes.comment)


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", list_reviews, READ),
    Route("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews", create_review, WRITE),
    Route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}", get_review, READ),
    Route(
        "PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}", edit_review, WRITE
    ),
    Route(
        "DELETE",
        "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}",
        delete_review,
        WRITE,
    ),
    Route(
        "GET",
        "/repos/{owner}/{repo}/pulls/{pull_number}/reviews/{review_id}/comments",
        list_review_comments,
        READ,
    ),
)
