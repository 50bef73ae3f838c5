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
from operator import itemgetter
from typing import Any, Final, TypeAlias
from weakref import ref

import sqlalchemy as sa
from sqlalchemy.engine.result import SimpleResultMetaData

Convert: TypeAlias = Callable[[Any], Any]
_LONGEST_LIST: Final = 8
"""Of longer lists each length would be a statement of its own, and few are executed again."""
_SEVERAL: Final = 2
"""`itemgetter` returns a tuple only for so many names."""
_Shape: TypeAlias = tuple[object, ...]
"""Names of the parameters and lengths of the lists among them: what a statement's text depends on."""


@dataclass(frozen=True, slots=True)
class _Value:
    """The source of the value at one place of the text."""

    name: str | None
    """Of the parameter; None for one that is part of the statement."""
    nth: int | None
    """Which member of the list that the parameter is; None where it is none."""
    fixed: Any
    convert: Convert | None

    def of(self, given: Mapping[str, Any]) -> Any:
        """The value as the driver takes it."""
        if self.name is None:
            value = self.fixed
        else:
            value = given[self.name] if self.nth is None else given[self.name][self.nth]
        return value if self.convert is None else self.convert(value)


Values: TypeAlias = tuple[Any, ...] | dict[str, Any]
"""As a driver takes them: in the order of the text, or by name."""


@dataclass(slots=True)
class PreparedStatement:
    """One statement with parameters of one shape."""

    text: str
    filled: Callable[[Mapping[str, Any]], Values]
    """The values as the driver takes them, of those that are given."""
    columns: Sequence[sa.ColumnElement[Any]]
    """What its rows consist of; none for a statement that returns no rows."""
    metadata: SimpleResultMetaData = field(default_factory=lambda: SimpleResultMetaData([]))
    readers: Sequence[tuple[int, Convert]] | None = None
    """The columns whose values are converted. It and the names are known once the driver has described a row."""

    def read(self, cursor: Any, dialect: sa.Dialect) -> Iterable[Sequence[Any]]:
        """The rows that a cursor holds, converted."""
        if self.readers is None:
            told = list(zip(self.columns, cursor.description, strict=True))
            self.metadata = SimpleResultMetaData([described[0] for _, described in told])
            every = [_reader(column, described[1], dialect) for column, described in told]
            self.readers = [(place, read) for place, read in enumerate(every) if read is not None]
        rows = cursor.fetchall()
        return [_converted(row, self.readers) for row in rows] if self.readers else rows


@dataclass(slots=True)
class _Shapes:
    """A statement that was executed before, prepared for each shape that its parameters had since."""

    statement: ref[Any]
    lists: frozenset[str]
    """The parameters that are written as so many as they have members."""
    known: dict[_Shape, PreparedStatement | None] = field(default_factory=dict)


@dataclass(slots=True)
class Statements:
    """The prepared statements of one open database. Called from the threads that run its transactions."""

    dialect: sa.Dialect
    known: dict[int, _Shapes] = field(default_factory=dict)
    """By the identity of the statement, for as long as somebody has it."""

    def prepared(self, statement: Any, given: Mapping[str, Any]) -> PreparedStatement | None:
        """The statement as it can go to the driver; None the first time, and where it never can."""
        shapes = self.known.get(id(statement))
        if shapes is None:
            self._remember(statement)
            return None
        shape: _Shape = tuple(given)
        if shapes.lists:
            shape += tuple(len(given[name]) for name in shapes.lists if name in given)
        try:
            return shapes.known[shape]
        except KeyError:
            try:
                made = shapes.known[shape] = _prepare(statement, given, shapes.lists, self.dialect)
            except sa.exc.SQLAlchemyError:
                # it is raised in its own words where SQLAlchemy executes it
                return None
            return made

    def _remember(self, statement: Any) -> None:
        if isinstance(statement, sa.Select | sa.CompoundSelect | sa.Insert | sa.Update | sa.Delete):
            key = id(statement)
            forget = ref(statement, lambda _gone: self.known.pop(key, None))
            self.known[key] = _Shapes(forget, _lists_in(statement))


def _lists_in(statement: Any) -> frozenset[str]:
    found = sa.sql.visitors.iterate(statement)
    return frozenset(
        each.key for each in found if isinstance(each, sa.BindParameter) and each.expanding
    )


def _prepare(
    statement: Any, given: Mapping[str, Any], lists: frozenset[str], dialect: sa.Dialect
) -> PreparedStatement | None:
    """None where SQLAlchemy has to do more at each execution than to fill in values."""
    columns = _columns(statement)
    if isinstance(statement, sa.Insert) and not columns:
        statement = statement.inline()  # else it would ask for the new row's key
    compiled = statement.compile(dialect=dialect, column_keys=list(given))
    few = all(1 <= len(given[name]) <= _LONGEST_LIST for name in lists if name in given)
    special = compiled.prefetch or compiled.literal_execute_params or compiled.escaped_bind_names
    if not few or special:
        return None
    # Writes each list as so many parameters.
    told = compiled.construct_expanded_state(dict(given))
    values = dict(_sources(compiled.bind_names, told.parameter_expansion, given, dialect))
    if any(name not in values for name in told.parameters):
        return None
    if told.positiontup is None:
        return PreparedStatement(told.statement, _by_name(values), columns)
    return PreparedStatement(
        told.statement, _in_order([values[name] for name in told.positiontup]), columns
    )


def _by_name(values: Mapping[str, _Value]) -> Callable[[Mapping[str, Any]], Values]:
    return lambda given: {name: value.of(given) for name, value in values.items()}


def _in_order(values: Sequence[_Value]) -> Callable[[Mapping[str, Any]], Values]:
    """Most values go to the driver as they are given: those are taken out of the parameters all at once.

    What is part of the statement is converted here, once.
    """
    names = [value.name for value in values if value.nth is None and value.name is not None]
    converts = [(n, value.convert) for n, value in enumerate(values) if value.convert is not None]
    if len(names) == len(values) >= _SEVERAL and not converts:
        return itemgetter(*names)
    fixed = [None if value.name is not None else value.of({}) for value in values]
    given_ones = [
        (place, value.name, value.nth, value.convert)
        for place, value in enumerate(values)
        if value.name is not None
    ]

    def filled(given: Mapping[str, Any]) -> Values:
        found = fixed.copy()
        for place, name, nth, convert in given_ones:
            value = given[name] if nth is None else given[name][nth]
            found[place] = value if convert is None else convert(value)
        return tuple(found)

    return filled


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
