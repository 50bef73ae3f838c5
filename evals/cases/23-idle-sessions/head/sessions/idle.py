"""Ending idle sessions."""

from __future__ import annotations

from datetime import datetime, timedelta

from sessions.store import SessionStore

SHORTEST = timedelta(minutes=5)


def end_idle(store: SessionStore, idle: timedelta, now: datetime | None = None) -> int:
    """End the sessions not seen for `idle`; returns how many."""
    if idle < SHORTEST:
        raise ValueError(f"must be at least {SHORTEST}")
    if now is None:
        now = datetime.now()
    return store.delete_before(now - idle)
