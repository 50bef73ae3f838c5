"""The settings of the server that has started last on a database, for the workers that share it. No secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.storage.database import Database, Transaction
from claude_pool_gh.storage.tables import metadata

server_settings: Final = sa.Table(
    "server_settings",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)


def write(tx: Transaction, settings: Mapping[str, str]) -> None:
    """Store the settings of a server, in place of an earlier one's."""
    tx.execute(server_settings.delete())
    if settings:
        tx.execute(
            server_settings.insert(),
            [{"name": name, "value": value} for name, value in settings.items()],
        )


async def read(database: Database) -> dict[str, str]:
    """The settings that a server has stored; none in a database that no server of this version has opened."""

    def found(tx: Transaction) -> dict[str, str]:
        if not sa.inspect(tx).has_table(server_settings.name):
            return {}
        return {row.name: row.value for row in tx.execute(sa.select(server_settings))}

    return await database.read(found)
