"""Statements that all databases of a test process share once they are compiled.

SQLAlchemy keeps them by engine and dialect. Each test has a database, so both, of its own, and would compile anew
what it executes once or twice: a third of its time.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

_MOST: Final = 3_000
_Key = tuple[Any, ...]


class _ByKind(LRUCache[_Key, Any]):
    """By the kind of the dialect, with which SQLAlchemy's key begins, in place of one engine's own."""

    def get(self, key: _Key, default: Any = None) -> Any:
        return super().get(_of_kind(key), default)

    def __setitem__(self, key: _Key, value: Any) -> None:
        super().__setitem__(_of_kind(key), value)


def _of_kind(key: _Key) -> _Key:
    dialect, *rest = key
    return (type(dialect), *rest)


def share_compiled() -> None:
    """Let every connection that this process opens from now on use them."""
    compiled = _ByKind(_MOST)

    @sa.event.listens_for(sa.Engine, "engine_connect")
    def use(connection: sa.Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
