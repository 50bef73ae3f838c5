"""A statement that is executed again goes to the driver by a shorter way, and says the same as by SQLAlchemy's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.connections import ChangeResult, StatementResult
from claude_pool_gh.storage.prepared import Statements
from tests.statements import asked

TIMES = 4
"""The first execution is SQLAlchemy's, the second prepares, the others are those of nearly always."""
metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("id", sa.String(20), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False, default=7),
    sa.Column("yes", sa.Boolean, nullable=False),
    sa.Column("told", sa.JSON),
    sa.Column("bytes", sa.LargeBinary),
)
_T = things.c
_WANTED: sa.BindParameter[str] = sa.bindparam("wanted")
SEVERAL = sa.select(_T.id).where(_T.id.in_(sa.bindparam("several", expanding=True))).order_by(_T.id)
ASKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "row": (sa.select(things).where(_T.id == _WANTED), {"wanted": "a"}),
    "no row": (sa.select(things).where(_T.id == _WANTED), {"wanted": "z"}),
    "empty values": (sa.select(things).where(_T.id == _WANTED), {"wanted": "b"}),
    "list": (SEVERAL, {"several": ["a", "b", "z"]}),
    "list of one": (SEVERAL, {"several": ["a"]}),
    "empty list": (SEVERAL, {"several": []}),
    "long list": (SEVERAL, {"several": [*"abcdefghijklmnop"]}),
    "list beside another value": (
        SEVERAL.where(_T.number >= sa.bindparam("least")),
        {"several": ["a", "b"], "least": 2},
    ),
    "constants": (sa.select(_T.id).where(_T.number.in_([1, 2]), _T.yes == sa.true()).limit(3), {}),
    "default of a parameter": (sa.select(_T.id).where(_T.number == sa.bindparam("n", 1)), {}),
    "the same name twice": (
        sa.select(_T.id).where(sa.or_(_T.id == _WANTED, sa.cast(_T.number, sa.String) == _WANTED)),
        {"wanted": "a"},
    ),
    "two columns of one name": (sa.select(_T.id, things.alias("other").c.id).order_by(_T.id), {}),
    "sums": (sa.select(sa.func.sum(_T.number), sa.func.count(), sa.func.max(_T.id)), {}),
    "part of a JSON value": (
        sa.select(_T.told["deep"]["text"].as_string()).where(_T.id == "a"),
        {},
    ),
    "union": (sa.union_all(sa.select(_T.id, _T.yes), sa.select(_T.id, _T.yes)).order_by("id"), {}),
    "text": (sa.text("SELECT id FROM things WHERE id = :wanted"), {"wanted": "a"}),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/x.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")()
    opened = Database.open(url)
    metadata.create_all(opened.engine)
    with opened.engine.begin() as connection:
        first = {
            "id": "a",
            "number": 1,
            "yes": True,
            "told": {"deep": {"text": "é\\"}},
            "bytes": b"\x00x",
        }
        connection.execute(things.insert(), first)
        connection.execute(things.insert(), {"id": "b", "number": 2, "yes": False, "told": None})
    yield opened
    opened.close()


@pytest.mark.parametrize("name", ASKED)
async def test_what_is_read_is_the_same_each_time(database: Database, name: str) -> None:
    statement, given = ASKED[name]
    with database.engine.connect() as plain:
        asked = plain.execute(statement, given)
        names, rows = list(asked.keys()), asked.all()

    def read(tx: Transaction) -> Any:
        result = tx.execute(statement, given)
        return list(result.keys()), result.all()

    for _ in range(TIMES):
        assert await database.read(read) == (names, rows)


async def test_most_of_it_is_prepared_and_the_rest_is_not(database: Database) -> None:
    """Negative control: the test above would pass too if nothing ever went the shorter way."""

    def quick(tx: Transaction) -> set[str]:
        results: dict[str, object] = {}
        for _ in range(TIMES):
            results = {name: tx.execute(*asked) for name, asked in ASKED.items()}
        return {
            name
            for name, result in results.items()
            if isinstance(result, StatementResult | ChangeResult)
        }

    slow = {"empty list", "long list", "text"}
    assert await database.read(quick) == set(ASKED) - slow


async def test_what_is_written_is_the_same_each_time(database: Database) -> None:
    insert = things.insert()
    change = things.update().where(_T.id == sa.bindparam("of"))
    raised = (
        things.update()
        .where(_T.id == sa.bindparam("of"))
        .values(number=_T.number + sa.bindparam("more"))
    )
    remove = things.delete().where(_T.id == sa.bindparam("of"))
    row = {"number": 3, "yes": False, "bytes": None}
    for number in range(TIMES):

        def write(tx: Transaction, key: str = f"n{number}") -> tuple[Any, ...]:
            tx.execute(insert, {"id": key, "told": [key], **row})
            changed = tx.execute(change, {"of": key, "yes": True, "told": None}).rowcount
            more = tx.execute(raised, {"of": key, "more": 4}).rowcount
            nobody = tx.execute(raised, {"of": "nobody", "more": 4}).rowcount
            (stored,) = tx.execute(sa.select(things).where(_T.id == key)).all()
            gone = tx.execute(remove, {"of": key}).rowcount
            return changed, more, nobody, gone, *stored[1:]

        assert await database.transact(write) == (1, 1, 0, 1, 7, True, None, None)


