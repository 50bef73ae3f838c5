"""Issues."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.acts import issues as acts
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import issues as shapes
from claude_pool_gh.rehearsal.github.state.people import ROLES
from claude_pool_gh.rehearsal.github.state.repository import Issue

READ = "issues:read pull_requests:read"
WRITE = "issues:write pull_requests:write"


def list_issues(call: Call) -> Answer:
    """Issues and pull requests, newest first."""
    state, labels = call.query.get("state", "open"), _names(call.query.get("labels", ""))
    creator = call.query.get("creator")

    def wanted(one: Issue) -> bool:
        has = {label.name.lower() for label in one.labels}
        return state in ("all", one.state) and labels <= has and creator in (None, one.author.login)

    found = [one for one in call.repository.threads.values() if wanted(one)]
    ascending = call.query.get("direction") == "asc"
    found.sort(key=lambda one: one.number, reverse=not ascending)
    return paged(call, found, shapes.issue)


def _names(text: str) -> set[str]:
    return {name.strip().lower() for name in text.split(",") if name.strip()}


def get_issue(call: Call) -> Answer:
    """One thread."""
    return Answer(json=shapes.issue(call.issue))


def create_issue(call: Call) -> Answer:
    """Open an issue; labels are dropped silently where the sender may not push."""
    call.check_issues_on()
    body = call.body
    labels = [one if isinstance(one, str) else one["name"] for one in body.get("labels") or []]
    token = call.bearer
    if token.permissions is None and ROLES.index(call.repository.role(token.user)) < ROLES.index(
        "triage"
    ):
        labels = []
    issue = acts.open_issue(
        call.repository, call.actor, call.text("title", "Issue"), body.get("body") or "", labels
    )
    return Answer(201, shapes.issue(issue))


def edit_issue(call: Call) -> Answer:
    """Change text, labels or state."""
    issue, body = call.issue, call.body
    acts.edit(issue, call.actor, title=body.get("title"), body=body.get("body"))
    if body.get("labels") is not None:
        issue.labels = [
            acts.label_of(call.repository, one if isinstance(one, str) else one["name"])
            for one in body["labels"]
        ]
    if body.get("state") == "closed":
        acts.close(issue, call.actor)
    elif body.get("state") == "open":
        acts.reopen(issue, call.actor)
    call.site.changed()
    return Answer(json=shapes.issue(issue))


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/issues", list_issues, READ),
    Route("POST", "/repos/{owner}/{repo}/issues", create_issue, "issues:write"),
    Route("GET", "/repos/{owner}/{repo}/issues/{issue_number}", get_issue, READ),
    Route("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}", edit_issue, WRITE),
)
