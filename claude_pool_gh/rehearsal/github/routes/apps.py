"""Apps, their installations and the tokens for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from claude_pool_gh.rehearsal.github.acts import tokens
from claude_pool_gh.rehearsal.github.errors import forbidden, missing, unreachable_repository
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import accounts as shapes
from claude_pool_gh.rehearsal.github.shapes.repositories import repository
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.installations import Installation


def _mine(call: Call) -> Iterable[Installation]:
    return (one for one in call.world.installations.values() if one.app is call.jwt_app)


def _the(call: Call) -> Installation:
    wanted = call.number("installation_id")
    found = next((one for one in _mine(call) if one.id == wanted), None)
    if found is None:
        raise missing()
    return found


def get_app(call: Call) -> Answer:
    """The App that asks."""
    app = call.jwt_app
    count = sum(1 for _ in _mine(call))
    return Answer(json={**shapes.app(call.site, app), "installations_count": count})


def list_installations(call: Call) -> Answer:
    """The installations of the App."""
    return paged(call, list(_mine(call)), lambda one: shapes.installation(call.site, one))


def get_installation(call: Call) -> Answer:
    """One installation."""
    return Answer(json=shapes.installation(call.site, _the(call)))


def find_installation(call: Call) -> Answer:
    """The installation on a repository, an organization or a user."""
    wanted = call.params.get("org") or call.params.get("username")
    for one in _mine(call):
        if wanted is not None and one.account.login.lower() == wanted.lower():
            return Answer(json=shapes.installation(call.site, one))
        if wanted is None and one.covers(call.repository):
            return Answer(json=shapes.installation(call.site, one))
    raise missing()


def create_token(call: Call) -> Answer:
    """An installation token, narrowed as asked."""
    installation, body = _the(call), call.body
    chosen: list[int] | None = body.get("repository_ids")
    if body.get("repositories") is not None:
        chosen = [*(chosen or []), *(_id(installation, name) for name in body["repositories"])]
    token = tokens.installation_token(call.world, installation, body.get("permissions"), chosen)
    shape: dict[str, Any] = {
        "token": token.secret,
        "expires_at": iso(token.expires_at or 0),
        "permissions": dict(token.permissions or {}),
        "repository_selection": "selected",
    }
    if chosen is not None:
        visible = [one for one in installation.repositories if one.id in chosen]
        shape["repositories"] = [repository(one) for one in visible]
    return Answer(201, shape)


def _id(installation: Installation, name: str) -> int:
    for one in installation.repositories:
        if one.name.lower() == name.lower():
            return one.id
    raise unreachable_repository()


def list_repositories(call: Call) -> Answer:
    """The repositories that the token may see."""
    token = call.bearer
    if token.installation is None:
        raise forbidden()
    seen = [
        one
        for one in token.installation.repositories
        if token.repositories is None or one.id in token.repositories
    ]
    answer = paged(call, seen, repository, "repositories")
    answer.json["repository_selection"] = "selected"
    return answer


def revoke(call: Call) -> Answer:
    """End the token that asks."""
    if call.bearer.installation is None:
        raise forbidden()
    tokens.revoke(call.world, call.bearer)
    return Answer(204)


ROUTES = (
    Route("GET", "/app", get_app, "app"),
    Route("GET", "/app/installations", list_installations, "app"),
    Route("GET", "/app/installations/{installation_id}", get_installation, "app"),
    Route("POST", "/app/installations/{installation_id}/access_tokens", create_token, "app"),
    Route("GET", "/repos/{owner}/{repo}/installation", find_installation, "app"),
    Route("GET", "/orgs/{org}/installation", find_installation, "app"),
    Route("GET", "/users/{username}/installation", find_installation, "app"),
    Route("GET", "/installation/repositories", list_repositories),
    Route("DELETE", "/installation/token", revoke),
)
