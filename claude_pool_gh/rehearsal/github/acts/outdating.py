"""Review comments when the head of their pull request moves."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.state.diffs import follow
from claude_pool_gh.rehearsal.github.state.repository import Pull, ReviewComment


def outdate(pull: Pull) -> None:
    """Move each comment with its line; one whose line was touched or left the diff is outdated."""
    for comment in pull.review_comments:
        if comment.line is not None:
            _move(pull, comment)


def _move(pull: Pull, comment: ReviewComment) -> None:
    git = pull.repository.git
    entry = pull.diff().file(comment.path)
    line: int | None = comment.line
    start: int | None = comment.start_line
    if comment.side == "RIGHT" and line is not None:
        line = follow(git, comment.commit_id, pull.head_sha, comment.path, line)
        start = start and follow(git, comment.commit_id, pull.head_sha, comment.path, start)
    place = entry.place(line, comment.side) if entry is not None and line is not None else None
    if place is None:
        comment.line = comment.start_line = comment.position = None
        return
    comment.line, comment.start_line, comment.position = place.line, start, place.position
    comment.commit_id = pull.head_sha
