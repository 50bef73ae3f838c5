"""Executes again what was executed before at a fraction of what SQLAlchemy takes for it.

For each execution SQLAlchemy looks up the compiled statement, names every parameter anew, and builds a result of
many parts: that takes twenty times as long as SQLite needs for a row by its key. A statement that is built once, and
executed again and again, says the same each time. So it is prepared at its second execution: its text, where each
value of the parameters goes and how it is converted, how each column of a row is read. From then on it goes to the
driver directly.

SQLAlchemy stays the language in which statements are written. It compiles them, its types convert, its rows come
back, and its errors are raised. Whatever cannot be prepared (text, values that are computed at execution, an empty
list) is executed by SQLAlchemy itself, as is a statement that is built for one execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

Convert: TypeAlias = Callable[[Any], Any]
_LONGEST_LIST: Final = 8
"""Of longer lists each length would be a statement of its own, and few are executed again."""
_Shape: TypeAlias = tuple[object, ...]
"""Names of the parameters and lengths of the lists among them: what a statement's text depends on."""


@dataclass(frozen=True, slots=True)
class _Value:
    """Where the value at one place of the text comes from."""

    name: str | None
    """Of the parameter; None for one that is part of the statement."""
    nth: int | None
    """Which member of the list that the parameter is; None where it is none."""
    fixed: Any
    convert: Convert | None


