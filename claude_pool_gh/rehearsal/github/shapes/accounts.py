"""Users, organizations, Apps and installations as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.installations import Installation
from claude_pool_gh.rehearsal.github.state.people import App, User
from claude_pool_gh.rehearsal.github.state.site import Site
from claude_pool_gh.rehearsal.github.state.world import World

Json = dict[str, Any]


def user(site: Site, one: User) -> Json:
    """The `simple-user` shape."""
    url = f"{site.api_url}/users/{quote(one.login, safe='')}"
    page = f"{site.url}/{'apps/' if one.type == 'Bot' else ''}{one.login.removesuffix('[bot]')}"
    return {
        "login": one.login,
        "id": one.id,
        "node_id": node_id("User", one.id),
        "avatar_url": f"{site.url}/avatars/{one.id}",
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


def organization(site: Site, one: User) -> Json:
    """The `organization-simple` shape."""
    url = f"{site.api_url}/orgs/{one.login}"
    return {
        "login": one.login,
        "id": one.id,
        "node_id": node_id("Organization", one.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{site.url}/avatars/{one.id}",
        "description": None,
    }


def maybe_user(site: Site, one: User | None) -> Json | None:
    """A user where there may be none."""
    return None if one is None else user(site, one)


def profile(world: World, one: User) -> Json:
    """The `public-user` shape."""
    unknown = ("company", "blog", "location", "email", "hireable", "bio")
    return {
        **user(world.site, one),
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
    counts = (
        "private_gists",
        "total_private_repos",
        "owned_private_repos",
        "disk_usage",
        "collaborators",
    )
    return {**profile(world, one), **dict.fromkeys(counts, 0), "two_factor_authentication": True}


def app(site: Site, one: App) -> Json:
    """The `integration` shape."""
    return {
        "id": one.id,
        "client_id": one.client_id,
        "slug": one.slug,
        "node_id": node_id("Integration", one.id),
        "owner": user(site, one.owner),
        "name": one.slug,
        "description": "",
        "external_url": f"{site.url}/apps/{one.slug}/about",
        "html_url": f"{site.url}/apps/{one.slug}",
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "permissions": dict(one.permissions),
        "events": list(one.events),
    }


def maybe_app(site: Site, one: App | None) -> Json | None:
    """An App where there may be none."""
    return None if one is None else app(site, one)


def installation(site: Site, one: Installation) -> Json:
    """The `installation` shape."""
    return {
        "id": one.id,
        "client_id": one.app.client_id,
        "account": user(site, one.account),
        "repository_selection": "selected",
        "access_tokens_url": f"{site.api_url}/app/installations/{one.id}/access_tokens",
        "repositories_url": f"{site.api_url}/installation/repositories",
        "html_url": f"{site.url}/settings/installations/{one.id}",
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
        "suspended_by": user(site, one.account) if one.suspended else None,
        "suspended_at": iso(one.created_at) if one.suspended else None,
    }
