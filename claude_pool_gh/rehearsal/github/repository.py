"""A repository: its bare git directory, its people, its threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from claude_pool_gh.rehearsal.github.acts import issues, merging, moving, pulls, pushes
from claude_pool_gh.rehearsal.github.diffs import Diff, diff
from claude_pool_gh.rehearsal.github.git import Files, GitDir, GitError
from claude_pool_gh.rehearsal.github.people import ROLES, Actor, Role, User
from claude_pool_gh.rehearsal.github.threads import Comment, Issue, Label, Pull, Review
from claude_pool_gh.rehearsal.github.verdicts import CheckRun, CommitStatus

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.world import World


@dataclass(slots=True, eq=False)
class Repository:
    """One repository, driven from Python by its methods and over HTTP by the routes."""

    world: World
    id: int
    owner: User
    name: str
    git: GitDir
    created_at: float
    private: bool = False
    default_branch: str = "main"
    archived: bool = False
    deleted: bool = False
    parent: Repository | None = None
    forks: list[Repository] = field(default_factory=list)
    roles: dict[int, Role] = field(default_factory=dict)
    threads: dict[int, Issue] = field(default_factory=dict)
    labels: list[Label] = field(default_factory=list)
    all_check_runs: list[CheckRun] = field(default_factory=list)
    all_statuses: list[CommitStatus] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    organization_secrets: list[str] = field(default_factory=list)
    known_refs: dict[str, str] = field(default_factory=dict)
    _diffs: dict[tuple[str, str], Diff] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Owner and name, as everybody writes it."""
        return f"{self.owner.login}/{self.name}"

    @property
    def clone_url(self) -> str:
        """Where git finds it."""
        return f"{self.world.url}/{self.full_name}.git"

    def rename(self, name: str) -> None:
        """Give it another name."""
        moving.rename(self, name)

    def transfer(self, login: str) -> None:
        """Give it to another organization."""
        moving.transfer(self, self.world.user(login, "Organization"))

    def archive(self, *, on: bool = True) -> None:
        """Make it read-only, or writable again."""
        moving.archive(self, on=on)

    def delete(self) -> None:
        """Delete it; pull requests that came from it stay, and name no repository of their head any more."""
        moving.delete(self)

    # people

    def grant(self, user: User, role: Role) -> None:
        """Give a user this role here; `none` takes it away."""
        self.roles[user.id] = role
        self.world.changed()

    def role(self, user: User) -> Role:
        """What the user may do here: granted, owned, or what everybody may with a public repository."""
        everybody: Role = "none" if self.private else "read"
        granted: Role = "admin" if user.id == self.owner.id else self.roles.get(user.id, everybody)
        return max(granted, everybody, key=ROLES.index)

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
        return pushes.commit(
            self, branch, files, message=message, actor=Actor(author or self.owner), onto=onto
        )

    def delete_branch(self, branch: str, by: User | None = None) -> None:
        """Remove a branch as a push would."""
        self.git.set_ref(f"refs/heads/{branch}", None)
        pushes.moved(self, Actor(by or self.owner))

    def head(self, branch: str | None = None) -> str:
        """The commit at the tip of a branch."""
        sha = self.git.resolve(branch or self.default_branch)
        if sha is None:
            raise GitError(f"{self.full_name} has no branch {branch}")
        return sha

    def read(self, ref: str, path: str) -> bytes:
        """The bytes of a file at a commit or branch."""
        return self.git.run("cat-file", "blob", f"{self.git.resolve(ref)}:{path}")

    def diff(self, before: str, after: str) -> Diff:
        """The difference between two commits, kept since it never changes."""
        if (before, after) not in self._diffs:
            self._diffs[before, after] = diff(self.git, before, after)
        return self._diffs[before, after]

    def fork(self, login: str) -> Repository:
        """Copy the repository to another account, made when there is none yet."""
        return pushes.fork(self, self.world.user(login))

    # threads

    def open_issue(self, title: str, body: str = "", author: User | None = None) -> Issue:
        """Open an issue."""
        return issues.open_issue(self, Actor(author or self.owner), title, body)

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
        actor = Actor(author or self.owner)
        source, branch = pulls.source_of(self, head, head_repository)
        return pulls.open_pull(
            self,
            actor,
            source=source,
            head=branch,
            base=base or self.default_branch,
            title=title,
            body=body,
            draft=draft,
        )

    def issue(self, number: int) -> Issue:
        """The issue or pull request of that number."""
        return self.threads[number]

    def pull(self, number: int) -> Pull:
        """The pull request of that number."""
        found = self.threads[number]
        if not isinstance(found, Pull):
            raise KeyError(number)
        return found

    @property
    def pulls(self) -> list[Pull]:
        """Every pull request, oldest first."""
        return [one for one in self.threads.values() if isinstance(one, Pull)]

    def close(self, issue: Issue, actor: Actor) -> None:
        """Close an issue, or a pull request without merging."""
        issues.close(issue, actor)

    def reopen(self, issue: Issue, actor: Actor) -> None:
        """Open it again."""
        issues.reopen(issue, actor)

    def merge(self, pull: Pull, actor: Actor) -> str:
        """Merge a pull request."""
        return merging.merge(pull, actor)

    def ready(self, pull: Pull, actor: Actor) -> None:
        """Take a pull request out of draft."""
        pulls.ready(pull, actor)

    def lock(self, issue: Issue, by: User | None = None) -> None:
        """Let nobody without write access comment."""
        issues.lock(issue, Actor(by or self.owner))

    def add_label(self, issue: Issue, name: str, by: User | None = None) -> None:
        """Put a label on a thread, making it when the repository has none of that name."""
        issues.add_labels(issue, Actor(by or self.owner), [name])

    def remove_label(self, issue: Issue, name: str, by: User | None = None) -> None:
        """Take a label off a thread."""
        issues.remove_label(issue, Actor(by or self.owner), self.label(name))

    # what there is

    def comments(self, number: int) -> list[Comment]:
        """The conversation of a thread."""
        return list(self.threads[number].comments)

    def reviews(self, number: int) -> list[Review]:
        """The reviews of a pull request."""
        return list(self.pull(number).reviews)

    def check_runs(self, sha: str) -> list[CheckRun]:
        """The check runs on a commit, oldest first."""
        return [one for one in self.all_check_runs if one.head_sha == sha]

    def statuses(self, sha: str) -> list[CommitStatus]:
        """The statuses on a commit, newest first."""
        return [one for one in reversed(self.all_statuses) if one.sha == sha]

    def label(self, name: str) -> Label:
        """The label of that name, made when there is none."""
        found = next((one for one in self.labels if one.name.lower() == name.lower()), None)
        if found is None:
            found = Label(self.world.ids.next(), name)
            self.labels.append(found)
        return found
