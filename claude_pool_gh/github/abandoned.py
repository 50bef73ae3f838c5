"""Frees what processes that are gone were at, where it is known that no other process runs."""

from __future__ import annotations

import sqlalchemy as sa

from claude_pool_gh.github.command_states import CommandState
from claude_pool_gh.github.tables import commands, leases
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.owners import own_id


async def free(database: Database) -> None:
    """Let nobody wait for who held a command or a lease, on a SQLite file that this process alone dispatches from.

    Whether the owner of another boot, another container or an earlier version is gone cannot be seen in its id.
    """
    if database.engine.dialect.name == "sqlite":
        await database.transact(_free)


def _free(tx: Transaction) -> None:
    mine = own_id()
    tx.execute(leases.delete().where(leases.c.owner != mine))
    held = sa.and_(commands.c.state == CommandState.received, commands.c.owner != mine)
    tx.execute(commands.update().where(held).values(owner=None, due_ms=0))
