"""Commit statuses."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import checks as acts
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import checks as shapes


def create_status(call: Call) -> Answer:
    """Put a status on a commit."""
    status = acts.create_status(call.repository, call.actor, call.params["sha"], call.body)
    return Answer(201, shapes.status(call.repository, status))


def combined(call: Call) -> Answer:
    """The combined status of a commit: the newest status of each context, in pages."""
    newest = shapes.newest(call.repository, call.commit())
    page = paged(call, newest, lambda one: shapes.simple_status(call.repository, one), "statuses")
    whole = shapes.combined(call.repository, call.commit(), newest)
    return Answer(json=whole | page.json, headers=page.headers)


def list_statuses(call: Call) -> Answer:
    """Every status of a commit, newest first."""
    found = call.repository.statuses(call.commit())
    return paged(call, found, lambda one: shapes.status(call.repository, one))


ROUTES = (
    Route("POST", "/repos/{owner}/{repo}/statuses/{sha}", create_status, "statuses:write"),
    Route("GET", "/repos/{owner}/{repo}/commits/{ref}/status", combined, "statuses:read"),
    Route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", list_statuses, "statuses:read"),
)
