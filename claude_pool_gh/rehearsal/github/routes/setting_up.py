"""The operations for setting up: new branches and files, the names of secrets, and an App made from a manifest."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from claude_pool_gh.rehearsal.github.acts import pushes
from claude_pool_gh.rehearsal.github.errors import RefusedError, forbidden, invalid, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.commits import get_ref
from claude_pool_gh.rehearsal.github.routes.contents import find, shape
from claude_pool_gh.rehearsal.github.routes.route import NOBODY, Route
from claude_pool_gh.rehearsal.github.shapes import accounts as shapes
from claude_pool_gh.rehearsal.github.shapes import commits as commit_shapes
from claude_pool_gh.rehearsal.github.state.clock import iso

HEADS = "refs/heads/"
_BRANCH = re.compile(r"refs/heads/[A-Za-z0-9][A-Za-z0-9._/-]*")
_WORKFLOWS = ".github/workflows/"


def list_secrets(call: Call) -> Answer:
    """The names of the repository's secrets for Actions; nobody is ever told a value."""
    return _names(call, call.repository.secrets)


def list_organization_secrets(call: Call) -> Answer:
    """The names of the organization's secrets that this repository may use."""
    return _names(call, call.repository.organization_secrets)


def _names(call: Call, names: list[str]) -> Answer:
    made = iso(call.repository.created_at)
    rows = [{"name": name, "created_at": made, "updated_at": made} for name in names]
    return Answer(json={"total_count": len(rows), "secrets": rows})


def create_ref(call: Call) -> Answer:
    """A new branch at a commit that is there already."""
    name, sha = call.text("ref", "Reference"), call.text("sha", "Reference")
    git = call.repository.git
    if not _BRANCH.fullmatch(name):
        raise RefusedError(422, f"{name} is not a valid ref name.")
    if name in git.refs(HEADS):
        raise RefusedError(422, "Reference already exists")
    if git.resolve(sha) is None:
        raise RefusedError(422, "Object does not exist")
    git.set_ref(name, sha)
    pushes.moved(call.repository, call.actor)
    call.params = {**call.params, "ref": name.removeprefix("refs/")}
    return Answer(201, get_ref(call).json)


def put_contents(call: Call) -> Answer:
    """Make or replace one file in a commit of its own."""
    repository, path, body = call.repository, call.params["path"], call.body
    branch = str(body.get("branch") or repository.default_branch)
    if path.startswith(_WORKFLOWS) and not call.bearer.may("workflows", "write"):
        raise forbidden("workflows:write")
    head = repository.git.refs(HEADS).get(HEADS + branch)
    if head is None:
        raise RefusedError(404, f"Branch {branch} not found")
    try:
        data = base64.b64decode(call.text("content", "Content"), validate=True)
    except binascii.Error:
        raise invalid("Content", "content") from None
    there = find(repository, head, path)
    if there is not None and body.get("sha") != there.sha:
        raise RefusedError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    message = call.text("message", "Content")
    sha = pushes.commit(repository, branch, {path: data}, message=message, actor=call.actor)
    entry = find(repository, sha, path)
    if entry is None:
        raise missing()
    made = commit_shapes.commit(repository, sha)
    commit: dict[str, Any] = {
        **made["commit"],
        "sha": sha,
        "node_id": made["node_id"],
        "url": made["commit"]["url"],
        "html_url": made["html_url"],
        "parents": made["parents"],
    }
    return Answer(
        200 if there else 201, {"content": shape(repository, entry, path, branch), "commit": commit}
    )


def convert_manifest(call: Call) -> Answer:
    """Hand out, once, the App that a person made from a manifest, with its key and its secret."""
    app = call.site.manifest_codes.pop(call.params["code"], None)
    if app is None:
        raise missing()
    private = {
        "client_secret": "simulated-client-secret",
        "webhook_secret": app.webhook_secret or None,
        "pem": app.private_key,
    }
    return Answer(201, {**shapes.app(call.site, app), **private})


REPOSITORY = "/repos/{owner}/{repo}"
ROUTES = (
    Route("GET", f"{REPOSITORY}/actions/secrets", list_secrets, "secrets:read"),
    Route(
        "GET",
        f"{REPOSITORY}/actions/organization-secrets",
        list_organization_secrets,
        "secrets:read",
    ),
    Route("POST", f"{REPOSITORY}/git/refs", create_ref, "contents:write"),
    Route("PUT", f"{REPOSITORY}/contents/{{path}}", put_contents, "contents:write"),
    Route("POST", "/app-manifests/{code}/conversions", convert_manifest, NOBODY),
)
