"""What people write on a repository: issues, pull requests, comments, reviews, reactions, labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from claude_pool_gh.rehearsal.github.people import Actor, App, User

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository

Side = Literal["LEFT", "RIGHT"]
REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


@dataclass(frozen=True, slots=True)
class Reaction:
    """One user's one emoji on one thing."""

    id: int
    user: User
    content: str
    created_at: float


@dataclass(slots=True, eq=False)
class Label:
    """A label of the repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None
    default: bool = False


@dataclass(slots=True, eq=False)
class Written:
    """Text with an author and a time, on which others can react."""

    id: int
    author: User
    body: str
    created_at: float
    updated_at: float
    via: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    minimized: bool = False
    """A maintainer has hidden it: the page shows it folded. Only the GraphQL API tells."""
    by_mail: bool = False


@dataclass(slots=True, eq=False)
class Comment(Written):
    """A comment in the conversation of an issue or a pull request."""

    issue: Issue = field(kw_only=True)


@dataclass(slots=True, eq=False)
class Issue(Written):
    """An issue, and the conversation half of a pull request."""

    repository: Repository = field(kw_only=True)
    number: int = field(kw_only=True)
    title: str = field(kw_only=True)
    closed_at: float | None = None
    closed_by: User | None = None
    locked: bool = False
    labels: list[Label] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    @property
    def state(self) -> Literal["open", "closed"]:
        """GitHub's word for it."""
        return "open" if self.closed_at is None else "closed"

    @property
    def key(self) -> int:
        """The id under which the issue half is known; a pull request has another of its own."""
        return self.id


@dataclass(slots=True, eq=False)
class ReviewComment(Written):
    """A comment on lines of a diff."""

    pull: Pull = field(kw_only=True)
    review: Review = field(kw_only=True)
    path: str = field(kw_only=True)
    commit_id: str = field(kw_only=True)
    original_commit_id: str = field(kw_only=True)
    diff_hunk: str = field(kw_only=True)
    original_position: int = field(kw_only=True)
    original_line: int = field(kw_only=True)
    original_start_line: int | None = None
    position: int | None = None
    line: int | None = None
    start_line: int | None = None
    side: Side = "RIGHT"
    start_side: Side | None = None
    in_reply_to: ReviewComment | None = None
    resolved_by: User | None = None
    """Of the comment that began a thread: who resolved it."""


@dataclass(slots=True, eq=False)
class Review:
    """One submitted review with the comments it brought."""

    id: int
    pull: Pull
    author: User
    body: str
    state: Literal["COMMENTED", "APPROVED", "CHANGES_REQUESTED", "PENDING"]
    commit_id: str
    submitted_at: float
    comments: list[ReviewComment] = field(default_factory=list)
    minimized: bool = False
    by_mail: bool = False


@dataclass(slots=True, eq=False)
class Pull(Issue):
    """A pull request: an issue with a head and a base."""

    issue_id: int = field(kw_only=True)
    head_repository: Repository = field(kw_only=True)
    head_ref: str = field(kw_only=True)
    head_sha: str = field(kw_only=True)
    base_ref: str = field(kw_only=True)
    base_sha: str = field(kw_only=True)
    draft: bool = False
    merged_at: float | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    reviews: list[Review] = field(default_factory=list)
    review_comments: list[ReviewComment] = field(default_factory=list)

    @property
    def key(self) -> int:
        """The id of the issue half."""
        return self.issue_id

    def close(self, by: User | None = None) -> None:
        """Close without merging."""
        self.repository.close(self, Actor(by or self.author))

    def reopen(self, by: User | None = None) -> None:
        """Open again."""
        self.repository.reopen(self, Actor(by or self.author))

    def merge(self, by: User | None = None) -> str:
        """Merge with a merge commit on the base branch and return its id."""
        return self.repository.merge(self, Actor(by or self.author))

    def ready(self, by: User | None = None) -> None:
        """Take the pull request out of draft."""
        self.repository.ready(self, Actor(by or self.author))
