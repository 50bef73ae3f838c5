"""The kinds of effects, as the values that are stored for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from claude_pool_gh.terms.ids import CommentRef, Term


class Comment(Term):
    """A comment that is kept up to date; one that a person deleted stays deleted."""

    kind: Literal["comment"] = "comment"
    number: int
    body: str


class Reply(Term):
    """A comment that is made once."""

    kind: Literal["reply"] = "reply"
    number: int
    body: str


class Reaction(Term):
    """A reaction to a comment; GitHub itself makes it only once."""

    kind: Literal["reaction"] = "reaction"
    comment: CommentRef
    content: Literal["eyes", "+1", "confused"]


class CheckRun(Term):
    """A check run at a commit, kept up to date."""

    kind: Literal["check"] = "check"
    name: str
    head: str
    status: Literal["queued", "in_progress", "completed"]
    conclusion: Literal["success", "failure", "neutral", "cancelled", "skipped", "action_required"] | None = (
        None
    )
    title: str
    summary: str


class InlineComment(Term):
    """A comment at lines of the diff."""

    path: str
    line: int
    start_line: int | None = None
    body: str


class Review(Term):
    """A review with its inline comments, made once. `fallback` is its body when GitHub refuses the comments."""

    kind: Literal["review"] = "review"
    number: int
    commit: str
    body: str
    comments: tuple[InlineComment, ...] = ()
    fallback: str = ""


Effect = Annotated[Comment | Reply | Reaction | CheckRun | Review, Field(discriminator="kind")]

_EFFECT: TypeAdapter[Effect] = TypeAdapter(Effect)

PRIORITY = {"reaction": 0, "reply": 1, "comment": 2, "check": 2, "review": 1}
"""Lower goes first: refusals, first comments and results before progress."""


def read(stored: Any) -> Effect:
    """The effect in a row."""
    return _EFFECT.validate_python(stored)
