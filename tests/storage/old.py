"""A database as an older version left it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.pool.make import NOW


def migrate(database: Database, revision: str) -> None:
    """Give a new database the tables of an older version."""
    from alembic import command  # noqa: PLC0415 - heavy
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.engine.connect().execution_options(
        begin_statement="BEGIN IMMEDIATE"
    ) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def insert(tx: Transaction, table: str, **values: Any) -> None:
    """Insert a row with the columns that the table has by now."""
    insert_all(tx, table, [values])


def insert_all(tx: Transaction, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows of the same columns; finding out which the table has by now takes 20 ms, and is done once."""
    tx.execute(sa.Table(table, sa.MetaData(), autoload_with=tx).insert(), rows)


def chain(tx: Transaction, name: str, plan: Plan, **more: Any) -> None:
    """A chain of a bot, as versions before scopes stored it."""
    caps = {"task": 1_000_000, "chain": 1_000_000, "thread": 5_000_000, "user_day": None}
    values = {
        "id": name,
        "pool": "main",
        "kind": "chain",
        "state": "queued",
        "plan": json.loads(plan.model_dump_json()),
        "account_thread": "1:7",
        "account_user": "9",
        "account_repository": "1",
        "caps": caps | {"repository_month": 6_000_000, "pool": 7_000_000, "least": None},
        "priority": 0,
        "place": 0,
        "created_ms": NOW,
        "cancel_requested": False,
        "generation": 0,
    }
    insert(tx, "chains", **(values | more))
    for position, step in enumerate(plan.steps):
        own = {
            "id": f"{name}.{step.name}",
            "chain_id": name,
            "position": position,
            "name": step.name,
        }
        insert(tx, "steps", **own, state="pending", rejections=[])


def money(tx: Transaction, chain_id: str, reserved: int, settled: int | None = None) -> None:
    """What such a chain has set aside or has cost."""
    own = {"id": chain_id, "level": "chain", "chain_id": chain_id, "upper_bound": False}
    insert(tx, "reservations", **own, reserved=reserved, settled=settled, created_ms=NOW)
