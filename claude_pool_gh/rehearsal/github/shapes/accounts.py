"""Users, organizations, Apps and installations as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from claude_pool_gh.rehearsal.github.clock import iso
from claude_pool_gh.rehearsal.github.ids import node_id
from claude_pool_gh.rehearsal.github.people import App, Installation, User
from claude_pool_gh.rehearsal.github.tokens import client_id
from claude_pool_gh.rehearsal.github.world import World

Json = dict[str, Any]


def user(world: World, one: User) -> Json:
    """The `simple-user` shape."""
    url = f"{world.api_url}/users/{quote(one.login, safe='')}"
    page = f"{world.url}/{'apps/' if one.type == 'Bot' else ''}{one.login.removesuffix('[bot]')}"
    return {
        "login": one.login,
        "id": one.id,
        "node_id": node_id("User", one.id),
        "avatar_url": f"{world.url}/avatars/{one.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": page,
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": one.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def maybe_user(world: World, one: User | None) -> Json | None:
    """A user where there may be none."""
    return None if one is None else user(world, one)


def profile(world: World, one: User) -> Json:
    """The `public-user` shape."""
    unknown = ("company", "blog", "location", "email", "hireable", "bio")
    return {
        **user(world, one),
        "name": one.login.title(),
        **dict.fromkeys(unknown),
        "public_repos": sum(repository.owner is one for repository in world.repositories.values()),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
    }


def own_profile(world: World, one: User) -> Json:
    """The `private-user` shape: what a person sees of themselves."""
    counts = ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators")
    return {**profile(world, one), **dict.fromkeys(counts, 0), "two_factor_authentication": True}


def app(world: World, one: App) -> Json:
    """The `integration` shape."""
    return {
        "id": one.id,
        "client_id": client_id(one),
        "slug": one.slug,
        "node_id": node_id("Integration", one.id),
        "owner": user(world, one.owner),
        "name": one.slug,
        "description": "",
        "external_url": f"{world.url}/apps/{one.slug}/about",
        "html_url": f"{world.url}/apps/{one.slug}",
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "permissions": dict(one.permissions),
        "events": list(one.events),
    }


def maybe_app(world: World, one: App | None) -> Json | None:
    """An App where there may be none."""
    return None if one is None else app(world, one)


def installation(world: World, one: Installation) -> Json:
    """The `installation` shape."""
    return {
        "id": one.id,
        "client_id": client_id(one.app),
        "account": user(world, one.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{world.api_url}/app/installations/{one.id}/access_tokens",
        "repositories_url": f"{world.api_url}/installation/repositories",
        "html_url": f"{world.url}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "app_slug": one.app.slug,
        "target_id": one.account.id,
        "target_type": one.account.type,
        "permissions": dict(one.permissions),
        "events": list(one.events),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user(world, one.account) if one.suspended else None,
        "suspended_at": iso(one.created_at) if one.suspended else None,
    }
