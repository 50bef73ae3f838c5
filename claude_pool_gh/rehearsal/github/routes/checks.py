"""Check runs."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import checks as acts
from claude_pool_gh.rehearsal.github.errors import missing, not_its_app
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import checks as shapes
from claude_pool_gh.rehearsal.github.state.checks import CheckRun

READ, WRITE = "checks:read", "checks:write"


def _the(call: Call) -> CheckRun:
    wanted = call.number("check_run_id")
    found = next((one for one in call.repository.all_check_runs if one.id == wanted), None)
    if found is None:
        raise missing()
    return found


def create_check_run(call: Call) -> Answer:
    """Start one."""
    run = acts.create_check_run(call.repository, call.actor, call.body)
    return Answer(201, shapes.check_run(call.repository, run))


def update_check_run(call: Call) -> Answer:
    """Change one of one's own."""
    run = _the(call)
    if run.app is not call.bearer.app:
        raise not_its_app(run.app.id if run.app else 0)
    acts.update_check_run(call.repository, run, call.body)
    return Answer(json=shapes.check_run(call.repository, run))


def get_check_run(call: Call) -> Answer:
    """One check run."""
    return Answer(json=shapes.check_run(call.repository, _the(call)))


def list_annotations(call: Call) -> Answer:
    """The annotations of a check run, in the order they were added."""
    run = _the(call)
    return paged(call, run.annotations, lambda one: shapes.annotation(call.repository, run, one))


def list_for_commit(call: Call) -> Answer:
    """The check runs on a commit, newest first; by default only the newest of each name and App."""
    query, sha = call.query, call.commit()
    found = [
        one
        for one in reversed(call.repository.check_runs(sha))
        if query.get("check_name") in (None, one.name)
        and query.get("status") in (None, one.status)
        and query.get("app_id") in (None, str(one.app.id if one.app is not None else ""))
    ]
    if query.get("filter", "latest") == "latest":
        newest: dict[tuple[str, int], CheckRun] = {}
        for one in found:
            newest.setdefault((one.name, 0 if one.app is None else one.app.id), one)
        found = list(newest.values())
    return paged(call, found, lambda one: shapes.check_run(call.repository, one), "check_runs")


ROUTES = (
    Route("POST", "/repos/{owner}/{repo}/check-runs", create_check_run, WRITE),
    Route("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}", get_check_run, READ),
    Route("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", update_check_run, WRITE),
    Route(
        "GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", list_annotations, READ
    ),
    Route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", list_for_commit, READ),
)
