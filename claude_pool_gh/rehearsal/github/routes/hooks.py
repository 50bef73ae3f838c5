"""The App's own view of its webhook and deliveries."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.rehearsal.github.acts import deliveries
from claude_pool_gh.rehearsal.github.errors import RefusedError, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.paging import cursor_link, number
from claude_pool_gh.rehearsal.github.routes.route import Route
from claude_pool_gh.rehearsal.github.state.clock import iso
from claude_pool_gh.rehearsal.github.state.deliveries import Delivery

Json = dict[str, Any]


def item(one: Delivery) -> Json:
    """The `hook-delivery-item` shape."""
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": iso(one.delivered_at),
        "redelivery": one.redelivery,
        "duration": one.duration,
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": one.installation_id,
        "repository_id": one.repository_id,
        "throttled_at": None,
    }


def full(one: Delivery, url: str | None) -> Json:
    """The `hook-delivery` shape, with what was sent and what came back."""
    request = {"headers": one.headers, "payload": one.payload}
    response = {"headers": one.response_headers, "payload": one.response_body}
    return {**item(one), "url": url or "", "request": request, "response": response}


def _mine(call: Call) -> list[Delivery]:
    done = (one for one in call.world.deliveries if one.state != "pending")
    return sorted((one for one in done if one.app is call.jwt_app), key=lambda one: -one.id)


def _the(call: Call) -> Delivery:
    wanted = call.number("delivery_id")
    found = next((one for one in _mine(call) if one.id == wanted), None)
    if found is None:
        raise missing()
    return found


def list_deliveries(call: Call) -> Answer:
    """The log, newest first, paged by cursor."""
    size, cursor = number(call, "per_page", 30, 100), call.query.get("cursor")
    if cursor is not None and not cursor.startswith("v1_"):
        raise RefusedError(400, "Invalid cursor")
    status = call.query.get("status")
    rest = [
        one
        for one in _mine(call)
        if (cursor is None or one.id < int(cursor[3:]))
        and (status is None or (status == "success") == (one.state == "delivered"))
    ]
    more = cursor_link(call, f"v1_{rest[size - 1].id}") if len(rest) > size else {}
    return Answer(json=[item(one) for one in rest[:size]], headers=more)


def get_delivery(call: Call) -> Answer:
    """One delivery with what was sent and answered."""
    return Answer(json=full(_the(call), call.jwt_app.webhook_url))


def redeliver(call: Call) -> Answer:
    """Send a delivery again."""
    deliveries.again(call.world, _the(call))
    return Answer(202, {})


def config(call: Call) -> Answer:
    """The webhook's address and secret, as far as they are shown."""
    app = call.jwt_app
    shape = {"content_type": "json", "insecure_ssl": "0"}
    shape |= {"url": app.webhook_url} if app.webhook_url else {}
    return Answer(json={**shape, "secret": "********"} if app.webhook_secret else shape)


ROUTES = (
    Route("GET", "/app/hook/config", config, "app"),
    Route("GET", "/app/hook/deliveries", list_deliveries, "app"),
    Route("GET", "/app/hook/deliveries/{delivery_id}", get_delivery, "app"),
    Route("POST", "/app/hook/deliveries/{delivery_id}/attempts", redeliver, "app"),
)
