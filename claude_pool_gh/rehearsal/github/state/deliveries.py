"""Webhook deliveries as GitHub's log of them has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from claude_pool_gh.rehearsal.github.state.people import App

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
