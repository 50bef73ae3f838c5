"""Alembic's entry: it is always given an open connection by `upgrade`."""

from __future__ import annotations

from alembic import context

from claude_pool_gh.storage.tables import metadata

with context.config.attributes["connection"] as connection:
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=False
    )
    with context.begin_transaction():
        context.run_migrations()
