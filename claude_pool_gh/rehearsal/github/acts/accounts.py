"""Apps: registered, installed, given tokens, and their buttons pressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from claude_pool_gh.rehearsal.github.clock import iso
from claude_pool_gh.rehearsal.github.errors import RefusedError, unreachable_repository
from claude_pool_gh.rehearsal.github.ids import node_id
from claude_pool_gh.rehearsal.github.people import (
    DEFAULT_EVENTS,
    DEFAULT_PERMISSIONS,
    Actor,
    App,
    Installation,
    Permissions,
    User,
)
from claude_pool_gh.rehearsal.github.shapes import accounts as shapes
from claude_pool_gh.rehearsal.github.shapes import verdicts as verdict_shapes
from claude_pool_gh.rehearsal.github.tokens import Token, installation_secret
from claude_pool_gh.rehearsal.github.verdicts import CheckRun
from claude_pool_gh.rehearsal.github.world import Event, World

if TYPE_CHECKING:
    from claude_pool_gh.rehearsal.github.repository import Repository

STRENGTH = {"read": 1, "write": 2, "admin": 3}


def create_app(
    world: World,
    slug: str,
    webhook_url: str | None,
    webhook_secret: str,
    permissions: Permissions | None,
    events: Iterable[str] | None,
) -> App:
    """Register an App and make its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = App(
        id=world.ids.next(),
        slug=slug,
        owner=world.user("maker"),
        bot=world.user(f"{slug}[bot]", "Bot"),
        private_key=private.decode(),
        public_key=public.decode(),
        webhook_url=webhook_url,
        webhook_secret=webhook_secret,
        hook_id=world.ids.next(),
        created_at=world.now(),
        permissions=dict(permissions or DEFAULT_PERMISSIONS),
        events=tuple(events or DEFAULT_EVENTS),
    )
    world.apps[app.id] = app
    return app


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
        world.ids.next(),
        app,
        account,
        list(repositories),
        dict(permissions or app.permissions),
        tuple(events or app.events),
        world.now(),
    )
    world.installations[installation.id] = installation
    names = [_name(one) for one in repositories]
    payload = {
        "installation": shapes.installation(world, installation),
        "repositories": names,
        "requester": None,
    }
    world.emit(Event("installation", "created", Actor(account), payload, installation=installation))
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
    payload = {"installation": shapes.installation(world, installation), "repositories": names}
    event = Event("installation", "deleted", Actor(installation.account), payload, installation=installation)
    world.emit(event)
    del world.installations[installation.id]
    for token in [one for one in world.tokens.live.values() if one.installation is installation]:
        world.tokens.revoke(token)


def suspend(world: World, installation: Installation, *, on: bool) -> None:
    """Suspend an installation, or bring it back, and tell it so; its tokens die with a suspension."""
    installation.suspended = on
    payload = {"installation": shapes.installation(world, installation)}
    action = "suspend" if on else "unsuspend"
    world.emit(Event("installation", action, Actor(installation.account), payload, installation=installation))
    for token in [one for one in world.tokens.live.values() if one.installation is installation and on]:
        world.tokens.revoke(token)


def change_repositories(
    installation: Installation, added: Sequence[Repository] = (), removed: Sequence[Repository] = ()
) -> None:
    """Let an installation see more repositories, or fewer."""
    kept = [one for one in installation.repositories if one not in removed]
    installation.repositories = [*kept, *added]
    world = (*added, *removed)[0].world
    payload = {
        "installation": shapes.installation(world, installation),
        "repository_selection": "selected",
        "repositories_added": [_name(one) for one in added],
        "repositories_removed": [_name(one) for one in removed],
        "requester": None,
    }
    action, actor = "added" if added else "removed", Actor(installation.account)
    world.emit(Event("installation_repositories", action, actor, payload, installation=installation))


def installation_token(
    world: World,
    installation: Installation,
    permissions: Mapping[str, str] | None,
    repositories: Iterable[int] | None,
) -> Token:
    """A token for an installation, narrowed but never widened."""
    if installation.suspended:
        raise RefusedError(403, "This installation has been suspended")
    has = dict(installation.permissions)
    for name, level in (permissions or {}).items():
        if STRENGTH.get(level, 9) > STRENGTH.get(has.get(name, ""), 0):
            raise RefusedError(422, "The permissions requested are not granted to this installation.")
    chosen = None if repositories is None else frozenset(repositories)
    if chosen is not None and not chosen <= {one.id for one in installation.repositories}:
        raise unreachable_repository()
    narrowed = {"metadata": "read", **permissions} if permissions else has
    return world.tokens.add(
        Token(
            id=f"ghs-{world.ids.next()}",
            secret=installation_secret(installation.app, world.now()),
            user=installation.app.bot,
            permissions=narrowed,
            repositories=chosen,
            expires_at=world.now() + world.limits.token_seconds,
            installation=installation,
            app=installation.app,
        )
    )


def ping(world: World, app: App) -> Event:
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
        "deliveries_url": f"{world.api_url}/app/hook/deliveries",
    }
    payload = {"zen": "Keep it logically awesome.", "hook_id": app.hook_id, "hook": hook}
    return Event("ping", None, Actor(app.owner), payload)


def press(repository: Repository, run: CheckRun, actor: Actor, button: str | None) -> None:
    """Tell the App that made a check run that somebody pressed a button of it."""
    shape = verdict_shapes.check_run(repository, run)
    payload: dict[str, object] = {"check_run": shape}
    if button is not None:
        payload["requested_action"] = {"identifier": button}
    action = "rerequested" if button is None else "requested_action"
    owner = _installed(repository, run)
    repository.world.emit(Event("check_run", action, actor, payload, repository, owner))


def press_all(repository: Repository, run: CheckRun, actor: Actor) -> None:
    """Tell the App that made a check run that somebody wants all its checks of that commit again."""
    payload: dict[str, object] = {"check_suite": verdict_shapes.check_suite(repository, run)}
    repository.world.emit(
        Event("check_suite", "rerequested", actor, payload, repository, _installed(repository, run))
    )


def _installed(repository: Repository, run: CheckRun) -> Installation | None:
    """The installation under which a check run was made."""
    every = repository.world.installations.values()
    return next((one for one in every if one.app is run.app and one.covers(repository)), None)
