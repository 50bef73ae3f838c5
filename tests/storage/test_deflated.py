"""Long values are deflated in SQLite, and read in whichever form they are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, DeflatedJSON, DeflatedText
from claude_pool_gh.storage.deflated import LEAST, inflate_all

LONG = "the same words again, é and 😀, " * 40
VALUES = {
    "short": {"a": None},
    "long": [LONG, {"b": LONG}],
    "nothing": None,
    "random": "".join(chr(33 + n * n % 94) for n in range(LEAST + 5)),
}
notes = sa.Table(
    "notes",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("said", DeflatedText),
    sa.Column("value", DeflatedJSON),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    shared = request.param == "postgresql"
    url = request.getfixturevalue("postgres")() if shared else f"sqlite:///{tmp_path}/a.sqlite"
    opened = Database.open(url)
    notes.create(opened.engine)
    yield opened
    opened.close()


async def test_what_is_stored_is_read_again_also_by_prepared_statements(database: Database) -> None:
    insert, select = notes.insert(), sa.select(notes)
    for name, value in VALUES.items():
        row = {"name": name, "said": str(value), "value": value}
        await database.transact(partial(sa.Connection.execute, statement=insert, parameters=row))
    for _ in range(3):
        rows = await database.read(lambda tx: tx.execute(select).all())
        assert {row.name: (row.said, row.value) for row in rows} == {
            name: (str(value), value) for name, value in VALUES.items()
        }


async def test_what_was_stored_as_plain_text_is_read_as_before(database: Database) -> None:
    plain = sa.table(
        "notes", *(sa.column(name) for name in ("name", "said")), sa.column("value", sa.JSON)
    )
    await database.transact(
        lambda tx: tx.execute(plain.insert(), {"name": "old", "said": LONG, "value": [LONG]})
    )
    (row,) = await database.read(lambda tx: tx.execute(sa.select(notes)).all())
    assert (row.said, row.value) == (LONG, [LONG])


async def test_a_long_text_takes_a_fraction_and_can_be_made_plain_again(tmp_path: Path) -> None:
    file = tmp_path / "a.sqlite"
    database = Database.open(f"sqlite:///{file}")
    notes.create(database.engine)
    await database.transact(
        lambda tx: tx.execute(notes.insert(), {"name": "n", "said": LONG, "value": [LONG]})
    )
    database.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as rows:
        (kept,) = rows.execute("SELECT length(said) + length(value) FROM notes").fetchone()
        assert kept < len(LONG) / 4
        inflate_all(rows)
        (said, value) = rows.execute("SELECT said, value FROM notes").fetchone()
    assert said == LONG
    assert "the same words again" in value
