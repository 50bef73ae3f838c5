"""Texts that every agent of the pool is told at the start of its task, by key."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.pool.store.tables import context
from claude_pool_gh.storage import Transaction, one_at_a_time

MOST: Final = 32_000
"""Characters of all keys and values together: they are part of every prompt, and paid for each time."""

_EVERYTHING = sa.select(context)  # built once: see `chains`


def put(tx: Transaction, key: str, value: str, now_ms: int) -> None:
    """Store a text, in place of an earlier one under the key. Raises ValueError where it would all be too long."""
    one_at_a_time(tx, "context")
    if not key.strip() or key.splitlines() != [key] or len(key) > 128:
        raise ValueError("a key of the shared context is one line of at most 128 characters")
    rest = {name: text for name, text in everything(tx).items() if name != key}
    size = sum(len(name) + len(text) for name, text in rest.items()) + len(key) + len(value)
    if size > MOST:
        raise ValueError(
            f"the shared context would have {size} characters, more than {MOST}; delete something first"
        )
    delete(tx, key)
    tx.execute(context.insert().values(key=key, value=value, updated_ms=now_ms))


def get(tx: Transaction, key: str) -> str | None:
    """The text under a key; None when there is none."""
    return tx.execute(sa.select(context.c.value).where(context.c.key == key)).scalar_one_or_none()


def delete(tx: Transaction, key: str) -> bool:
    """Remove a key. False when it was not there."""
    return tx.execute(context.delete().where(context.c.key == key)).rowcount == 1


def everything(tx: Transaction) -> dict[str, str]:
    """All keys with their texts, in order."""
    return dict(sorted((row.key, row.value) for row in tx.execute(_EVERYTHING)))
