"""Reviews, with every line held against the real diff before anything is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from claude_pool_gh.rehearsal.github.acts.issues import check_body, touch
from claude_pool_gh.rehearsal.github.errors import RefusedError, unprocessable
from claude_pool_gh.rehearsal.github.shapes import pulls as pull_shapes
from claude_pool_gh.rehearsal.github.shapes import reviews as shapes
from claude_pool_gh.rehearsal.github.state.diffs import Diff, Place
from claude_pool_gh.rehearsal.github.state.people import Actor
from claude_pool_gh.rehearsal.github.state.repository import Pull, Review, ReviewComment
from claude_pool_gh.rehearsal.github.state.site import Event

Json = Mapping[str, Any]
State = Literal["COMMENTED", "APPROVED", "CHANGES_REQUESTED", "PENDING"]
STATES: Mapping[str | None, State] = {
    "COMMENT": "COMMENTED",
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    None: "PENDING",
}


def create(
    pull: Pull,
    actor: Actor,
    *,
    event: str | None,
    body: str,
    commit_id: str | None,
    comments: Sequence[Json],
) -> Review:
    """Submit a review; one comment that does not fit the diff refuses all of it."""
    site = pull.repository.site
    commit = commit_id or pull.head_sha
    _refuse_faults(pull, actor, event, body, commit, comments)
    difference = pull.diff(commit)
    drafts = [_place(difference, comment) for comment in comments]
    review = Review(site.ids.next(), pull, actor.user, body, STATES[event], commit, site.now())
    for comment, (start, end) in zip(comments, drafts, strict=True):
        review.comments.append(_comment(review, actor, comment, start, end))
    pull.reviews.append(review)
    if review.state != "PENDING":
        publish(review, actor)
    return review


def delete(review: Review) -> None:
    """Take back a review that was not submitted."""
    if review.state != "PENDING":
        raise unprocessable("Can not delete a non-pending pull request review")
    review.pull.reviews.remove(review)


def publish(review: Review, actor: Actor) -> None:
    """Let everybody see a review and tell of it."""
    pull = review.pull
    pull.review_comments.extend(review.comments)
    touch(pull)
    state = review.state.lower()
    payload = {
        "review": {**shapes.review(review), "state": state},
        "pull_request": pull_shapes.simple(pull),
    }
    pull.repository.site.emit(
        Event("pull_request_review", "submitted", actor, payload, pull.repository.id)
    )
    for comment in review.comments:
        tell(comment, actor, "created")


def _refuse_faults(
    pull: Pull, actor: Actor, event: str | None, body: str, commit: str, comments: Sequence[Json]
) -> None:
    check_body(pull.repository, "PullRequestReview", body)
    if event not in STATES:
        raise unprocessable(
            f"Variable $event of type PullRequestReviewEvent was provided invalid value {event}"
        )
    if (
        event in ("COMMENT", "REQUEST_CHANGES")
        and not body
        and not (comments and event == "COMMENT")
    ):
        raise unprocessable("Body can't be blank")
    if event in ("APPROVE", "REQUEST_CHANGES") and actor.user.id == pull.author.id:
        raise unprocessable(f"Can not {event.lower().replace('_', ' ')} on your own pull request")
    if _has_draft(pull, actor):
        raise unprocessable("User can only have one pending review per pull request")
    if pull.repository.git.resolve(commit) != commit:
        raise unprocessable(f"No commit found for SHA: {commit}")
    for comment in comments:
        check_body(pull.repository, "PullRequestReviewComment", str(comment.get("body", "")))
        if not comment.get("body"):
            raise unprocessable("Body can't be blank")


def _has_draft(pull: Pull, actor: Actor) -> bool:
    return any(one.state == "PENDING" and one.author is actor.user for one in pull.reviews)


def _place(difference: Diff, comment: Json) -> tuple[Place | None, Place]:
    entry = difference.file(str(comment.get("path")))
    if entry is None:
        raise unprocessable("Path could not be resolved")
    if comment.get("line") is None and comment.get("position") is not None:
        at = next((one for one in entry.places() if one.position == comment["position"]), None)
    else:
        at = entry.place(int(comment.get("line") or 0), comment.get("side") or "RIGHT")
    if at is None:
        raise unprocessable("Line could not be resolved")
    if comment.get("start_line") is None:
        return None, at
    start = entry.place(
        int(comment["start_line"]), comment.get("start_side") or comment.get("side") or "RIGHT"
    )
    if start is None:
        raise unprocessable("Start line could not be resolved")
    if start.position >= at.position:
        raise unprocessable("Start line must precede the end line")
    if start.hunk != at.hunk:
        raise unprocessable("Start line must be part of the same hunk as the line")
    return start, at


def _comment(
    review: Review, actor: Actor, given: Json, start: Place | None, end: Place
) -> ReviewComment:
    site = review.pull.repository.site
    now = site.now()
    return ReviewComment(
        site.ids.next(),
        actor.user,
        str(given["body"]),
        now,
        now,
        actor.app,
        pull=review.pull,
        review=review,
        path=str(given["path"]),
        commit_id=review.commit_id,
        original_commit_id=review.commit_id,
        diff_hunk=end.until,
        original_position=end.position,
        original_line=end.line,
        original_start_line=None if start is None else start.line,
        position=end.position,
        line=end.line,
        start_line=None if start is None else start.line,
        side=end.side,
        start_side=None if start is None else start.side,
    )


def reply(to: ReviewComment, actor: Actor, body: str) -> ReviewComment:
    """Answer in the thread of a review comment; GitHub makes a small review of its own for it."""
    check_body(to.pull.repository, "PullRequestReviewComment", body)
    if not body.strip():
        raise RefusedError(
            422,
            "Validation Failed",
            errors=[
                {"resource": "PullRequestReviewComment", "field": "body", "code": "missing_field"}
            ],
        )
    if _has_draft(to.pull, actor):
        raise RefusedError(
            422,
            "Validation Failed",
            errors=[
                {
                    "resource": "PullRequestReview",
                    "field": "user_id",
                    "code": "custom",
                    "message": "user_id can only have one pending review per pull request",
                }
            ],
        )
    site, first = to.pull.repository.site, to.in_reply_to or to
    now = site.now()
    review = Review(site.ids.next(), to.pull, actor.user, "", "COMMENTED", to.pull.head_sha, now)
    answer = ReviewComment(
        site.ids.next(),
        actor.user,
        body,
        now,
        now,
        actor.app,
        pull=to.pull,
        review=review,
        path=first.path,
        commit_id=first.commit_id,
        original_commit_id=first.original_commit_id,
        diff_hunk=first.diff_hunk,
        original_position=first.original_position,
        original_line=first.original_line,
        original_start_line=first.original_start_line,
        position=first.position,
        line=first.line,
        start_line=first.start_line,
        side=first.side,
        start_side=first.start_side,
        in_reply_to=first,
    )
    review.comments.append(answer)
    to.pull.reviews.append(review)
    publish(review, actor)
    return answer


def edit_comment(comment: ReviewComment, actor: Actor, body: str) -> None:
    """Replace the text of a review comment."""
    check_body(comment.pull.repository, "PullRequestReviewComment", body)
    before, comment.body = comment.body, body
    comment.updated_at = comment.pull.repository.site.now()
    tell(comment, actor, "edited", changes={"body": {"from": before}})


def delete_comment(comment: ReviewComment, actor: Actor) -> None:
    """Take a review comment away."""
    comment.pull.review_comments.remove(comment)
    comment.review.comments.remove(comment)
    tell(comment, actor, "deleted")


def tell(comment: ReviewComment, actor: Actor, action: str, **more: object) -> None:
    """Send the event of a review comment."""
    repository = comment.pull.repository
    payload = {
        "comment": shapes.comment(comment),
        "pull_request": pull_shapes.simple(comment.pull),
        **more,
    }
    repository.site.emit(
        Event("pull_request_review_comment", action, actor, payload, repository.id)
    )
