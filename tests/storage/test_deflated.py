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
from claude_pool_gh.storage.deflated import LEAST, deflated, holds_deflated, inflate_all, inflated

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


@pytest.mark.parametrize(
    ("text", "is_short"),
    [
        ("", False),
        ("a" * (LEAST - 1), False),
        ("a" * LEAST, True),
        ("é" * LEAST, True),
    ],
)
def test_a_text_is_deflated_where_that_makes_it_shorter(text: str, *, is_short: bool) -> None:
    stored = deflated(text)
    assert isinstance(stored, bytes) == is_short
    assert inflated(stored) == text
    assert deflated(text) == stored, "the same text is stored in the same form"


def test_whether_anything_is_deflated_is_asked_of_texts_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as rows:
        rows.execute("CREATE TABLE a (told TEXT, value JSON, bytes BLOB)")
        rows.execute("INSERT INTO a VALUES ('x', '[1]', ?)", (b"bytes of a patch",))
        assert not holds_deflated(rows)
        inflate_all(rows)
        assert rows.execute("SELECT bytes FROM a").fetchone() == (b"bytes of a patch",)
        rows.execute("CREATE TABLE b (value JSON)")
        rows.execute("INSERT INTO b VALUES (?)", (deflated(LONG),))
        assert holds_deflated(rows)
        inflate_all(rows)
        assert not holds_deflated(rows)
        assert rows.execute("SELECT value FROM b").fetchone() == (LONG,)


@pytest.mark.parametrize("made", ['"odd name" (told TEXT)', 'odd ("to""ld" TEXT)'])
def test_a_database_with_names_that_none_of_ours_has_is_not_written_to(
    tmp_path: Path, made: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as rows:
        rows.execute(f"CREATE TABLE {made}")
        for ask in (inflate_all, holds_deflated):
            with pytest.raises(ValueError, match="a name that none of ours has"):
                ask(rows)
