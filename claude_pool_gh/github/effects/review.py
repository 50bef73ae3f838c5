"""A review whose comment that GitHub does not take costs only itself.

GitHub makes a review with all of its comments or not at all, and does not say which one it does not take. So after a
refusal its own picture of the change is asked, and what does not fit there goes into the review's text. Where it still
refuses, parts of the comments are tried in drafts that nobody else sees (`review_drafts`), and the review is made once
with all that GitHub takes: it stands once in the conversation, and its text lists the others. What was refused is kept
nowhere, so a review that limits interrupt again and again lists all: else it might never end, and hold up what waits
with it.

Each try has the review's marker, and each comment one of its own: after an unknown outcome the writer looks for the
review, and what of it stands already is not made again. A refusal has been seen to leave the review's text behind,
without its comments: then those follow in a review of their own, and the text is completed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final, Literal, Self

from claude_pool_gh.findings.diffs import pieces_of, shown
from claude_pool_gh.findings.spots import Hunk
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.effects import review_drafts
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import all_of_ours, id_of_ours, marker, post
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable
from claude_pool_gh.terms.ids import Repository, Term

_FILES_LIMIT: Final = 300
"""Files that GitHub lists of a comparison."""
_BODY_LIMIT: Final = 64_000
_PATIENT_TRIES: Final = 3
"""Tries after which what GitHub may not take is listed and not tried any more."""
_UNPROCESSABLE: Final = 422
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
        made = await _unless_refused(
            review_drafts.without_draft(
                forge,
                making.repository,
                self.number,
                lambda: _try(forge, making, self, self.comments),
            )
        )
        if made is not None:
            return made
        if (left := await self.find(forge, making)) is not None:
            return await self._complete(forge, making, left, self.comments)
        fit = await _fitting(forge, making.repository, self)
        if len(fit) < len(self.comments):
            made = await _unless_refused(_try(forge, making, self, fit))
        if made is None and fit:
            taken = await self._taken(forge, making, fit)
            made = await _unless_refused(_try(forge, making, self, taken))
        # Where that is refused too, it is no comment that is, perhaps the commit.
        return await _in_words(forge, making, self) if made is None else made

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:
        """Add the comments that are missing: a refusal may have left the text behind without them."""
        await review_drafts.removed(forge, making.repository, self.number)
        path = f"/pulls/{self.number}/reviews/{remote_id}/comments"
        there = [each async for each in forge.pages(making.repository, path)]
        if len(there) >= len(self.comments):
            return remote_id
        fit = await _fitting(forge, making.repository, self)
        return await self._complete(forge, making, remote_id, fit)

    async def _complete(
        self, forge: Forge, making: Making, made: int, fit: Sequence[InlineComment]
    ) -> int:
        """Make what of these comments does not stand yet, and list the others in the review's text."""
        listing = f"/pulls/{self.number}/comments"
        standing = [each async for each in all_of_ours(forge, making.repository, listing)]
        missing = [
            each
            for each in fit
            if not any(_own_marker(making, each) in str(one["body"]) for one in standing)
        ]
        taken = missing
        if missing and await _unless_refused(_create(forge, making, self, "", missing)) is None:
            taken = await self._taken(forge, making, missing)
            if taken:
                await _create(forge, making, self, "", taken)
        refused = [each for each in missing if each not in taken]
        listed = [each for each in self.comments if each in refused or each not in fit]
        if listed:
            text = f"{_with_listed(self, listed)}\n\n{making.marker}"
            path = f"/pulls/{self.number}/reviews/{made}"
            await forge.call("PUT", making.repository, path, {"body": text})
        return made

    async def _taken(
        self, forge: Forge, making: Making, comments: Sequence[InlineComment]
    ) -> list[InlineComment]:
        """Those that GitHub takes, of some that it refused together; none where limits interrupted that too often."""
        if making.tries >= _PATIENT_TRIES:
            return []
        place = review_drafts.DraftPlace(forge, making, self.number, self.commit)
        inline = [_inline(making, each) for each in comments]
        at = await review_drafts.taken(place, inline)
        return [each for number, each in enumerate(comments) if number in at]


async def _unless_refused(made: Awaitable[int]) -> int | None:
    """None where GitHub does not take something of it, and does not say what."""
    try:
        return await made
    except ForgeRefused as error:
        if error.status != _UNPROCESSABLE:
            raise
        return None


async def _try(
    forge: Forge, making: Making, review: Review, comments: Sequence[InlineComment]
) -> int:
    """With these comments at their lines, and the others in the review's own text."""
    others = [each for each in review.comments if each not in comments]
    text = f"{_with_listed(review, others)}\n\n{making.marker}"
    return await _create(forge, making, review, text, comments)


def _with_listed(review: Review, comments: Sequence[InlineComment]) -> str:
    listed = [each.listed or each.body for each in comments]
    return _joined(review.body, listed, f"{_NOT_PLACED}\n\n")


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
    listed = [each.listed or each.body for each in review.comments]
    whole = review.fallback or _joined(review.body, listed)
    body = {"event": "COMMENT", "body": f"{whole}\n\n{making.marker}"}
    return await post(forge, making.repository, f"/pulls/{review.number}/reviews", body)


async def _create(
    forge: Forge, making: Making, review: Review, text: str, comments: Sequence[InlineComment]
) -> int:
    body = {
        "commit_id": review.commit,
        "event": "COMMENT",
        "body": text,
        "comments": [_inline(making, each) for each in comments],
    }
    return await post(forge, making.repository, f"/pulls/{review.number}/reviews", body)


def _own_marker(making: Making, comment: InlineComment) -> str:
    """The marker of a comment of this very review: one of an earlier review about the same finding is another."""
    place = (comment.path, comment.side, comment.start_line, comment.line, comment.mark)
    return marker(f"{making.key}:{place}")


def _inline(making: Making, comment: InlineComment) -> dict[str, Any]:
    marks = [_own_marker(making, comment), *([marker(comment.mark)] if comment.mark else [])]
    place: dict[str, Any] = {
        "path": comment.path,
        "body": "\n\n".join([comment.body, *marks]),
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
