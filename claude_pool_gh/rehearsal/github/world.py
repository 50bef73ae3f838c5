"""Everything one simulated GitHub knows, without the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from claude_pool_gh.rehearsal.github.clock import Clock
from claude_pool_gh.rehearsal.github.ids import Ids
from claude_pool_gh.rehearsal.github.limits import Limits
from claude_pool_gh.rehearsal.github.people import Actor, App, Installation, Kind, User
from claude_pool_gh.rehearsal.github.tokens import Tokens

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository

Emit = Callable[["Event"], None]
ACTIONS_BOT_ID = 41_898_282


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that Apps may hear of."""

    name: str
    action: str | None
    actor: Actor
    payload: dict[str, Any]
    repository: Repository | None = None
    installation: Installation | None = None


@dataclass(slots=True)
class World:
    """Accounts, Apps, repositories and tokens of one instance."""

    directory: Path
    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
    limits: Limits = field(default_factory=Limits)
    tokens: Tokens = field(default_factory=Tokens)
    url: str = ""
    users: dict[str, User] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    manifest_codes: dict[str, App] = field(default_factory=dict)
    hidden: dict[int, float] = field(default_factory=dict)
    listeners: list[Emit] = field(default_factory=list)
    stir: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def api_url(self) -> str:
        """Where the REST API lives, in the manner of GitHub Enterprise Server."""
        return f"{self.url}/api/v3"

    def now(self) -> float:
        """The time here."""
        return self.clock.now()

    def changed(self) -> None:
        """Wake whoever waits for the state to change."""
        self.stir.set()

    def emit(self, event: Event) -> None:
        """Tell the Apps, unless the cause starts nothing further."""
        self.changed()
        if event.actor.quiet:
            return
        for listener in self.listeners:
            listener(event)

    def user(self, login: str, kind: Kind = "User", number: int | None = None) -> User:
        """The account of that name, made when there is none yet."""
        if found := self.users.get(login.lower()):
            return found
        user = User(number or self.ids.next(), login, kind, self.now())
        self.users[login.lower()] = user
        return user

    def user_by_id(self, number: int) -> User | None:
        """The account with that id."""
        return next((one for one in self.users.values() if one.id == number), None)

    def repository(self, full_name: str) -> Repository | None:
        """The repository of that name, in any case of letters."""
        return self.repositories.get(full_name.lower())

    def visible(self, number: int) -> bool:
        """Whether listings already show an object whose appearance a fault delays."""
        return self.hidden.get(number, 0.0) <= self.now()
