"""The sender of a request, and the check that the route is open to it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from claude_pool_gh.rehearsal.github.acts.tokens import app_of_jwt, find
from claude_pool_gh.rehearsal.github.errors import RefusedError, forbidden
from claude_pool_gh.rehearsal.github.routes.call import Call
from claude_pool_gh.rehearsal.github.routes.route import NOBODY, Route
from claude_pool_gh.rehearsal.github.state.installations import Token
from claude_pool_gh.rehearsal.github.state.people import App
from claude_pool_gh.rehearsal.github.state.world import World

Sender = tuple[Token | None, App | None]


def sender(world: World, headers: Mapping[str, str]) -> Sender:
    """The token or the App behind the Authorization header."""
    scheme, _, secret = headers.get("Authorization", "").strip().partition(" ")
    secret = secret.strip()
    if not secret:
        raise RefusedError(401, "Requires authentication")
    if scheme.lower() == "basic":
        secret = password(secret)
    elif scheme.lower() not in ("bearer", "token"):
        raise RefusedError(401, "Bad credentials")
    if secret.startswith("ey") and secret.count(".") == 2:
        return None, app_of_jwt(world.site.apps, secret, world.site.now())
    return find(world, secret), None


def password(encoded: str) -> str:
    """The password of Basic credentials."""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise RefusedError(401, "Bad credentials") from None


def check(call: Call, route: Route) -> None:
    """Hold a request to what its route needs."""
    if route.needs == "app":
        if call.app is None:
            raise RefusedError(401, "A JSON web token could not be decoded")
        return
    if route.needs in ("", NOBODY):
        return
    if call.token is None:
        raise forbidden()
    # A repository that one may not see is a 404 before anything else.
    if "{owner}" in route.template and call.repository.archived and route.method != "GET":
        raise RefusedError(403, "Repository was archived so is read-only.")
    if not any(_may(call, need) for need in route.needs.split()):
        raise forbidden(route.needs)


def _may(call: Call, need: str) -> bool:
    permission, _, level = need.partition(":")
    token = call.bearer
    if token.permissions is None and level == "write":
        return _person_may(call, permission)
    return token.may(permission, level)


def _person_may(call: Call, permission: str) -> bool:
    if permission == "checks":
        return False  # only Apps write check runs
    role = call.repository.role(call.bearer.user)
    least = (
        ("write", "maintain", "admin")
        if permission in ("contents", "statuses")
        else ("read", "triage")
    )
    return role in (*least, "write", "maintain", "admin")
