"""Labels of a repository and on its threads."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.acts import issues as acts
from claude_pool_gh.rehearsal.github.errors import RefusedError, invalid, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.issues import READ, WRITE
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import issues as shapes
from claude_pool_gh.rehearsal.github.state.texts import Label


def _shape(call: Call, label: Label) -> dict[str, Any]:
    return shapes.label(call.repository, label)


def list_labels(call: Call) -> Answer:
    """The repository's own set."""
    return paged(call, call.repository.labels, lambda one: _shape(call, one))


def create_label(call: Call) -> Answer:
    """Add to the set."""
    name = call.text("name", "Label")
    if any(one.name.lower() == name.lower() for one in call.repository.labels):
        raise invalid("Label", "name", "already_exists")
    label = acts.label_of(call.repository, name)
    label.color = call.body.get("color") or label.color
    label.description = call.body.get("description")
    call.site.changed()
    return Answer(201, _shape(call, label))


def list_issue_labels(call: Call) -> Answer:
    """The labels on a thread."""
    return paged(call, call.issue.labels, lambda one: _shape(call, one))


def add_labels(call: Call) -> Answer:
    """Put labels on a thread; unknown ones are made."""
    given = call.value if isinstance(call.value, list) else call.body.get("labels")
    if not isinstance(given, list):
        raise RefusedError(422, 'Invalid request.\n\nNo subschema in "anyOf" matched.')
    names = [one if isinstance(one, str) else one["name"] for one in given]
    acts.add_labels(call.issue, call.actor, names)
    return Answer(json=[_shape(call, one) for one in call.issue.labels])


def remove_label(call: Call) -> Answer:
    """Take one off."""
    wanted = call.params["name"].lower()
    found = next((one for one in call.issue.labels if one.name.lower() == wanted), None)
    if found is None:
        raise missing()
    acts.remove_label(call.issue, call.actor, found)
    return Answer(json=[_shape(call, one) for one in call.issue.labels])


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}/labels", list_labels, READ),
    Route("POST", "/repos/{owner}/{repo}/labels", create_label, WRITE),
    Route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/labels", list_issue_labels, READ),
    Route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels", add_labels, WRITE),
    Route(
        "DELETE", "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}", remove_label, WRITE
    ),
)
