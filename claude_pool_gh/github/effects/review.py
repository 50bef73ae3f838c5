"""A review whose comment that GitHub does not take costs only itself.

GitHub makes a review with all of its comments or not at all, and does not say which one it does not take. So after a
refusal its own picture of the change is asked, and what does not fit there goes into the review's text. Every try has
the same marker: after an unknown outcome the writer looks for it before anything is tried again. A refusal has been
seen to leave the review's text behind, without its comments: then that text is completed, and no second one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, Literal, Self

from claude_pool_gh.findings.diffs import pieces_of, shown
from claude_pool_gh.findings.spots import Hunk
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import id_of_ours, marker, ours
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable
from claude_pool_gh.terms.ids import Repository, Term

_FILES_LIMIT: Final = 300
"""Files that GitHub lists of a comparison."""
_BODY_LIMIT: Final = 64_000
_NOT_PLACED: Final = "GitHub takes no comment at the lines of what follows:"


class InlineComment(Term):
    """A comment at lines of the diff. `mark` is hidden in it, so that what becomes of it can be said there."""

    path: str
    line: int
    start_line: int | None = None
    side: Literal["LEFT", "RIGHT"] = "RIGHT"
    body: str
    listed: str = ""
    """The same for the review's own text, where GitHub does not take the comment at its lines."""
    mark: str = ""

    def reworded(self, change: Callable[[str], str]) -> InlineComment:
        """With other words."""
        return self.model_copy(update={"body": change(self.body), "listed": change(self.listed)})


class Review(Effect):
    """A review with its inline comments, made once. `fallback` is its body when GitHub refuses the comments."""

    kind: Literal["review"] = "review"
    priority: ClassVar[int] = 1
    called: ClassVar[str] = "the review"
    permission: ClassVar[str] = "pull_requests=write"
    once: ClassVar[bool] = True
    number: int
    commit: str
    base: str = ""
    """The commit that it is compared with, where it is known: the merge base."""
    body: str
    comments: tuple[InlineComment, ...] = ()
    fallback: str = ""

    def texts(self) -> tuple[str, ...]:
        """Its own, and each comment's."""
        return (
            self.body,
            self.fallback,
            *(text for each in self.comments for text in (each.body, each.listed)),
        )

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With other words everywhere."""
        comments = tuple(each.reworded(change) for each in self.comments)
        return self._with(body=change(self.body), fallback=change(self.fallback), comments=comments)

    def withheld(self, note: str, holds_secret: Callable[..., bool]) -> Self:
        """With the comments that hold nothing, and a word about the others."""
        kept = tuple(each for each in self.comments if not holds_secret(each.body, each.listed))
        return self._with(comments=kept, body=note, fallback=note)

    def instead(self) -> Effect | None:
        """The findings, as a comment."""
        return Reply(number=self.number, body=self.fallback or self.body)

    async def find(self, forge: Forge, making: Making) -> int | None:
        """By its marker."""
        return await id_of_ours(
            forge, making.repository, f"/pulls/{self.number}/reviews", making.marker
        )

    async def make(self, forge: Forge, making: Making) -> int:
        """Make it with every comment that GitHub takes at its lines."""
        comments = list(self.comments)
        try:
            return await _try(forge, making, self, comments)
        except ForgeRefused as error:
            if error.status != 422 or not comments:
                raise
        left = await ours(forge, making.repository, f"/pulls/{self.number}/reviews", making.marker)
        if left is not None:
            path = f"/pulls/{self.number}/reviews/{left['id']}"
            await forge.call(
                "PUT", making.repository, path, {"body": f"{_whole(self)}\n\n{making.marker}"}
            )
            return int(left["id"])
        fit = await _fitting(forge, making.repository, self)
        tries = [fit] if len(fit) < len(comments) else []
        tries += [[each for each in fit if each is not out] for out in fit]
        for some in tries:
            try:
                return await _try(forge, making, self, some)
            except ForgeRefused as error:
                if error.status != 422:
                    raise
        return await _in_words(forge, making, self)


async def _try(
    forge: Forge, making: Making, review: Review, comments: Sequence[InlineComment]
) -> int:
    """With these comments at their lines, and the others in the review's own text."""
    others = [each.listed or each.body for each in review.comments if each not in comments]
    text = _joined(review.body, others, f"{_NOT_PLACED}\n\n")
    body = {"commit_id": review.commit, "event": "COMMENT", "body": f"{text}\n\n{making.marker}"}
    return await _create(
        forge, making, review, body | {"comments": [_inline(each) for each in comments]}
    )


def _joined(text: str, parts: Sequence[str], heading: str = "") -> str:
    """One after the other, each whole, as many as GitHub takes; else it would refuse the whole review."""
    for number, part in enumerate(parts):
        more = part if number else f"{heading}{part}"
        if len(text) + len(more) > _BODY_LIMIT:
            return f"{text}\n\n*{len(parts) - number} more are left out here: GitHub takes no longer text.*"
        text = f"{text}\n\n{more}"
    return text


async def _in_words(forge: Forge, making: Making, review: Review) -> int:
    """Without a comment at any line, and without a commit, which may be what is refused."""
    body = {"event": "COMMENT", "body": f"{_whole(review)}\n\n{making.marker}"}
    return await _create(forge, making, review, body)


def _whole(review: Review) -> str:
    listed = [each.listed or each.body for each in review.comments]
    return review.fallback or _joined(review.body, listed)


async def _create(forge: Forge, making: Making, review: Review, body: Any) -> int:
    made = await forge.call("POST", making.repository, f"/pulls/{review.number}/reviews", body)
    return int(made["id"])


def _inline(comment: InlineComment) -> dict[str, Any]:
    body = f"{comment.body}\n\n{marker(comment.mark)}" if comment.mark else comment.body
    place: dict[str, Any] = {
        "path": comment.path,
        "body": body,
        "line": comment.line,
        "side": comment.side,
    }
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
    except (ForgeRefused, ForgeUnavailable):  # a difference that is too large for it, too
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
