"""Webhook deliveries: signed, posted once, logged, and sent again only on demand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from claude_pool_gh.rehearsal.github.ids import node_id
from claude_pool_gh.rehearsal.github.people import App, Installation
from claude_pool_gh.rehearsal.github.shapes.accounts import user
from claude_pool_gh.rehearsal.github.shapes.repositories import repository
from claude_pool_gh.rehearsal.github.world import Event, World

State = Literal["pending", "delivered", "failed", "dropped"]


@dataclass(slots=True, eq=False)
class Delivery:
    """One attempt to post one event to one App."""

    id: int
    guid: str
    app: App
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    payload: dict[str, Any]
    headers: dict[str, str]
    body: bytes
    delivered_at: float
    redelivery: bool = False
    state: State = "pending"
    status: str = "pending"
    status_code: int = 0
    duration: float = 0.0
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Deliveries:
    """Every delivery of one instance and the tasks that carry them."""

    world: World
    sent: Callable[[Delivery], None]
    loop: asyncio.AbstractEventLoop
    enabled: bool = True
    log: list[Delivery] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    def hear(self, event: Event) -> None:
        """Make a delivery for each App that is installed here and subscribed."""
        for installation in self.world.installations.values():
            mine = event.installation in (None, installation)
            covered = event.repository is None or installation.covers(event.repository)
            addressed = event.repository is not None or event.installation is installation
            if mine and covered and addressed and installation.hears(event.name):
                self.start(self.make(event, installation.app, installation))

    def make(self, event: Event, app: App, installation: Installation | None) -> Delivery:
        """Write down what is to be sent, as things stand now."""
        payload: dict[str, Any] = {} if event.action is None else {"action": event.action}
        payload |= event.payload
        if event.repository is not None:
            payload["repository"] = repository(event.repository)
            owner = event.repository.owner
            if owner.type == "Organization":
                payload["organization"] = organization(self.world, owner.login, owner.id)
        payload["sender"] = user(self.world, event.actor.user)
        if installation is not None:
            payload.setdefault(
                "installation",
                {"id": installation.id, "node_id": node_id("IntegrationInstallation", installation.id)},
            )
        body, guid = json.dumps(payload).encode(), str(uuid.uuid1())
        return Delivery(
            self.world.ids.next(),
            guid,
            app,
            event.name,
            event.action,
            None if installation is None else installation.id,
            None if event.repository is None else event.repository.id,
            payload,
            headers(app, event.name, guid, body),
            body,
            self.world.now(),
        )

    def start(self, delivery: Delivery) -> None:
        """Log a delivery and post it in the background, or drop it while deliveries are switched off."""
        self.log.append(delivery)
        self.sent(delivery)
        if not self.enabled or delivery.app.webhook_url is None:
            delivery.state, delivery.status, delivery.status_code = (
                "dropped",
                "failed to connect to host",
                502,
            )
            return
        task = self.loop.create_task(self._post(delivery, delivery.app.webhook_url))
        delivery.task = task
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def again(self, delivery: Delivery) -> Delivery:
        """Send the same bytes under the same GUID once more."""
        copy = Delivery(
            self.world.ids.next(),
            delivery.guid,
            delivery.app,
            delivery.event,
            delivery.action,
            delivery.installation_id,
            delivery.repository_id,
            delivery.payload,
            headers(delivery.app, delivery.event, delivery.guid, delivery.body),
            delivery.body,
            self.world.now(),
            redelivery=True,
        )
        self.start(copy)
        return copy

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self.tasks:
            await asyncio.wait(set(self.tasks))

    async def settle_since(self, count: int) -> None:
        """Wait for the deliveries after the first `count` of the log."""
        tasks = [one.task for one in self.log[count:] if one.task is not None]
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop what is under way."""
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _post(self, delivery: Delivery, url: str) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        timeout = aiohttp.ClientTimeout(total=self.world.limits.webhook_seconds)
        started = self.loop.time()
        try:
            async with self._session.post(
                url, data=delivery.body, headers=delivery.headers, timeout=timeout, allow_redirects=False
            ) as response:
                delivery.response_body = (await response.read()).decode(errors="replace")
                delivery.response_headers = dict(response.headers)
                delivery.status_code = response.status
            good = 200 <= delivery.status_code < 300
            delivery.status = "OK" if good else f"Invalid HTTP Response: {delivery.status_code}"
            delivery.state = "delivered" if good else "failed"
        except TimeoutError:
            delivery.state, delivery.status, delivery.status_code = "failed", "timed out", 504
        except (aiohttp.ClientError, OSError):
            delivery.state, delivery.status, delivery.status_code = "failed", "failed to connect to host", 502
        delivery.duration = round(self.loop.time() - started, 2)
        self.world.changed()


def headers(app: App, event: str, guid: str, body: bytes) -> dict[str, str]:
    """What GitHub sends along; a hook without a secret is not signed."""
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
        given["X-Hub-Signature-256"] = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    return given


def organization(world: World, login: str, number: int) -> dict[str, Any]:
    """The `organization-simple` shape."""
    url = f"{world.api_url}/orgs/{login}"
    return {
        "login": login,
        "id": number,
        "node_id": node_id("Organization", number),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{world.url}/avatars/{number}",
        "description": None,
    }
