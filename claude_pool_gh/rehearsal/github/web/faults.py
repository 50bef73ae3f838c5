"""Planned faults: what is done to which request, and when."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from claude_pool_gh.rehearsal.github.errors import too_fast

Phase = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A request at one of the two moments around its effect."""

    phase: Phase
    method: str
    path: str
    route: str | None
    body: bytes
    token_id: str | None


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer this instead."""

    status: int
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """Cut the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Let the client wait, then go on as if nothing had been."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send the first half of the answer only, in a complete HTTP response."""


@dataclass(frozen=True, slots=True)
class Hide:
    """Keep what the request makes out of listings for a while: GitHub's own delayed visibility."""

    seconds: float


Kind = Respond | Reset | Stall | Truncate | Hide


@dataclass(slots=True)
class Fault:
    """One kind of fault for the next `times` requests that match, after letting `skip` pass.

    `method` and `route` (GitHub's path template) may be None for any; `when` looks at the request itself.
    With `after_effect` the change is made and only the answer suffers.
    """

    kind: Kind
    method: str | None = None
    route: str | None = None
    times: int = 1
    skip: int = 0
    after_effect: bool = False
    when: Callable[[Moment], bool] | None = None
    hits: int = 0

    def _matches(self, moment: Moment) -> bool:
        late = self.after_effect or isinstance(self.kind, (Truncate, Hide))
        return (
            (moment.phase == "after") == late
            and self.method in (None, moment.method)
            and self.route in (None, moment.route)
            and (self.when is None or self.when(moment))
        )

    def take(self, moment: Moment) -> bool:
        """True if the fault strikes now; counts itself down."""
        if self.times <= 0 or not self._matches(moment):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True


Hook = Callable[[Moment], Awaitable[None]]


@dataclass(slots=True)
class Faults:
    """The plan of one instance, and the hooks that a test hangs into requests."""

    plan: list[Fault] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        """Plan a fault; the one returned counts its `hits`."""
        self.plan.append(fault)
        return fault

    def clear(self) -> None:
        """Let everything go well again."""
        self.plan.clear()

    def strike(self, moment: Moment) -> Kind | None:
        """The fault that strikes at this moment, if any."""
        return next((fault.kind for fault in self.plan if fault.take(moment)), None)


def bad_gateway() -> Respond:
    """GitHub's own trouble."""
    return Respond(502, "Server Error")


def too_many(retry_after: int | None = None) -> Respond:
    """429, with or without the time to wait."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Respond(429, "Too many requests", headers)


def secondary_limit(retry_after: int | None = 60) -> Respond:
    """The limit on bursts, in GitHub's words."""
    refused = too_fast(retry_after)
    return Respond(refused.status, refused.message, refused.headers)


def unauthorized() -> Respond:
    """A token that is suddenly no good."""
    return Respond(401, "Bad credentials")
