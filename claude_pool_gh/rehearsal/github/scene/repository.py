"""A repository in the hands of a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from claude_pool_gh.rehearsal.github.acts import (
    checks,
    issues,
    merging,
    pulls,
    pushes,
    repositories,
    reviews,
    scanning,
)
from claude_pool_gh.rehearsal.github.state import repository as data
from claude_pool_gh.rehearsal.github.state.checks import CheckRun, CommitStatus
from claude_pool_gh.rehearsal.github.state.diffs import Diff
from claude_pool_gh.rehearsal.github.state.git import Files, GitDir
from claude_pool_gh.rehearsal.github.state.people import Actor, Role, User
from claude_pool_gh.rehearsal.github.state.repository import Comment, Issue, Pull, Review
from claude_pool_gh.rehearsal.github.state.scanning import Scanning
from claude_pool_gh.rehearsal.github.state.texts import Label
from claude_pool_gh.rehearsal.github.state.world import World


@dataclass(frozen=True, slots=True)
class Repository:
    """A handle on one repository: acts as its people do, and answers what there is.

    Where no user is named, the owner acts. `state` is the data itself, for what has no method here.
    """

    world: World
    state: data.Repository

    @property
    def id(self) -> int:
        """The number, which survives every change of name."""
        return self.state.id

    @property
    def owner(self) -> User:
        """The account that it belongs to."""
        return self.state.owner

    @property
    def name(self) -> str:
        """The name without the owner's."""
        return self.state.name

    @property
    def full_name(self) -> str:
        """Owner and name, as everybody writes it."""
        return self.state.full_name

    @property
    def clone_url(self) -> str:
        """The address for git."""
        return self.state.clone_url

    @property
    def git(self) -> GitDir:
        """The bare repository on disk."""
        return self.state.git

    # the repository itself

    def rename(self, name: str) -> None:
        """Give it another name."""
        repositories.rename(self.world, self.state, name)

    def transfer(self, login: str) -> None:
        """Give it to another organization."""
        repositories.transfer(self.world, self.state, self.world.site.user(login, "Organization"))

    def archive(self, *, on: bool = True) -> None:
        """Make it read-only, or writable again."""
        repositories.archive(self.state, on=on)

    def describe(
        self, *, topics: Iterable[str] = (), language: str | None = None, kilobytes: int = 0
    ) -> None:
        """Set what GitHub tells of it in lists."""
        self.state.topics, self.state.language = tuple(topics), language
        self.state.kilobytes = kilobytes

    def delete(self) -> None:
        """Delete it; pull requests that came from it stay, and no longer name the repository of their head."""
        repositories.delete(self.world, self.state)

    def fork(self, login: str) -> Repository:
        """Copy the repository to another account, made when there is none yet."""
        owner = self.world.site.user(login)
        return Repository(self.world, repositories.fork(self.world, self.state, owner))

    def grant(self, user: User, role: Role) -> None:
        """Give a user this role here; `none` takes it away."""
        repositories.grant(self.state, user, role)

    def role(self, user: User) -> Role:
        """The user's role here."""
        return self.state.role(user)

    # git

    def commit(
        self,
        branch: str,
        files: Files,
        *,
        message: str = "Change",
        author: User | None = None,
        onto: str | None = None,
    ) -> str:
        """Make a commit as a push of `author` would, and return its id.

        A new branch starts at the default one. `onto` names another parent, which rewrites the branch.
        """
        actor = self._actor(author)
        return pushes.commit(self.state, branch, files, message=message, actor=actor, onto=onto)

    def delete_branch(self, branch: str, by: User | None = None) -> None:
        """Remove a branch as a push would."""
        self.git.set_ref(f"refs/heads/{branch}", None)
        pushes.moved(self.state, self._actor(by))

    def head(self, branch: str | None = None) -> str:
        """The commit at the tip of a branch. Raises GitError where there is no such branch."""
        return self.state.head(branch)

    def read(self, ref: str, path: str) -> bytes:
        """The bytes of a file at a commit or branch."""
        return self.git.run("cat-file", "blob", f"{self.git.resolve(ref)}:{path}")

    def diff(self, before: str, after: str) -> Diff:
        """The difference between two commits."""
        return self.state.diff(before, after)

    # threads

    def open_issue(self, title: str, body: str = "", author: User | None = None) -> Issue:
        """Open an issue."""
        return issues.open_issue(self.state, self._actor(author), title, body)

    def open_pull(
        self,
        head: str,
        base: str | None = None,
        *,
        title: str = "A change",
        body: str = "",
        author: User | None = None,
        head_repository: Repository | None = None,
        draft: bool = False,
    ) -> Pull:
        """Open a pull request from a branch here, or of a fork (`head_repository`, or `stranger:branch`)."""
        given = None if head_repository is None else head_repository.state
        source, branch = pulls.source_of(self.state, head, given)
        return pulls.open_pull(
            self.state,
            self._actor(author),
            source=source,
            head=branch,
            base=base or self.state.default_branch,
            title=title,
            body=body,
            draft=draft,
        )

    def close(self, issue: Issue, by: User | None = None) -> None:
        """Close an issue, or a pull request without merging."""
        issues.close(issue, self._actor(by))

    def reopen(self, issue: Issue, by: User | None = None) -> None:
        """Open it again."""
        issues.reopen(issue, self._actor(by))

    def lock(self, issue: Issue, by: User | None = None) -> None:
        """Let nobody without write access comment."""
        issues.lock(issue, self._actor(by))

    def delete_issue(self, issue: Issue, by: User | None = None) -> None:
        """Delete an issue."""
        issues.delete(issue, self._actor(by))

    def transfer_issue(self, issue: Issue, target: Repository, by: User | None = None) -> None:
        """Move an issue to another repository."""
        issues.transfer(issue, self._actor(by), target.state)

    def switch_issues(self, *, on: bool) -> None:
        """Let the repository have issues, or none; those that there are come back with them."""
        self.state.has_issues = on
        self.state.site.changed()

    @property
    def scanning(self) -> Scanning:
        """Code scanning, with what was uploaded up to now processed as far as its time has come."""
        scanning.settle(self.state)
        return self.state.scanning

    def merge(self, pull: Pull, by: User | None = None) -> str:
        """Merge with a merge commit on the base branch, and return its id."""
        return merging.merge(pull, self._actor(by))

    def retarget(self, pull: Pull, base: str, by: User | None = None) -> None:
        """Let a pull request go into another branch."""
        pulls.retarget(pull, base, self._actor(by))

    def ready(self, pull: Pull, by: User | None = None) -> None:
        """Take a pull request out of draft."""
        pulls.ready(pull, self._actor(by))

    def review(
        self,
        pull: Pull,
        by: User | None = None,
        *,
        body: str = "",
        event: str | None = "COMMENT",
        comments: Sequence[Mapping[str, Any]] = (),
    ) -> Review:
        """Submit a review of the head with comments on lines, as the API takes them."""
        actor = self._actor(by)
        return reviews.create(
            pull, actor, event=event, body=body, commit_id=None, comments=comments
        )

    def check(self, sha: str, name: str, by: User | None = None, **fields: Any) -> CheckRun:
        """Put a check run on a commit; `fields` as the API takes them."""
        return checks.create_check_run(
            self.state, self._actor(by), {"head_sha": sha, "name": name, **fields}
        )

    def label(self, name: str) -> Label:
        """The label of that name, made when there is none."""
        return issues.label_of(self.state, name)

    def add_label(self, issue: Issue, name: str, by: User | None = None) -> None:
        """Put a label on a thread, making it when the repository has none of that name."""
        issues.add_labels(issue, self._actor(by), [name])

    def remove_label(self, issue: Issue, name: str, by: User | None = None) -> None:
        """Take a label off a thread."""
        issues.remove_label(issue, self._actor(by), self.label(name))

    # what there is

    def issue(self, number: int) -> Issue:
        """The issue or pull request of that number. Raises KeyError."""
        return self.state.threads[number]

    def pull(self, number: int) -> Pull:
        """The pull request of that number. Raises KeyError."""
        found = self.state.threads[number]
        if not isinstance(found, Pull):
            raise KeyError(number)
        return found

    @property
    def pulls(self) -> list[Pull]:
        """Every pull request, oldest first."""
        return self.state.pulls

    def comments(self, number: int) -> list[Comment]:
        """The conversation of a thread."""
        return list(self.state.threads[number].comments)

    def reviews(self, number: int) -> list[Review]:
        """The reviews of a pull request."""
        return list(self.pull(number).reviews)

    def check_runs(self, sha: str) -> list[CheckRun]:
        """The check runs on a commit, oldest first."""
        return self.state.check_runs(sha)

    def statuses(self, sha: str) -> list[CommitStatus]:
        """The statuses on a commit, newest first."""
        return self.state.statuses(sha)

    def _actor(self, user: User | None) -> Actor:
        return Actor(user or self.owner)
