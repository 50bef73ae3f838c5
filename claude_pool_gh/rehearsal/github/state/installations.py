"""Installations of Apps, and the tokens of clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from claude_pool_gh.rehearsal.github.state.people import (
    ALWAYS_EVENTS,
    Actor,
    App,
    Permissions,
    User,
)
from claude_pool_gh.rehearsal.github.state.repository import Repository


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
        """True if the installation may see the repository at all."""
        return any(one.id == repository.id for one in self.repositories)

    def hears(self, event: str) -> bool:
        """True if deliveries of this event go to the App."""
        return event in ALWAYS_EVENTS or (not self.suspended and event in self.events)


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """A bearer token: whose it is, what it may do, where, and until when.

    `repositories` None means every repository that the user or installation may see.
    """

    id: str
    secret: str
    user: User
    permissions: Mapping[str, str] | None
    repositories: frozenset[int] | None
    expires_at: float | None = None
    installation: Installation | None = None
    app: App | None = None
    quiet: bool = False

    @property
    def actor(self) -> Actor:
        """The actor when this token is used."""
        return Actor(self.user, self.app, self.quiet)

    def may(self, permission: str, level: str) -> bool:
        """True if the token carries a permission at this level; a person's own token carries all."""
        if self.permissions is None:
            return True
        has = self.permissions.get(permission)
        return has in (("write", "admin") if level == "write" else ("read", "write", "admin"))

    def sees(self, repository: Repository) -> bool:
        """True if the repository exists for this token."""
        if self.repositories is not None and repository.id not in self.repositories:
            return False
        if self.installation is not None:
            return self.installation.covers(repository)
        return self.quiet or repository.role(self.user) != "none"
