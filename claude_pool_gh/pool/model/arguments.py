"""Checks of what callers pass in: a value of another type is refused at once, in words, not somewhere inside."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from claude_pool_gh.pool.model import texts as characters
from claude_pool_gh.pool.model.config import SlotConfig

_MOST: Final = 1_000_000_000


def text(name: str, given: Any) -> None:
    """Raises TypeError for what is no text, ValueError for one that cannot be stored."""
    if not isinstance(given, str):
        raise TypeError(f"`{name}` must be a text, not {_kind(given)}")
    storable(name, given)


def texts(name: str, given: Any) -> tuple[str, ...]:
    """Several texts. Raises TypeError for one text alone, whose letters would be taken for them, and for no texts.

    Raises ValueError for one that cannot be stored.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"`{name}` must be a list of texts, not {_kind(given)}")
    found = tuple(given)
    for each in found:
        if not isinstance(each, str):
            raise TypeError(f"`{name}` must be a list of texts; {each!r} in it is {_kind(each)}")
        storable(name, each)
    return found


def whole(name: str, given: Any) -> None:
    """Raises TypeError for what is no whole number, ValueError for one that no database keeps."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"`{name}` must be a whole number, not {_kind(given)}")
    if abs(given) > _MOST:
        raise ValueError(f"`{name}` is {given}: it must lie between -{_MOST} and {_MOST}")


def yes_or_no(name: str, given: Any) -> None:
    """Raises TypeError for what is neither True nor False: a text such as "no" would count as yes."""
    if not isinstance(given, bool):
        raise TypeError(f"`{name}` must be True or False, not {_kind(given)}")


def storable(name: str, given: Any) -> None:
    """Raises ValueError for a JSON value with a text in it that no database takes: its caller knows how to mend it."""
    if (wrong := characters.fault(given)) is not None:
        raise ValueError(f"`{name}` has {wrong}, which cannot be stored: remove or replace it")


def settings(name: str, given: Any, wanted: type[BaseModel]) -> None:
    """Raises TypeError for what is neither None nor one of the settings that are wanted, ValueError as `storable`."""
    if given is None:
        return
    if isinstance(given, wanted):
        storable(name, given.model_dump())
        return
    example = (
        f"{wanted.__name__}.model_validate(...)" if isinstance(given, dict) else f"{wanted.__name__}(...)"
    )
    raise TypeError(f"`{name}` must be a {wanted.__name__}, not {_kind(given)}: make one with {example}")


def slots(given: Any) -> list[SlotConfig]:
    """What each slot decides. Raises TypeError, and ValueError for a number below 0."""
    if isinstance(given, bool) or not isinstance(given, int | list | tuple):
        raise TypeError(f"`slots` must be a number or a list of SlotConfig, not {_kind(given)}")
    if isinstance(given, int):
        if given < 0:
            raise ValueError(f"`slots` is {given}: a pool has at least one slot")
        return [SlotConfig()] * given
    for each in given:
        if each is None:
            raise TypeError("`slots` must be a list of SlotConfig; one of them is None")
        settings("slots", each, SlotConfig)
    return list(given)


def folder(name: str, given: Any) -> Path:
    """An existing folder, in full. Raises TypeError, and ValueError where there is none."""
    if not isinstance(given, str | Path):
        raise TypeError(f"`{name}` must be a path, not {_kind(given)}")
    here = Path(given).expanduser().resolve()
    if not here.is_dir():
        what = "is no folder" if here.exists() else "does not exist"
        raise ValueError(f"`{name}` {what}: {here}")
    return here


def _kind(given: Any) -> str:
    return "None" if given is None else f"of the type {type(given).__name__}"
