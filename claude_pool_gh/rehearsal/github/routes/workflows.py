"""Actions workflows: whether they are switched on."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.errors import missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes.repositories import api, page
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.git import GitError
from claude_pool_gh.rehearsal.github.state.ids import node_id

_FOLDER = ".github/workflows"


def get_workflow(call: Call) -> Answer:
    """One workflow, by the name of its file on the default branch."""
    repository, name = call.repository, call.params["workflow_id"]
    path = f"{_FOLDER}/{name}"
    try:
        sha = repository.git.text("rev-parse", "--verify", f"{repository.default_branch}:{path}")
    except GitError:
        raise missing() from None
    number = int(sha[:8], 16)
    made = iso(repository.created_at)
    return Answer(
        json={
            "id": number,
            "node_id": node_id("Workflow", number),
            "name": path,
            "path": path,
            "state": repository.workflow_states.get(name, "active"),
            "created_at": made,
            "updated_at": made,
            "url": f"{api(repository)}/actions/workflows/{number}",
            "html_url": f"{page(repository)}/blob/{repository.default_branch}/{path}",
            "badge_url": f"{page(repository)}/workflows/{name}/badge.svg",
        }
    )


ROUTES = (
    Route(
        "GET", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}", get_workflow, "actions:read"
    ),
)
