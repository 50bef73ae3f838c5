"""Webhook deliveries: made out of an event, signed, logged, and sent again only on demand."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any

from claude_pool_gh.rehearsal.github.shapes.accounts import organization, user
from claude_pool_gh.rehearsal.github.shapes.repositories import repository
from claude_pool_gh.rehearsal.github.state.deliveries import Delivery
from claude_pool_gh.rehearsal.github.state.ids import node_id
from claude_pool_gh.rehearsal.github.state.installations import Installation
from claude_pool_gh.rehearsal.github.state.people import App
from claude_pool_gh.rehearsal.github.state.site import Event
from claude_pool_gh.rehearsal.github.state.world import World


def hear(world: World, event: Event) -> None:
    """Send an event to each App that is installed here and subscribed."""
    about = None if event.repository is None else world.repository_by_id(event.repository)
    for installation in world.installations.values():
        mine = event.installation in (None, installation.id)
        covered = about is None or installation.covers(about)
        addressed = about is not None or event.installation == installation.id
        if mine and covered and addressed and installation.hears(event.name):
            send(world, make(world, event, installation.app, installation))


def make(world: World, event: Event, app: App, installation: Installation | None) -> Delivery:
    """Write down what is to be sent, as things stand now."""
    site = world.site
    payload: dict[str, Any] = {} if event.action is None else {"action": event.action}
    payload |= event.payload
    about = None if event.repository is None else world.repository_by_id(event.repository)
    if about is not None:
        payload["repository"] = repository(about)
        if about.owner.type == "Organization":
            payload["organization"] = organization(site, about.owner)
    payload["sender"] = user(site, event.actor.user)
    if installation is not None:
        payload.setdefault(
            "installation",
            {"id": installation.id, "node_id": node_id("IntegrationInstallation", installation.id)},
        )
    body, guid = json.dumps(payload).encode(), str(uuid.uuid1())
    return Delivery(
        id=site.ids.next(),
        guid=guid,
        app=app,
        event=event.name,
        action=event.action,
        installation_id=None if installation is None else installation.id,
        repository_id=event.repository,
        payload=payload,
        headers=headers(app, event.name, guid, body),
        body=body,
        delivered_at=site.now(),
    )


def send(world: World, delivery: Delivery) -> None:
    """Log a delivery and give it to whoever posts it."""
    world.deliveries.append(delivery)
    for sender in world.senders:
        sender(delivery)


def again(world: World, delivery: Delivery) -> Delivery:
    """Send the same bytes under the same GUID once more."""
    copy = Delivery(
        id=world.site.ids.next(),
        guid=delivery.guid,
        app=delivery.app,
        event=delivery.event,
        action=delivery.action,
        installation_id=delivery.installation_id,
        repository_id=delivery.repository_id,
        payload=delivery.payload,
        headers=headers(delivery.app, delivery.event, delivery.guid, delivery.body),
        body=delivery.body,
        delivered_at=world.site.now(),
        redelivery=True,
    )
    send(world, copy)
    return copy


def headers(app: App, event: str, guid: str, body: bytes) -> dict[str, str]:
    """The headers that GitHub sends along; a hook without a secret is not signed."""
    given = {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/0000000",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Enterprise-Version": "3.19.0",
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
    }
    if app.webhook_secret:
        secret = app.webhook_secret.encode()
        given["X-Hub-Signature"] = "sha1=" + hmac.new(secret, body, hashlib.sha1).hexdigest()
        given["X-Hub-Signature-256"] = (
            "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        )
    return given
