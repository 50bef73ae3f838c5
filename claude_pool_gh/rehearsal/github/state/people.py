"""Accounts: users, bots and Apps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

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

    @property
    def client_id(self) -> str:
        """The App's other name, which may stand in a JWT's `iss` too."""
        return f"Iv23li{self.id:014d}"


@dataclass(frozen=True, slots=True)
class Actor:
    """The cause of a change, which makes webhooks unless it is quiet.

    `quiet` is a workflow's GITHUB_TOKEN: what it does starts nothing further.
    """

    user: User
    app: App | None = None
    quiet: bool = False
