"""Code scanning: uploads, analyses and alerts."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import scanning as acts
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import scanning as shapes

READ, WRITE = "security_events:read", "security_events:write"


def upload(call: Call) -> Answer:
    """Take a document."""
    made = acts.upload(call.repository, call.body)
    return Answer(202, shapes.receipt(call.repository, made))


def get_status(call: Call) -> Answer:
    """The outcome of an upload."""
    found = acts.find(call.repository, call.params["sarif_id"])
    return Answer(json=shapes.status(call.repository, found))


def list_analyses(call: Call) -> Answer:
    """The analyses, newest first."""
    acts.check_on(call.repository)
    acts.settle(call.repository)
    query = call.query
    found = [
        one
        for one in reversed(call.repository.scanning.analyses)
        if query.get("ref") in (None, one.ref)
        and query.get("tool_name") in (None, one.tool)
        and query.get("sarif_id") in (None, one.sarif_id)
    ]
    return paged(call, found, lambda one: shapes.analysis(call.repository, one))


def list_alerts(call: Call) -> Answer:
    """The alerts, newest first."""
    acts.check_on(call.repository)
    acts.settle(call.repository)
    state = call.query.get("state")
    found = [one for one in reversed(call.repository.scanning.alerts) if state in (None, one.state)]
    return paged(call, found, lambda one: shapes.alert(call.repository, one))


ROUTES = (
    Route("POST", "/repos/{owner}/{repo}/code-scanning/sarifs", upload, WRITE),
    Route("GET", "/repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}", get_status, READ),
    Route("GET", "/repos/{owner}/{repo}/code-scanning/analyses", list_analyses, READ),
    Route("GET", "/repos/{owner}/{repo}/code-scanning/alerts", list_alerts, READ),
)
