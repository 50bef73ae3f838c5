"""Brings a database to the newest schema. The scripts in `versions/` are history: never edit one that shipped."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def upgrade(engine: sa.Engine, *, to: str = "head") -> None:
    """Run the missing migrations, all in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect().execution_options(begin_statement="BEGIN IMMEDIATE") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)
