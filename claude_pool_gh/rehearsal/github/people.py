"""Who acts on GitHub: users, bots, Apps and their installations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository

Role = Literal["none", "read", "triage", "write", "maintain", "admin"]
Kind = Literal["User", "Bot", "Organization"]
Permissions = Mapping[str, str]

ROLES: tuple[Role, ...] = ("none", "read", "triage", "write", "maintain", "admin")
COARSE: Mapping[Role, str] = {"triage": "read", "maintain": "write"}

DEFAULT_PERMISSIONS: Permissions = {
    "checks": "write",
    "contents": "write",
    "issues": "write",
    "metadata": "read",
    "pull_requests": "write",
    "statuses": "write",
}
DEFAULT_EVENTS: tuple[str, ...] = (
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "repository",
)
# Every App gets these whether it asked or not.
ALWAYS_EVENTS = frozenset({"installation", "installation_repositories", "ping"})


@dataclass(frozen=True, slots=True)
class User:
    """An account with a numeric id: a person, an organization or a bot."""

    id: int
    login: str
    type: Kind
    created_at: float


def email(user: User) -> str:
    """The address GitHub gives to an account that shows none."""
    return f"{user.id}+{user.login}@users.noreply.github.com"


@dataclass(slots=True, eq=False)
class App:
    """A registered GitHub App with its key, its webhook and its bot account."""

    id: int
    slug: str
    owner: User
    bot: User
    private_key: str
    public_key: str
    webhook_url: str | None
    webhook_secret: str
    hook_id: int
    created_at: float
    permissions: Permissions = field(default_factory=lambda: dict(DEFAULT_PERMISSIONS))
    events: tuple[str, ...] = DEFAULT_EVENTS


@dataclass(slots=True, eq=False)
class Installation:
    """One App on one account, for some of its repositories."""

    id: int
    app: App
    account: User
    repositories: list[Repository]
    permissions: Permissions
    events: tuple[str, ...]
    created_at: float
    suspended: bool = False

    def covers(self, repository: Repository) -> bool:
        """Whether the installation may see the repository at all."""
        return any(one.id == repository.id for one in self.repositories)

    def hears(self, event: str) -> bool:
        """Whether deliveries of this event go to the App."""
        return event in ALWAYS_EVENTS or (not self.suspended and event in self.events)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who causes a change, and whether the change makes webhooks.

    `quiet` is a workflow's GITHUB_TOKEN: what it does starts nothing further.
    """

    user: User
    app: App | None = None
    quiet: bool = False
