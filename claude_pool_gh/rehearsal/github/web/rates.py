"""Primary and secondary rate limits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.github.errors import RefusedError
from claude_pool_gh.rehearsal.github.web.faults import secondary_limit
from claude_pool_gh.rehearsal.github.world import World

HOUR = 3600


@dataclass(slots=True)
class Window:
    """One token's hour."""

    until: float
    used: int = 0


@dataclass(slots=True)
class Rates:
    """Counts requests per token and per second."""

    world: World
    windows: dict[str, Window] = field(default_factory=dict)
    writes: deque[float] = field(default_factory=deque)

    def window(self, who: str) -> Window:
        """The running hour of a token."""
        now = self.world.now()
        found = self.windows.get(who)
        if found is None or found.until <= now:
            found = self.windows[who] = Window(now + HOUR)
        return found

    def spend(self, who: str, method: str) -> None:
        """Count one request, or refuse it."""
        limits, window = self.world.limits, self.window(who)
        if window.used >= limits.requests_per_hour:
            raise RefusedError(403, f"API rate limit exceeded for installation ID {who}.")
        window.used += 1
        if method != "GET" and limits.writes_per_second is not None:
            now = self.world.now()
            while self.writes and self.writes[0] <= now - 1:
                self.writes.popleft()
            if len(self.writes) >= limits.writes_per_second:
                refusal = secondary_limit(1)
                raise RefusedError(refusal.status, refusal.message, headers=refusal.headers)
            self.writes.append(now)

    def refund(self, who: str) -> None:
        """An answer of 304 costs nothing."""
        self.window(who).used -= 1

    def headers(self, who: str) -> dict[str, str]:
        """What every answer says about the limit."""
        return {f"x-ratelimit-{name}": str(value) for name, value in self.overview(who).items()} | {
            "x-ratelimit-resource": "core"
        }

    def overview(self, who: str) -> dict[str, Any]:
        """The same as JSON."""
        limit, window = self.world.limits.requests_per_hour, self.window(who)
        return {
            "limit": limit,
            "remaining": max(0, limit - window.used),
            "reset": int(window.until),
            "used": window.used,
        }
