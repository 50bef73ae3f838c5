"""The names of things on GitHub. Numbers identify; names are for people and URLs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Term(BaseModel):
    """Base of the exchanged values: frozen, closed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text) or text in (".", ".."):
        raise ValueError("not a name that GitHub gives")
    return text


Name = Annotated[str, AfterValidator(_name)]
"""An owner's or repository's name: safe in a URL path."""

Positive = Annotated[int, Field(gt=0)]


class Repository(Term):
    """A repository and the installation through which we may speak to it (0: through the Action's token)."""

    id: Positive
    owner: Name
    name: Name
    installation_id: int = 0

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


class Actor(Term):
    """The user who caused something."""

    id: Positive
    login: str
    is_human: bool = True


class Thread(Term):
    """An issue or pull request."""

    repository: Repository
    number: Positive


class CommentRef(Term):
    """A comment in a thread, or in a thread of a review."""

    id: Positive
    kind: Literal["issue_comment", "review_comment"] = "issue_comment"
    root: Positive | None = None
    """Of a reply in a review's thread: the comment that began it."""


class ReviewRef(Term):
    """A submitted review, by its own text: nobody can react to it or answer under it."""

    id: Positive
    kind: Literal["review"] = "review"


class Trigger(Term):
    """Something else than a comment that asks for a command: a label, a button, an event, an Actions workflow."""

    kind: Literal[
        "label", "opened", "ready_for_review", "push", "button", "rerun", "workflow", "schedule"
    ]
    """Of `schedule`, a due time is the cause: of the configuration on the default branch, or of a workflow's."""
    id: Annotated[str, Field(max_length=100)]
    """Tells one such happening from every other of its kind in the repository."""
    check: str = ""
    """Of a button or a re-run: the key of the check run under which it was pressed."""


Source = Annotated[CommentRef | ReviewRef | Trigger, Field(discriminator="kind")]
"""Where a command came from."""
