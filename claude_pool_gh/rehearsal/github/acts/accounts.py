"""Apps: registered, installed, suspended, removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from claude_pool_gh.rehearsal.github.acts import tokens
from claude_pool_gh.rehearsal.github.shapes import accounts as shapes
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.installations import Installation
from claude_pool_gh.rehearsal.github.state.people import (
    DEFAULT_EVENTS,
    DEFAULT_PERMISSIONS,
    Actor,
    App,
    Permissions,
    User,
)
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.site import Event, Site
from claude_pool_gh.rehearsal.github.state.world import World


def create_app(
    world: World,
    slug: str,
    webhook_url: str | None,
    webhook_secret: str,
    permissions: Permissions | None,
    events: Iterable[str] | None,
) -> App:
    """Register an App with a key of its own."""
    private, public = _key_pair(len(world.site.apps))
    app = App(
        id=world.site.ids.next(),
        slug=slug,
        owner=world.site.user("maker"),
        bot=world.site.user(f"{slug}[bot]", "Bot"),
        private_key=private,
        public_key=public,
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        hook_id=world.site.ids.next(),
        created_at=world.site.now(),
        permissions=dict(permissions or DEFAULT_PERMISSIONS),
        events=tuple(events or DEFAULT_EVENTS),
    )
    world.site.apps[app.id] = app
    return app


@cache
def _key_pair(_number: int) -> tuple[str, str]:
    """The private and the public key of a site's n-th App as PEM.

    Another site in this process has the same ones: making a pair takes 70 ms, and some hundred sites are made by tests.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


def install(
    world: World,
    app: App,
    account: User,
    repositories: Sequence[Repository],
    permissions: Permissions | None,
    events: Iterable[str] | None,
) -> Installation:
    """Install an App and tell it so."""
    installation = Installation(
        world.site.ids.next(),
        app,
        account,
        list(repositories),
        dict(permissions or app.permissions),
        tuple(events or app.events),
        world.site.now(),
    )
    world.installations[installation.id] = installation
    names = [_name(one) for one in repositories]
    payload = {
        "installation": shapes.installation(world.site, installation),
        "repositories": names,
        "requester": None,
    }
    world.site.emit(
        Event("installation", "created", Actor(account), payload, installation=installation.id)
    )
    return installation


def _name(one: Repository) -> dict[str, object]:
    return {
        "id": one.id,
        "node_id": node_id("Repository", one.id),
        "name": one.name,
        "full_name": one.full_name,
        "private": one.private,
    }


def uninstall(world: World, installation: Installation) -> None:
    """Remove an installation with its tokens, and tell it so."""
    names = [_name(one) for one in installation.repositories]
    payload = {"installation": shapes.installation(world.site, installation), "repositories": names}
    event = Event(
        "installation",
        "deleted",
        Actor(installation.account),
        payload,
        installation=installation.id,
    )
    world.site.emit(event)
    del world.installations[installation.id]
    tokens.revoke_all(world, installation)


def suspend(world: World, installation: Installation, *, on: bool) -> None:
    """Suspend an installation, or bring it back, and tell it so; its tokens die with a suspension."""
    installation.suspended = on
    payload = {"installation": shapes.installation(world.site, installation)}
    action = "suspend" if on else "unsuspend"
    world.site.emit(
        Event(
            "installation",
            action,
            Actor(installation.account),
            payload,
            installation=installation.id,
        )
    )
    if on:
        tokens.revoke_all(world, installation)


def change_repositories(
    site: Site,
    installation: Installation,
    added: Sequence[Repository] = (),
    removed: Sequence[Repository] = (),
) -> None:
    """Let an installation see more repositories, or fewer."""
    kept = [one for one in installation.repositories if one not in removed]
    installation.repositories = [*kept, *added]
    payload = {
        "installation": shapes.installation(site, installation),
        "repository_selection": "selected",
        "repositories_added": [_name(one) for one in added],
        "repositories_removed": [_name(one) for one in removed],
        "requester": None,
    }
    action, actor = "added" if added else "removed", Actor(installation.account)
    site.emit(
        Event("installation_repositories", action, actor, payload, installation=installation.id)
    )


def ping(site: Site, app: App) -> Event:
    """The event of a saved hook."""
    hook = {
        "type": "App",
        "id": app.hook_id,
        "name": "web",
        "active": True,
        "events": list(app.events),
        "app_id": app.id,
        "config": {"content_type": "json", "insecure_ssl": "0", "url": app.webhook_url or ""},
        "created_at": iso(app.created_at),
        "updated_at": iso(app.created_at),
        "deliveries_url": f"{site.api_url}/app/hook/deliveries",
    }
    payload = {"zen": "Keep it logically awesome.", "hook_id": app.hook_id, "hook": hook}
    return Event("ping", None, Actor(app.owner), payload)
