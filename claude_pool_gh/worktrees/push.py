"""Puts a commit of the mirror on a ref of its origin, if that is still where it was seen. Never forced."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from claude_pool_gh.terms.branches import why_no_branch
from claude_pool_gh.worktrees.answers import GitOutcome, meaning_of_push, reason_of
from claude_pool_gh.worktrees.errors import OriginUnavailable, OutOfDisk, TookTooLong, WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from claude_pool_gh.worktrees.mirror import checked_commit

PUSH_TIMEOUT: Final = 300.0
_HEADS: Final = "refs/heads/"


class PushRefused(WorktreeError):
    """The ref is not where it was expected, or the origin says no. Nothing has changed there.

    `what` is fit for a comment: the origin's own words in one line of plain text.
    """


async def push(
    mirror: Path,
    login: Credentials,
    commit: str,
    ref: str,
    expected: str | None,
    *,
    seconds: float = PUSH_TIMEOUT,
) -> None:
    """Move `ref` from `expected` (None: it does not exist) to `commit`.

    git compares and sets: with the lease, whoever moved the ref in between makes this fail, and the commit's parent
    being what was expected, nothing is ever lost from the branch. Raises PushRefused for a final no,
    OriginUnavailable where it may work later and nobody knows whether it happened, WorktreeError for the rest.
    """
    if (
        why := "it lies outside refs/heads/"
        if not ref.startswith(_HEADS)
        else why_no_branch(ref[len(_HEADS) :])
    ):
        raise PushRefused(f"{ref[:80]!r} is no branch that can be pushed to: {why}")
    lease = f"--force-with-lease={ref}:{checked_commit(expected) if expected else ''}"
    try:
        out = await git(
            "push",
            "--porcelain",
            "--no-verify",
            "--quiet",
            lease,
            "--end-of-options",
            login.url,
            f"{checked_commit(commit)}:{ref}",
            git_dir=mirror,
            environment=login.environment(),
            timeout=seconds,
        )
    except TookTooLong as error:
        raise OriginUnavailable(
            f"GitHub did not take the push within {seconds:.0f} seconds"
        ) from error
    except WorktreeError as error:
        raise _sorted(error, expected) from error
    if b"\n!" in b"\n" + out:
        raise _sorted(WorktreeError("git push failed", "", out.decode(errors="replace")), expected)


def _sorted(error: WorktreeError, expected: str | None) -> WorktreeError:
    """A failed push as what it means."""
    reason = reason_of(error.out, error.detail)
    match meaning_of_push(error.out, error.detail):
        case GitOutcome.moved:
            told = "the branch has moved" if expected else "a branch of this name exists already"
            return PushRefused(f"{told} since the approval", error.detail)
        case GitOutcome.refused:
            return PushRefused(
                f"GitHub refused the push: {reason or 'it gave no reason'}", error.detail
            )
        case GitOutcome.passing:
            return OriginUnavailable("GitHub did not take the push", reason or error.detail)
        case GitOutcome.no_room:
            return OutOfDisk("there is no room left on the server's disk", error.detail)
        case GitOutcome.other:
            return error
