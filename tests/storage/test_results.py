"""The result of a statement says the same whether SQLAlchemy has executed it or it went to the driver directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, Transaction, insert_once
from claude_pool_gh.storage.connections import ChangeResult, StatementResult

metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("number", sa.Integer),
)
_T = things.c
ROWS = sa.select(things).where(_T.number == sa.bindparam("n")).order_by(_T.id)
ONE, TWO, NONE = 1, 2, 3
"""How many rows have this number: one, two, none; the first has no other value."""


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database.temporary()
    metadata.create_all(database.engine)
    with database.engine.begin() as tx:
        some = (("a", ONE), ("b", TWO), ("c", TWO))
        tx.execute(things.insert(), [{"id": id_, "number": number} for id_, number in some])
    yield database
    database.close()


def outcome(ask: Callable[[Any], Any], result: Any) -> Any:
    try:
        return ask(result)
    except sa.exc.InvalidRequestError as error:
        return type(error)


ASKED: dict[str, Callable[[Any], Any]] = {
    "all": lambda result: [tuple(row) for row in result.all()],
    "rows by name": lambda result: [(row.id, row.number) for row in result.all()],
    "mapping": lambda result: [dict(row._mapping) for row in result.all()],
    "one": lambda result: tuple(result.one()),
    "one or none": lambda result: result.one_or_none(),
    "first": lambda result: result.first(),
    "scalar": lambda result: result.scalar(),
    "scalar one": lambda result: result.scalar_one(),
    "scalar one or none": lambda result: result.scalar_one_or_none(),
    "scalars": lambda result: list(result.scalars()),
    "iterated": lambda result: [row.id for row in result],
    "unpacked": lambda result: [f"{id_}{number}" for id_, number in result],
    "twice": lambda result: (len(result.all()), len(result.all())),
}


@pytest.mark.parametrize("number", [ONE, TWO, NONE])
@pytest.mark.parametrize("name", ASKED)
async def test_it_is_asked_like_any_other(database: Database, name: str, number: int) -> None:
    def asked(tx: Transaction) -> list[Any]:
        statement = ROWS.where(sa.true())  # of its own: this one goes the longer way first
        results = [tx.execute(statement, {"n": number}) for _ in range(2)]
        assert [isinstance(each, StatementResult) for each in results] == [False, True]
        return [outcome(ASKED[name], result) for result in results]

    usual, quick = await database.read(asked)
    assert usual == quick


async def test_a_change_says_how_many_rows_it_has_changed(database: Database) -> None:
    change = things.update().where(_T.number == sa.bindparam("of")).values(number=sa.bindparam("n"))

    def changed(tx: Transaction) -> list[tuple[type, int]]:
        results = [
            tx.execute(change, {"of": of, "n": new}) for of, new in ((9, 9), (TWO, 5), (5, 6))
        ]
        return [(type(each), each.rowcount) for each in results]

    first, *quick = await database.transact(changed)
    assert first[1] == 0
    assert quick == [(ChangeResult, 2), (ChangeResult, 2)]


async def test_a_row_is_inserted_once_and_the_first_one_stays(database: Database) -> None:
    def insert(tx: Transaction) -> list[bool]:
        some = (("x", 1), ("x", 2), ("y", 1), ("x", 3))
        return [insert_once(tx, things, {"id": id_, "number": number}) for id_, number in some]

    assert await database.transact(insert) == [True, False, True, False]
    query = sa.select(_T.number).where(_T.id == "x")
    assert await database.read(lambda tx: tx.execute(query).scalar_one()) == 1