@dataclass(slots=True)
class _Prepared:
    """One statement with parameters of one shape."""

    text: str
    values: Mapping[str, _Value]
    """By its name in the text."""
    places: Sequence[str] | None
    """The names in the order of the text; None where the driver takes values by name."""
    columns: Sequence[sa.ColumnElement[Any]]
    """What its rows consist of; none for a statement that returns no rows."""
    metadata: SimpleResultMetaData = field(default_factory=lambda: SimpleResultMetaData([]))
    readers: Sequence[tuple[int, Convert]] | None = None
    """The columns whose values are converted. It and the names are known once the driver has described a row."""

    def filled(self, given: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        """The values as the driver takes them."""
        found = {}
        for name, each in self.values.items():
            if each.name is None:
                value = each.fixed
            else:
                value = given[each.name] if each.nth is None else given[each.name][each.nth]
            found[name] = value if each.convert is None else each.convert(value)
        return found if self.places is None else tuple([found[name] for name in self.places])

    def read(self, cursor: Any, dialect: sa.Dialect) -> Iterable[Sequence[Any]]:
        """The rows that a cursor holds, converted."""
        if self.readers is None:
            told = list(zip(self.columns, cursor.description, strict=True))
            self.metadata = SimpleResultMetaData([described[0] for _, described in told])
            every = [_reader(column, described[1], dialect) for column, described in told]
            self.readers = [(place, read) for place, read in enumerate(every) if read is not None]
        rows = cursor.fetchall()
        return [_converted(row, self.readers) for row in rows] if self.readers else rows


class StatementResult(IteratorResult[Any]):
    """The result of a prepared statement: its rows, or how many it has changed."""

    def __init__(self, metadata: SimpleResultMetaData, rows: Iterable[Any], rowcount: int) -> None:
        super().__init__(metadata, iter(rows))
        self.rowcount = rowcount


@dataclass(slots=True)
class Statements:
    """The prepared statements of one open database. Called from the threads that run its transactions."""

    dialect: sa.Dialect
    _known: WeakKeyDictionary[Any, dict[_Shape, _Prepared | None]] = field(
        default_factory=WeakKeyDictionary
    )

    def prepared(self, statement: Any, given: Mapping[str, Any]) -> _Prepared | None:
        """The statement as it can go to the driver; None the first time, and where it never can."""
        shapes = self._known.get(statement)
        if shapes is None:
            if isinstance(
                statement, sa.Select | sa.CompoundSelect | sa.Insert | sa.Update | sa.Delete
            ):
                self._known[statement] = {}
            return None
        shape: _Shape = tuple(given)
        if lengths := tuple(len(value) for value in given.values() if isinstance(value, list)):
            shape += lengths
        try:
            return shapes[shape]
        except KeyError:
            try:
                made = shapes[shape] = _prepare(statement, given, self.dialect)
            except sa.exc.SQLAlchemyError:
                # it is raised in its own words where SQLAlchemy executes it
                return None
            return made


class QuickConnection(sa.Connection):
    """A connection that sends prepared statements to the driver itself."""

    def __init__(self, engine: sa.Engine, statements: Statements) -> None:
        super().__init__(engine)
        self._statements = statements

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """As `sa.Connection.execute`."""
        given: Any = {} if parameters is None else parameters
        if isinstance(given, list) and len(given) == 1:
            given = given[0]
        if options or not isinstance(given, dict):
            return super().execute(statement, parameters, **options)
        if (found := self._statements.prepared(statement, given)) is None:
            return super().execute(statement, parameters)
        return self._run(found, given)

    def _run(self, found: _Prepared, given: Mapping[str, Any]) -> StatementResult:
        try:
            text, values = found.text, found.filled(given)
        except Exception as error:
            raise sa.exc.StatementError(str(error), found.text, given, error) from error
        cursor: Any = None
        try:
            cursor = self.connection.cursor()  # a connection that is gone may say so here already
            for listener in self.dispatch.before_cursor_execute:
                text, values = listener(self, cursor, text, values, None, False)  # noqa: FBT003 - SQLAlchemy's way
            cursor.execute(text, values)
            rows = found.read(cursor, self.dialect) if found.columns else ()
            return StatementResult(found.metadata, rows, cursor.rowcount)
        except self.dialect.loaded_dbapi.Error as error:
            raise self._told(error, text, values, cursor) from error
        finally:
            if cursor is not None:
                cursor.close()

    def _told(self, error: Any, text: str, values: Any, cursor: Any) -> Exception:
        """The driver's error as SQLAlchemy tells it. A connection that is lost is used no more."""
        lost = self.dialect.is_disconnect(error, self.connection.driver_connection, cursor)
        if lost:
            self.invalidate(error)
        return as_sqlalchemy(error, text, values, self.dialect, lost=lost)


def as_sqlalchemy(
    error: Any, text: str, values: Any, dialect: sa.Dialect, *, lost: bool = False
) -> Exception:
    """What SQLAlchemy would raise in place of a driver's error. `lost`: the connection is gone with it."""
    told: Exception = sa.exc.DBAPIError.instance(
        text,
        values,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return told


def _prepare(statement: Any, given: Mapping[str, Any], dialect: sa.Dialect) -> _Prepared | None:
    """None where SQLAlchemy has to do more at each execution than to fill in values."""
    columns = _columns(statement)
    if isinstance(statement, sa.Insert) and not columns:
        statement = statement.inline()  # else it would ask for the new row's key
    compiled = statement.compile(dialect=dialect, column_keys=list(given))
    lists = [value for value in given.values() if isinstance(value, list)]
    few = all(1 <= len(each) <= _LONGEST_LIST for each in lists)
    special = compiled.prefetch or compiled.literal_execute_params or compiled.escaped_bind_names
    if not few or special:
        return None
    # Writes each list as so many parameters.
    told = compiled.construct_expanded_state(dict(given))
    values = dict(_sources(compiled.bind_names, told.parameter_expansion, given, dialect))
    if any(name not in values for name in told.parameters):
        return None
    return _Prepared(told.statement, values, told.positiontup, columns)


def _sources(
    parameters: Mapping[sa.BindParameter[Any], str],
    members: Mapping[str, Sequence[str]],
    given: Mapping[str, Any],
    dialect: sa.Dialect,
) -> Iterable[tuple[str, _Value]]:
    """Every parameter of the text, by its name there, and where its value comes from."""
    for parameter, name in parameters.items():
        is_given = parameter.key in given
        if parameter.callable or (parameter.required and not is_given):
            continue
        key, fixed = (parameter.key, None) if is_given else (None, parameter.value)
        convert = parameter.type.dialect_impl(dialect).bind_processor(dialect)
        if name not in members:
            yield name, _Value(key, None, fixed, convert)
            continue
        for nth, member in enumerate(members[name]):
            yield member, _Value(key, nth, None if fixed is None else fixed[nth], convert)


def _columns(statement: Any) -> Sequence[sa.ColumnElement[Any]]:
    if isinstance(statement, sa.Select | sa.CompoundSelect):
        return list(statement.selected_columns)
    return list(statement.exported_columns)


def _reader(column: sa.ColumnElement[Any], described: Any, dialect: sa.Dialect) -> Convert | None:
    return column.type.dialect_impl(dialect).result_processor(dialect, described)


def _converted(row: Sequence[Any], readers: Sequence[tuple[int, Convert]]) -> tuple[Any, ...]:
    values = list(row)
    for place, read in readers:
        values[place] = read(values[place])
    return tuple(values)
