"""The HTTP layer; the framework hands over the decoded query string."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Mapping

from tickets.store import TicketStore

MAX_LIMIT = 200


def list_tickets(store: TicketStore, query: Mapping[str, str]) -> tuple[int, Any]:
    """Status and body for GET /tickets."""
    try:
        limit = int(query.get("limit", "50"))
    except ValueError:
        return 400, {"error": "limit must be a number"}
    if not 1 <= limit <= MAX_LIMIT:
        return 400, {"error": f"limit must be between 1 and {MAX_LIMIT}"}
    tickets = store.list(query.get("state", "open"), limit)
    return 200, [asdict(ticket) for ticket in tickets]
