"""The names that every line of a log has that is written in the course of one command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_NAMES: Final[ContextVar[Mapping[str, str]]] = ContextVar("log_names", default=MappingProxyType({}))


def names() -> Mapping[str, str]:
    """The names that hold here."""
    return _NAMES.get()


@contextmanager
def named(**more: str) -> Iterator[None]:
    """Add names to the lines of a log that are written inside, by this task and those that it begins."""
    token = _NAMES.set({**_NAMES.get(), **more})
    try:
        yield
    finally:
        _NAMES.reset(token)
