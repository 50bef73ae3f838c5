"""Brings a database to the newest schema. The scripts in `versions/` are history: never edit one that shipped."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

_HERE = Path(__file__).parent


def upgrade(engine: sa.Engine) -> None:
    """Run the missing migrations, all in one transaction. A database that is up to date is left alone."""
    if current(engine) == newest():
        return
    from alembic import command  # noqa: PLC0415 - 9 MB that a server with a current schema need not carry
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    with engine.connect().execution_options(begin_statement="BEGIN IMMEDIATE") as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def current(engine: sa.Engine) -> str | None:
    """The schema's revision; None for a database without one."""
    if not sa.inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def newest() -> str:
    """The newest revision there is a script for; scripts are numbered in their order."""
    return max(path.name.split("_")[0] for path in (_HERE / "versions").glob("[0-9]*.py"))
