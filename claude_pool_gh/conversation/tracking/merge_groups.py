"""The check of a merge queue's commit: the state of the review of the pull request that it was made for."""

from __future__ import annotations

from typing import Literal

from claude_pool_gh.github.effects.check_run import CheckRun

_NAME = "claude-pool/review"


def group_check(review: CheckRun | None, number: int, commit: str) -> CheckRun:
    """The check at a queue's commit. Success only where the pull request's own check, at its present head, is success.

    Nothing is reviewed anew here: the commit holds changes of others too, each of which has a check of its own. What
    does not speak against a merge there does not do so here: a queue waits for ever for a check that is not completed.
    """
    conclusion: Literal["success", "failure", "neutral"] = "neutral"
    if review is None:
        said = f"NOT REVIEWED: pull request {number} has no review at its present head"
    elif review.status != "completed":
        said = (
            f"NOT REVIEWED: the review of pull request {number} was not finished when it was queued"
        )
    else:
        said = f"Pull request {number}: {review.title}"
        if review.conclusion in ("success", "failure"):
            conclusion = review.conclusion
    return CheckRun(
        name=_NAME,
        head=commit,
        status="completed",
        conclusion=conclusion,
        title=said[:200],
        summary="Reviewed per pull request; the merge queue's own commit was not read. "
        f"All of it stands in the conversation of pull request {number}.",
    )
