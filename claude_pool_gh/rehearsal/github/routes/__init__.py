"""The operations that are simulated, one file per family, each ending in its rows of the table."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.deliveries import Deliveries
from claude_pool_gh.rehearsal.github.routes import (
    apps,
    checks,
    comments,
    commits,
    contents,
    graphql,
    hooks,
    issues,
    labels,
    pulls,
    rate,
    reactions,
    repositories,
    review_comments,
    reviews,
    setting_up,
    statuses,
)
from claude_pool_gh.rehearsal.github.web.rates import Rates
from claude_pool_gh.rehearsal.github.web.routing import Table

PLAIN = (
    apps,
    checks,
    comments,
    commits,
    contents,
    graphql,
    issues,
    labels,
    pulls,
    reactions,
    repositories,
    review_comments,
    reviews,
    setting_up,
    statuses,
)


def table(rates: Rates, deliveries: Deliveries) -> Table:
    """Every route of one instance."""
    rows = [route for module in PLAIN for route in module.ROUTES]
    return Table.of([*rows, *rate.routes(rates), *hooks.routes(deliveries)])
