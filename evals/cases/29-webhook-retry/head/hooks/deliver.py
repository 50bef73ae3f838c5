"""Delivery of events."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Iterable

from hooks.settings import Settings
from hooks.transport import TransportError, post

log = logging.getLogger(__name__)

Post = Callable[[str, dict[str, Any], float], int]

ATTEMPTS = 4
WORTH_A_RETRY = frozenset({408, 429})


class Sender:
    def __init__(
        self,
        settings: Settings,
        post: Post = post,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._post = post
        self._sleep = sleep

    def deliver(self, event: dict[str, Any], receivers: Iterable[str]) -> list[str]:
        """Send an event; returns the receivers that did not take it."""
        return [url for url in receivers if not self._send(url, event)]

    def _send(self, url: str, event: dict[str, Any]) -> bool:
        for attempt in range(ATTEMPTS):
            if attempt > 0:
                self._sleep(self._settings.webhook_backoff * 2 ** (attempt - 1))
            try:
                status = self._post(url, event, self._settings.webhook_timeout / 1000)
            except TransportError as error:
                log.warning("%s: %s", url, error)
                continue
            if 200 <= status < 300:
                return True
            log.warning("%s: status %d", url, status)
            if status < 500 and status not in WORTH_A_RETRY:
                return False
        return False
