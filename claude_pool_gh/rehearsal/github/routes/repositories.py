"""Repositories, users and what users may do."""

from __future__ import annotations

from claude_pool_gh.rehearsal.github.errors import forbidden, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import paged
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.shapes import accounts, repositories
from claude_pool_gh.rehearsal.github.state.people import COARSE, User


def get_repository(call: Call) -> Answer:
    """One repository."""
    return Answer(json=repositories.full(call.repository))


def list_of_organization(call: Call) -> Answer:
    """The repositories of an organization, as far as whoever asks may see them."""
    owner = _known(call.site.users.get(call.params["org"].lower()))
    if owner.type != "Organization":
        raise missing()
    every = [one for one in call.world.repositories.values() if one.owner is owner]
    seen = [one for one in every if not one.deleted and call.bearer.sees(one)]
    return paged(call, seen, repositories.listed)


def _known(found: User | None) -> User:
    if found is None:
        raise missing()
    return found


def get_user(call: Call) -> Answer:
    """A user by name."""
    found = _known(call.site.users.get(call.params["username"].lower()))
    return Answer(json=accounts.profile(call.world, found))


def get_user_by_id(call: Call) -> Answer:
    """A user by number, which survives a change of name."""
    return Answer(
        json=accounts.profile(call.world, _known(call.site.user_by_id(call.number("account_id"))))
    )


def get_me(call: Call) -> Answer:
    """The person that asks; an App is none."""
    token = call.bearer
    if token.installation is not None or token.quiet:
        raise forbidden()
    return Answer(json=accounts.own_profile(call.world, token.user))


def get_permission(call: Call) -> Answer:
    """A user's role and permission. An App's account is no collaborator anywhere, whatever the App may do."""
    found = _known(call.site.users.get(call.params["username"].lower()))
    role = "none" if found.type == "Bot" else call.repository.role(found)
    user = {**accounts.user(call.site, found), "role_name": role}
    return Answer(json={"permission": COARSE.get(role, role), "role_name": role, "user": user})


ROUTES = (
    Route("GET", "/repos/{owner}/{repo}", get_repository, "metadata:read"),
    Route(
        "GET",
        "/repos/{owner}/{repo}/collaborators/{username}/permission",
        get_permission,
        "metadata:read",
    ),
    Route("GET", "/orgs/{org}/repos", list_of_organization),
    Route("GET", "/users/{username}", get_user),
    Route("GET", "/user/{account_id}", get_user_by_id),
    Route("GET", "/user", get_me),
)
