"""Delivery of events."""

from __future__ import annotations

import logging
from typing import Any, Callable, Iterable

from hooks.settings import Settings
from hooks.transport import TransportError, post

log = logging.getLogger(__name__)

Post = Callable[[str, dict[str, Any], float], int]


class Sender:
    def __init__(self, settings: Settings, post: Post = post) -> None:
        self._settings = settings
        self._post = post

    def deliver(self, event: dict[str, Any], receivers: Iterable[str]) -> list[str]:
        """Send an event; returns the receivers that did not take it."""
        return [url for url in receivers if not self._send(url, event)]

    def _send(self, url: str, event: dict[str, Any]) -> bool:
        try:
            status = self._post(url, event, self._settings.webhook_timeout / 1000)
        except TransportError as error:
            log.warning("%s: %s", url, error)
            return False
        return 200 <= status < 300
