"""The events that ask for nothing, but change what we know: frozen values, read from verified payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from claude_pool_gh.terms.ids import CommentRef, Repository, Thread


@dataclass(frozen=True, slots=True)
class HeadMoved:
    """A pull request has another head now."""

    thread: Thread
    head: str
    base_ref: str = ""
    """The branch that it goes into; "" where that was not told."""


@dataclass(frozen=True, slots=True)
class BaseChanged:
    """A pull request goes into another branch now; its head is the same."""

    thread: Thread
    base_ref: str


@dataclass(frozen=True, slots=True)
class ThreadClosed:
    """An issue or pull request was closed."""

    thread: Thread


@dataclass(frozen=True, slots=True)
class ThreadReopened:
    """An issue or pull request is open again; a pull request with its head, which may have moved meanwhile."""

    thread: Thread
    head: str | None = None
    base_ref: str = ""


@dataclass(frozen=True, slots=True)
class GroupQueued:
    """A merge queue waits for checks at a commit that it made for a pull request."""

    thread: Thread
    head: str


@dataclass(frozen=True, slots=True)
class CommentDeleted:
    """Somebody deleted a comment."""

    thread: Thread
    comment: CommentRef


@dataclass(frozen=True, slots=True)
class InstallationChanged:
    """The App was installed, suspended or removed on an account. Repositories are those that the payload names."""

    id: int
    state: Literal["active", "suspended", "removed"]
    repositories: tuple[Repository, ...] = ()


@dataclass(frozen=True, slots=True)
class RepositoriesRemoved:
    """An installation does not see these repositories any more."""

    installation_id: int
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RepositoryChanged:
    """A repository was renamed, transferred, archived or brought back."""

    repository: Repository
    state: Literal["active", "archived", "removed"]


RepositoryEvent = (
    HeadMoved
    | BaseChanged
    | ThreadClosed
    | ThreadReopened
    | GroupQueued
    | CommentDeleted
    | InstallationChanged
    | RepositoriesRemoved
    | RepositoryChanged
)
