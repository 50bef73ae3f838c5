"""A repository with its threads: issues, pull requests, comments, reviews. They refer to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from claude_pool_gh.rehearsal.github.state.checks import CheckRun, CommitStatus
from claude_pool_gh.rehearsal.github.state.diffs import Diff, Side, diff
from claude_pool_gh.rehearsal.github.state.git import GitDir, GitError
from claude_pool_gh.rehearsal.github.state.people import ROLES, Role, User
from claude_pool_gh.rehearsal.github.state.scanning import Scanning
from claude_pool_gh.rehearsal.github.state.site import Site
from claude_pool_gh.rehearsal.github.state.texts import Label, Written


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

    def merge_base(self, head: str | None = None) -> str:
        """The commit that the diff of the pull request starts from."""
        git = self.repository.git
        base = git.resolve(self.base_ref) or self.base_sha
        if self.merged_at is not None:
            base = self.base_sha
        return git.merge_base(base, head or self.head_sha) or base

    def diff(self, head: str | None = None) -> Diff:
        """The changes of the pull request, from the merge base on."""
        return self.repository.diff(self.merge_base(head), head or self.head_sha)


@dataclass(slots=True, eq=False)
class Repository:
    """A repository: its bare git directory, its people, its threads."""

    site: Site
    id: int
    owner: User
    name: str
    git: GitDir
    created_at: float
    private: bool = False
    default_branch: str = "main"
    archived: bool = False
    deleted: bool = False
    topics: tuple[str, ...] = ()
    language: str | None = None
    kilobytes: int = 0
    """Its size as GitHub tells it, which lags behind: it is set, never measured."""
    parent: Repository | None = None
    forks: list[Repository] = field(default_factory=list)
    roles: dict[int, Role] = field(default_factory=dict)
    threads: dict[int, Issue] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    all_check_runs: list[CheckRun] = field(default_factory=list)
    all_statuses: list[CommitStatus] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    organization_secrets: list[str] = field(default_factory=list)
    has_issues: bool = True
    deleted_issues: set[int] = field(default_factory=set)
    moved_issues: dict[int, Issue] = field(default_factory=dict)
    """Those that are in other repositories now, by the number that they had here."""
    scanning: Scanning = field(default_factory=Scanning)
    workflow_states: dict[str, str] = field(default_factory=dict)
    """GitHub's word for the state of an Actions workflow that is not active, by the name of its file."""
    known_refs: dict[str, str] = field(default_factory=dict)
    _diffs: dict[tuple[str, str], Diff] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Owner and name, as everybody writes it."""
        return f"{self.owner.login}/{self.name}"

    @property
    def clone_url(self) -> str:
        """The address for git."""
        return f"{self.site.url}/{self.full_name}.git"

    @property
    def pulls(self) -> list[Pull]:
        """Every pull request, oldest first."""
        return [one for one in self.threads.values() if isinstance(one, Pull)]

    def role(self, user: User) -> Role:
        """The user's role here: granted, owned, or everybody's with a public repository."""
        everybody: Role = "none" if self.private else "read"
        granted: Role = "admin" if user.id == self.owner.id else self.roles.get(user.id, everybody)
        return max(granted, everybody, key=ROLES.index)

    def head(self, branch: str | None = None) -> str:
        """The commit at the tip of a branch. Raises GitError where there is no such branch."""
        sha = self.git.resolve(branch or self.default_branch)
        if sha is None:
            raise GitError(f"{self.full_name} has no branch {branch}")
        return sha

    def diff(self, before: str, after: str) -> Diff:
        """The difference between two commits, kept since it never changes."""
        if (before, after) not in self._diffs:
            self._diffs[before, after] = diff(self.git, before, after)
        return self._diffs[before, after]

    def check_runs(self, sha: str) -> list[CheckRun]:
        """The check runs on a commit, oldest first."""
        return [one for one in self.all_check_runs if one.head_sha == sha]

    def statuses(self, sha: str) -> list[CommitStatus]:
        """The statuses on a commit, newest first."""
        return [one for one in reversed(self.all_statuses) if one.sha == sha]
