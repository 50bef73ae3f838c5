"""The few fields of webhook payloads that are used, typed; every other is ignored, since GitHub adds more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from claude_pool_gh.terms.ids import Actor, Repository


class Payload(BaseModel):
    """Base: nothing is guessed from a value of another type."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class User(Payload):
    """An account."""

    id: int
    login: str
    type: str = "Unknown"

    @property
    def actor(self) -> Actor:
        """The account as whoever acts; only what GitHub calls a user is taken for a person."""
        return Actor(id=self.id, login=self.login, is_human=self.type == "User")


class RepositoryPart(Payload):
    """A repository."""

    id: int
    name: str
    owner: User
    archived: bool = False


class ShortRepository(Payload):
    """A repository as installations list it."""

    id: int
    name: str
    full_name: str


class Account(Payload):
    """The account that an installation belongs to."""

    login: str


class InstallationPart(Payload):
    """An installation."""

    id: int
    account: Account | None = None


class Comment(Payload):
    """A comment, of a conversation or of a review."""

    id: int
    body: str | None
    user: User | None
    in_reply_to_id: int | None = None


class Review(Payload):
    """A submitted review, by its own text."""

    id: int
    body: str | None = None
    user: User | None


class Head(Payload):
    """The head of a pull request."""

    sha: str


class Numbered(Payload):
    """A thread, of which only the number counts here."""

    number: int


class Base(Payload):
    """The branch that a pull request goes into."""

    ref: str = ""


class Pull(Numbered):
    """A pull request."""

    head: Head
    base: Base = Base()
    draft: bool | None = False
    updated_at: str = ""
    """Tells one event about it from the next of the same kind."""


class Issue(Numbered):
    """An issue."""

    updated_at: str = ""


class Label(Payload):
    """A label."""

    name: str


class MergeGroup(Payload):
    """The commit that a merge queue is about to merge."""

    head_sha: str
    head_ref: str


class CheckRun(Payload):
    """A check run of ours."""

    id: int
    external_id: str | None = None
    completed_at: str | None = None


class Action(Payload):
    """A button of a check run."""

    identifier: str


class Event(Payload):
    """The fields of every event of a repository."""

    repository: RepositoryPart
    sender: User
    installation: InstallationPart | None = None

    @property
    def place(self) -> Repository:
        """The repository, and the installation through which we may speak to it."""
        return Repository(
            id=self.repository.id,
            owner=self.repository.owner.login,
            name=self.repository.name,
            installation_id=self.installation.id if self.installation else 0,
        )


class CommentEvent(Event):
    """`issue_comment` and `pull_request_review_comment`."""

    comment: Comment
    issue: Numbered | None = None
    pull_request: Numbered | None = None


class ReviewEvent(Event):
    """`pull_request_review`."""

    review: Review
    pull_request: Numbered


class PullEvent(Event):
    """`pull_request`."""

    pull_request: Pull
    label: Label | None = None
    changes: Mapping[str, Any] | None = None
    """What an edit changed, by name, with what was there before."""


class IssueEvent(Event):
    """`issues`."""

    issue: Issue
    label: Label | None = None


class GroupEvent(Event):
    """`merge_group`."""

    merge_group: MergeGroup


class CheckEvent(Event):
    """`check_run`."""

    check_run: CheckRun
    requested_action: Action | None = None


class CheckSuite(Payload):
    """All our checks of one commit. GitHub names no pull request of a fork here."""

    id: int
    updated_at: str
    pull_requests: list[Numbered] = []


class CheckSuiteEvent(Event):
    """`check_suite`."""

    check_suite: CheckSuite


class InstallationEvent(Payload):
    """`installation` and `installation_repositories`."""

    action: Literal[
        "created", "deleted", "suspend", "unsuspend", "new_permissions_accepted", "added", "removed"
    ]
    installation: InstallationPart
    repositories: list[ShortRepository] | None = None
    repositories_added: list[ShortRepository] = []
    repositories_removed: list[ShortRepository] = []
