"""The operations that are simulated, one file per family, each ending in its rows of the table."""

from __future__ import annotations

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
    scanning,
    setting_up,
    statuses,
    workflows,
)
from claude_pool_gh.rehearsal.github.routes.route import Route

FAMILIES = (
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
    scanning,
    setting_up,
    statuses,
    workflows,
)

ROUTES: tuple[Route, ...] = tuple(route for family in FAMILIES for route in family.ROUTES)
