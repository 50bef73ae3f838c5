"""The posting of webhook deliveries: each once, in the background, without a second attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp

from claude_pool_gh.rehearsal.github.state.deliveries import Delivery
from claude_pool_gh.rehearsal.github.state.world import World


@dataclass(slots=True)
class WebhookSender:
    """Posts the deliveries of one instance, or drops them while `enabled` is off."""

    world: World
    loop: asyncio.AbstractEventLoop
    enabled: bool = True
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _session: aiohttp.ClientSession | None = None

    def take(self, delivery: Delivery) -> None:
        """Begin to post a delivery; one to nowhere fails at once."""
        if not self.enabled or delivery.app.webhook_url is None:
            delivery.state, delivery.status, delivery.status_code = (
                "dropped",
                "failed to connect to host",
                502,
            )
            return
        task = self.loop.create_task(self._post(delivery, delivery.app.webhook_url))
        self._tasks[delivery.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(delivery.id))

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    async def settle_these(self, deliveries: Iterable[Delivery]) -> None:
        """Wait until none of these is under way any more."""
        tasks = [self._tasks[one.id] for one in deliveries if one.id in self._tasks]
        if tasks:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _post(self, delivery: Delivery, url: str) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        timeout = aiohttp.ClientTimeout(total=self.world.site.limits.webhook_seconds)
        started = self.loop.time()
        try:
            async with self._session.post(
                url,
                data=delivery.body,
                headers=delivery.headers,
                timeout=timeout,
                allow_redirects=False,
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
            delivery.state, delivery.status, delivery.status_code = (
                "failed",
                "failed to connect to host",
                502,
            )
        delivery.duration = round(self.loop.time() - started, 2)
        self.world.site.changed()
