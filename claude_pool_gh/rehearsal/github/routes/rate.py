"""The rate limit, as a client may ask for it."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import rates
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.route import Route


def overview(call: Call) -> Answer:
    """The counters of the token that asks."""
    who = call.token.id if call.token is not None else f"app-{call.jwt_app.id}"
    core = rates.overview(call.world, who)
    search = {"limit": 30, "remaining": 30, "reset": core["reset"], "used": 0}
    return Answer(json={"resources": {"core": core, "search": search}, "rate": core})


ROUTES = (Route("GET", "/rate_limit", overview),)
