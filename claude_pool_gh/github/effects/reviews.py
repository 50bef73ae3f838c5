"""Posts a review so that a comment which GitHub does not take costs only itself.

GitHub makes a review with all of its comments or not at all, and does not say which one it does not take. So after a
refusal its own picture of the change is asked, and what does not fit there goes into the review's text. Every try has
the same marker: after an unknown outcome the writer looks for it before anything is tried again. A refusal has been
seen to leave the review's text behind, without its comments: then that text is completed, and no second one is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from claude_pool_gh.findings.diffs import pieces_of, shown
from claude_pool_gh.findings.spots import Hunk
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.effects.kinds import InlineComment, Review
from claude_pool_gh.github.effects.marks import ours
from claude_pool_gh.github.effects.rows import EffectRow, marker
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.terms.ids import Repository

_FILES_LIMIT: Final = 300
"""Files that GitHub lists of a comparison."""
_BODY_LIMIT: Final = 64_000
_NOT_PLACED: Final = "GitHub takes no comment at the lines of what follows:"


async def post(forge: Forge, row: EffectRow, review: Review) -> int:
    """Make the review with every comment that GitHub takes at its lines; its id."""
    comments = list(review.comments)
    try:
        return await _try(forge, row, review, comments)
    except ForgeRefused as error:
        if error.status != 422 or not comments:
            raise
    left = await ours(forge, row.repository, f"/pulls/{review.number}/reviews", row.marker)
    if left is not None:
        path = f"/pulls/{review.number}/reviews/{left['id']}"
        await forge.call("PUT", row.repository, path, {"body": f"{_whole(review)}\n\n{row.marker}"})
        return int(left["id"])
    fit = await _fitting(forge, row.repository, review)
    tries = [fit] if len(fit) < len(comments) else []
    tries += [[each for each in fit if each is not out] for out in fit]
    for some in tries:
        try:
            return await _try(forge, row, review, some)
        except ForgeRefused as error:
            if error.status != 422:
                raise
    return await _in_words(forge, row, review)


async def _try(forge: Forge, row: EffectRow, review: Review, comments: Sequence[InlineComment]) -> int:
    """With these comments at their lines, and the others in the review's own text."""
    others = [each.listed or each.body for each in review.comments if each not in comments]
    text = _joined(review.body, [_NOT_PLACED, *others] if others else [])
    body = {"commit_id": review.commit, "event": "COMMENT", "body": f"{text}\n\n{row.marker}"}
    return await _create(forge, row, review, body | {"comments": [_inline(each) for each in comments]})


def _joined(text: str, parts: Sequence[str]) -> str:
    """One after the other, each whole, as many as GitHub takes; else it would refuse the whole review."""
    for number, part in enumerate(parts):
        if len(text) + len(part) > _BODY_LIMIT:
            return f"{text}\n\n*{len(parts) - number} more are left out here: GitHub takes no longer text.*"
        text = f"{text}\n\n{part}"
    return text


async def _in_words(forge: Forge, row: EffectRow, review: Review) -> int:
    """Without a comment at any line, and without a commit, which may be what is refused."""
    body = {"event": "COMMENT", "body": f"{_whole(review)}\n\n{row.marker}"}
    return await _create(forge, row, review, body)


def _whole(review: Review) -> str:
    listed = [each.listed or each.body for each in review.comments]
    return review.fallback or _joined(review.body, listed)


async def _create(forge: Forge, row: EffectRow, review: Review, body: Any) -> int:
    made = await forge.call("POST", row.repository, f"/pulls/{review.number}/reviews", body)
    return int(made["id"])


def _inline(comment: InlineComment) -> dict[str, Any]:
    body = f"{comment.body}\n\n{marker(comment.mark)}" if comment.mark else comment.body
    place: dict[str, Any] = {"path": comment.path, "body": body, "line": comment.line, "side": comment.side}
    if comment.start_line is not None and comment.start_line < comment.line:
        place |= {"start_line": comment.start_line, "start_side": comment.side}
    return place


async def _fitting(forge: Forge, repository: Repository, review: Review) -> list[InlineComment]:
    """The comments whose lines GitHub itself shows in one hunk. All of them where it does not say what it shows."""
    if not review.base:
        return list(review.comments)
    try:
        path = f"/compare/{segment(review.base)}...{segment(review.commit)}"
        files = list((await forge.read(repository, path, per_page=1)).get("files") or [])
    except ForgeRefused:
        return list(review.comments)
    hunks = {str(file["filename"]): _hunks(file.get("patch") or "") for file in files}
    return [
        comment
        for comment in review.comments
        if (comment.path not in hunks and len(files) >= _FILES_LIMIT)
        or any(_holds(hunk, comment) for hunk in hunks.get(comment.path, ()))
    ]


def _hunks(patch: str) -> tuple[Hunk, ...]:
    try:
        return shown(pieces_of(f"{patch}\n"))
    except ValueError:
        return ()


def _holds(hunk: Hunk, comment: InlineComment) -> bool:
    first, last = hunk[:2] if comment.side == "LEFT" else hunk[2:]
    return first <= (comment.start_line or comment.line) and comment.line <= last
