"""The kinds of effects, as the values that are stored for them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from claude_pool_gh.terms.ids import Actor, CommentRef, Term


class Comment(Term):
    """A comment that is kept up to date; one that a person deleted stays deleted."""

    kind: Literal["comment"] = "comment"
    number: int
    body: str


class Reply(Term):
    """A comment that is made once. `in_reply_to`: the comment that began the review thread it belongs into."""

    kind: Literal["reply"] = "reply"
    number: int
    body: str
    in_reply_to: int | None = None
    replaces: int | None = None
    """An earlier comment of ours that this one makes superfluous: it is deleted when this one stands."""


ReactionContent = Literal["eyes", "+1", "confused"]
"""Accepted, done, not done."""


class Reaction(Term):
    """Our reaction to a comment, which follows what became of the command in it."""

    kind: Literal["reaction"] = "reaction"
    comment: CommentRef
    content: ReactionContent


class Labels(Term):
    """Labels that a thread should have besides its own."""

    kind: Literal["labels"] = "labels"
    number: int
    names: tuple[str, ...]


class Button(Term):
    """A button of a check run."""

    label: Annotated[str, Field(max_length=20)]
    description: Annotated[str, Field(max_length=40)]
    identifier: Annotated[str, Field(max_length=20)]


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
    buttons: tuple[Button, ...] = ()
    answered_ms: int | None = None
    """When a press of one of its buttons was last answered: GitHub is told this as the time of its completion."""


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


class Review(Term):
    """A review with its inline comments, made once. `fallback` is its body when GitHub refuses the comments."""

    kind: Literal["review"] = "review"
    number: int
    commit: str
    base: str = ""
    """The commit that it is compared with, where it is known: the merge base."""
    body: str
    comments: tuple[InlineComment, ...] = ()
    fallback: str = ""


class Settled(Term):
    """An inline comment of ours about which there is nothing more to do: answered, and its thread resolved.

    Where GitHub does not allow us to resolve it, the comment itself says so, folded under `headline`.
    """

    kind: Literal["settled"] = "settled"
    number: int
    mark: str
    reply: str
    headline: str


class Authority(Term):
    """Who must still be allowed to, at the very moment: the least role by its number, and everybody's account."""

    actors: tuple[Actor, ...]
    least: int


class Change(Term):
    """A commit of an agent's captured work, with all that makes its id: it can be made again anywhere."""

    run_id: str
    parent: str
    commit: str
    message: str
    author_name: str
    author_email: str
    made_s: int
    """Seconds since the epoch."""


class Push(Term):
    """A commit on a pull request's branch, which must still be where the approval saw it."""

    kind: Literal["push"] = "push"
    number: int
    branch: str
    change: Change
    authority: Authority


class Proposal(Term):
    """A new branch with a commit, and a pull request for it."""

    kind: Literal["proposal"] = "proposal"
    branch: str
    base: str
    change: Change
    title: str
    body: str
    draft: bool = False
    authority: Authority


Effect = Annotated[
    Comment | Reply | Reaction | Labels | CheckRun | Review | Settled | Push | Proposal,
    Field(discriminator="kind"),
]

_EFFECT: TypeAdapter[Effect] = TypeAdapter(Effect)

PRIORITY = {
    "reaction": 0, "push": 0, "proposal": 0, "reply": 1, "review": 1, "comment": 2, "check": 2, "labels": 2,
    "settled": 3,
}  # fmt: skip
"""Lower goes first: what people wait for, refusals, first comments and results before progress."""

ONCE = (Review, Reply, Push, Proposal, Settled)
"""Effects that happen one time, whatever is wanted later under the same key."""


def read(stored: Any) -> Effect:
    """The effect in a row."""
    return _EFFECT.validate_python(stored)
