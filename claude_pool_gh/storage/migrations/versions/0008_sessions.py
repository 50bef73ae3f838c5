"""conversations are found by an index, and JSON of earlier versions is mended that PostgreSQL cannot take apart"""

from __future__ import annotations

import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_JSON_COLUMNS = sa.text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND data_type = 'json'"
)


def upgrade() -> None:
    op.add_column("tasks", sa.Column("session_id", sa.Text(), nullable=True))
    op.create_index("ix_tasks_session_id", "tasks", ["session_id"])
    tasks = sa.table("tasks", sa.column("session_id", sa.Text), sa.column("outcome", sa.JSON))
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for table, column in connection.execute(_JSON_COLUMNS).all():
            _mend(connection, table, column)
    kept = tasks.c.outcome["session_id"].as_string()
    connection.execute(tasks.update().values(session_id=kept).where(kept.is_not(None)))


def _mend(connection: sa.Connection, table: str, column: str) -> None:
    """Replace what later versions clean before they store it: `->>` fails on a value that has it anywhere."""
    text = sa.cast(sa.column(column), sa.Text)
    place: sa.ColumnElement[str] = sa.literal_column("ctid::text")
    suspects = (
        sa.select(place, text)
        .select_from(sa.table(table))
        .where(text.regexp_match(r"\\u(0000|[dD][89a-fA-F])"))
    )
    for row, old in connection.execute(suspects).all():
        value = json.loads(old)
        mended = _storable(value)
        if mended != value:
            connection.execute(
                sa.text(
                    f'UPDATE "{table}" SET "{column}" = CAST(:new AS json)'  # noqa: S608 - names from the catalogue
                    f' WHERE ctid = CAST(:row AS tid) AND "{column}"::text = :old'
                ),
                {"new": json.dumps(mended), "row": row, "old": old},
            )


def _storable(value: object) -> object:
    match value:
        case str():
            return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case list():
            return [_storable(each) for each in value]
        case dict():
            return {str(_storable(key)): _storable(each) for key, each in value.items()}
        case _:
            return value
