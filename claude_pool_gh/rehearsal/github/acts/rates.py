"""Primary and secondary rate limits: requests counted per token and per second."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.errors import RefusedError, too_fast
from claude_pool_gh.rehearsal.github.state.rates import Window
from claude_pool_gh.rehearsal.github.state.world import World

HOUR = 3600


def window(world: World, who: str) -> Window:
    """The running hour of a token."""
    now = world.site.now()
    found = world.rates.windows.get(who)
    if found is None or found.until <= now:
        found = world.rates.windows[who] = Window(now + HOUR)
    return found


def spend(world: World, who: str, method: str) -> None:
    """Count one request. Raises RefusedError where a limit is reached."""
    limits, hour = world.site.limits, window(world, who)
    if hour.used >= limits.requests_per_hour:
        raise RefusedError(403, f"API rate limit exceeded for installation ID {who}.")
    hour.used += 1
    if method != "GET" and limits.writes_per_second is not None:
        now, writes = world.site.now(), world.rates.writes
        while writes and writes[0] <= now - 1:
            writes.popleft()
        if len(writes) >= limits.writes_per_second:
            raise too_fast(1)
        writes.append(now)


def refund(world: World, who: str) -> None:
    """Give a request back: an answer of 304 costs nothing."""
    window(world, who).used -= 1


def overview(world: World, who: str) -> dict[str, int]:
    """The state of a token's hour as JSON."""
    limit, hour = world.site.limits.requests_per_hour, window(world, who)
    return {
        "limit": limit,
        "remaining": max(0, limit - hour.used),
        "reset": int(hour.until),
        "used": hour.used,
    }


def headers(world: World, who: str) -> dict[str, str]:
    """The headers about the limit that every answer has."""
    return {f"x-ratelimit-{name}": str(value) for name, value in overview(world, who).items()} | {
        "x-ratelimit-resource": "core"
    }
