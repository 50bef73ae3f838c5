"""The shared parts of one simulated GitHub: time, numbers, limits, addresses and accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.github.state.clock import Clock
from claude_pool_gh.rehearsal.github.state.ids import Ids
from claude_pool_gh.rehearsal.github.state.limits import Limits
from claude_pool_gh.rehearsal.github.state.people import Actor, App, Kind, User

Listener = Callable[["Event"], None]
ACTIONS_BOT_ID = 41_898_282


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, which Apps may hear of; repository and installation by their ids."""

    name: str
    action: str | None
    actor: Actor
    payload: dict[str, Any]
    repository: int | None = None
    installation: int | None = None


@dataclass(slots=True)
class Site:
    """The part of an instance that no repository belongs to."""

    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
    limits: Limits = field(default_factory=Limits)
    url: str = ""
    users: dict[str, User] = field(default_factory=dict)
    apps: dict[int, App] = field(default_factory=dict)
    manifest_codes: dict[str, App] = field(default_factory=dict)
    hidden: dict[int, float] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    change: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def api_url(self) -> str:
        """The root of the REST API, in the manner of GitHub Enterprise Server."""
        return f"{self.url}/api/v3"

    def now(self) -> float:
        """The time here, in seconds since the epoch."""
        return self.clock.now()

    def changed(self) -> None:
        """Wake whoever waits for the state to change."""
        self.change.set()

    def emit(self, event: Event) -> None:
        """Tell the listeners, unless the cause starts nothing further."""
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

    def visible(self, number: int) -> bool:
        """False while a fault keeps an object out of listings."""
        return self.hidden.get(number, 0.0) <= self.now()