async def test_several_rows_and_defaults_of_columns_go_by_the_longer_way(
    database: Database,
) -> None:
    insert = things.insert()
    for number in range(TIMES):
        rows = [{"id": f"{number}.{each}", "yes": True} for each in range(2)]
        await database.transact(lambda tx, rows=rows: tx.execute(insert, rows))  # type: ignore[misc]
        one = {"id": f"{number}.one", "yes": True}
        await database.transact(lambda tx, one=one: tx.execute(insert, one))  # type: ignore[misc]
    numbers = await database.read(lambda tx: set(tx.execute(sa.select(_T.number)).scalars()))
    assert numbers == {1, 2, 7}


async def test_its_errors_are_those_of_sqlalchemy(database: Database) -> None:
    insert, taken = (
        things.insert(),
        {"id": "a", "number": 1, "yes": True, "told": None, "bytes": None},
    )
    by_key = sa.select(_T.id).where(_T.id == _WANTED)
    for _ in range(TIMES):
        with pytest.raises(sa.exc.IntegrityError, match="INSERT INTO things"):
            await database.transact(lambda tx: tx.execute(insert, taken))
        with pytest.raises(sa.exc.StatementError, match="wanted"):
            await database.read(lambda tx: tx.execute(by_key, {"other": "a"}))


async def test_who_listens_to_statements_hears_of_each(database: Database) -> None:
    seen: list[str] = []
    by_key = sa.select(_T.id).where(_T.id == _WANTED)

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    for _ in range(TIMES):
        await database.read(lambda tx: tx.execute(by_key, {"wanted": "a"}).one())
    assert sum("things" in statement for statement in seen) == TIMES


def test_a_statement_that_nobody_has_any_more_is_forgotten() -> None:
    statements = Statements(sa.create_engine("sqlite://").dialect)

    def built() -> Any:
        return sa.select(_T.id).where(_T.id == _WANTED)

    kept = built()
    ask: Callable[[Any], Any] = lambda statement: statements.prepared(statement, {"wanted": "a"})  # noqa: E731
    assert ask(kept) is None, "once is no reason to prepare"
    assert ask(kept) is ask(kept) is not None
    for _ in range(10):
        ask(built())
    assert len(statements.known) == 1


async def test_a_connection_that_is_gone_is_told_as_sqlalchemy_tells_it(database: Database) -> None:
    """Also where it says so before anything is executed: else nobody would try again on another one."""
    statement = sa.select(sa.literal(1).label("one"))

    def cut(tx: Transaction) -> None:
        for _ in range(TIMES):
            tx.execute(statement)
        driver: Any = tx.connection.driver_connection
        driver.close()
        with pytest.raises(sa.exc.DBAPIError):
            tx.execute(statement)
        raise _CutError

    with pytest.raises(_CutError):
        await database.read(cut)


class _CutError(Exception):
    """Ends a transaction that is gone."""


async def test_a_value_that_is_a_list_is_no_list_of_parameters(database: Database) -> None:
    """Of each length it would be another statement, and none at all where it is empty or long."""
    change = things.update().where(_T.id == _WANTED)
    told_of_it = sa.select(_T.told).where(_T.id == "a")

    def tell(tx: Transaction, told: list[int]) -> bool:
        return isinstance(tx.execute(change, {"wanted": "a", "told": told}), ChangeResult)

    await database.transact(lambda tx: tell(tx, []))
    for length in (0, 1, 40):
        assert await database.transact(partial(tell, told=[*range(length)]))
        stored = await database.read(lambda tx: tx.execute(told_of_it).scalar_one())
        assert stored == [*range(length)]


async def test_several_rows_without_an_answer_are_one_statement(database: Database) -> None:
    insert = things.insert()

    def add(tx: Transaction, first: int) -> int:
        rows = [
            {"id": f"{number}", "number": number, "yes": True, "told": None}
            for number in range(first, first + 3)
        ]
        with asked(tx) as seen:
            tx.execute(insert, rows)
        return len(seen)

    for first in range(10, 10 + 3 * TIMES, 3):
        assert await database.transact(partial(add, first=first)) == 1
    assert await database.read(lambda tx: len(tx.execute(sa.select(_T.id)).all())) == 2 + 3 * TIMES


async def test_a_connection_serves_one_transaction_after_the_other_until_it_is_lost(
    database: Database,
) -> None:
    used: list[Any] = []

    def ask(tx: Transaction) -> None:
        used.append(tx.connection.driver_connection)

    def lose(tx: Transaction) -> None:
        ask(tx)
        tx.invalidate()
        raise _CutError

    for work in (ask, ask):
        await database.transact(work)
    with pytest.raises(_CutError):
        await database.transact(lose)
    await database.transact(ask)
    first, second, third, fourth = used
    assert first is second is third
    assert fourth is not third


async def test_a_savepoint_is_undone_by_itself_and_with_its_transaction(database: Database) -> None:
    rename = things.update().where(_T.id == _WANTED)

    def name(tx: Transaction, number: int) -> None:
        assert tx.execute(rename, {"wanted": "a", "number": number}).rowcount == 1

    def number(tx: Transaction) -> int:
        return int(tx.execute(sa.select(_T.number).where(_T.id == "a")).scalar_one())

    def inside(tx: Transaction, *, end: type[Exception] | None = None) -> int:
        name(tx, 10)
        savepoint = tx.begin_nested()
        name(tx, 11)
        savepoint.rollback()
        found = number(tx)
        with tx.begin_nested():
            name(tx, found + 2)
        if end is not None:
            raise end
        return number(tx)

    for _ in range(TIMES):
        assert await database.transact(inside) == 12
        assert await database.read(number) == 12
        await database.transact(partial(name, number=1))
        with pytest.raises(_CutError):
            await database.transact(partial(inside, end=_CutError))
        assert await database.read(number) == 1
