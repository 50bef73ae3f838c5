"""Records of what was sent and received, for tests and for the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log; `route` is GitHub's path template, None where there is none."""

    method: str
    path: str
    route: str | None
    status: int | None
    actor: str | None
    token_id: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Exchange:
    """One API request with its answer. `injected` marks an answer that a fault made up."""

    method: str
    path: str
    route: str | None
    params: Mapping[str, str]
    query: Mapping[str, str]
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    response_headers: Mapping[str, str]
    response_body: bytes
    injected: bool


@dataclass(frozen=True, slots=True)
class WebhookSent:
    """One webhook as it left."""

    event: str
    action: str | None
    payload: dict[str, Any]


Seen = Exchange | WebhookSent
Observer = Callable[[Seen], None]
