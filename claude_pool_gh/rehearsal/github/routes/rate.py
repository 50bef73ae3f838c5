"""The rate limit, as a client may ask for it."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.web.call import Answer, Call
from claude_pool_gh.rehearsal.github.web.rates import Rates
from claude_pool_gh.rehearsal.github.web.routing import Route


def routes(rates: Rates) -> tuple[Route, ...]:
    """The row, bound to the counters of one instance."""

    def overview(call: Call) -> Answer:
        who = call.token.id if call.token is not None else f"app-{call.jwt_app.id}"
        core = rates.overview(who)
        search = {"limit": 30, "remaining": 30, "reset": core["reset"], "used": 0}
        return Answer(json={"resources": {"core": core, "search": search}, "rate": core})

    return (Route("GET", "/rate_limit", overview),)
