"""The positions up to which GitHub's lists were read, and the deliveries that were heard."""

from __future__ import annotations

import sqlalchemy as sa

from claude_pool_gh.github.tables import cursors, deliveries
from claude_pool_gh.storage import Transaction, insert_once


def is_heard(tx: Transaction, guid: str) -> bool:
    """True where a delivery was taken in."""
    return (
        tx.execute(sa.select(deliveries.c.guid).where(deliveries.c.guid == guid)).first()
        is not None
    )


def position(tx: Transaction, name: str) -> str | None:
    """The position up to which a list was read; None where it never was."""
    return tx.execute(sa.select(cursors.c.value).where(cursors.c.name == name)).scalar_one_or_none()


def advance(tx: Transaction, name: str, value: str) -> None:
    """A list was read up to here."""
    if not insert_once(tx, cursors, {"name": name, "value": value}):
        tx.execute(cursors.update().where(cursors.c.name == name).values(value=value))
