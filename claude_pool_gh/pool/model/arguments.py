"""Checks of what callers pass in: a value of another type is refused at once, in words, not somewhere inside.

There is one rule: what a signature says holds at run time too. `checked` reads it from the annotations.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache, wraps
from pathlib import Path
from typing import (
    Any,
    Final,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from claude_pool_gh.pool.model import json_values
from claude_pool_gh.pool.model import texts as characters

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")

_MOST: Final = 1_000_000_000
_OWNERS: Final = ("self", "cls")
_PLAIN: Final = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    Path: "a path",
    bytes: "bytes",
    type(None): "None",
}


def checked_methods(cls: type[T]) -> type[T]:
    """A class whose public methods are `checked`."""
    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, checked(method))
    return cls


def checked(call: C) -> C:
    """A function that refuses arguments of other types than its annotations name.

    Raises TypeError for them, and ValueError for what has the right type and can still not be: a text that no database
    stores, a number that none keeps. Any iterable passes for a sequence, and a text for the enumeration that has it.
    """
    signature, name = inspect.signature(call), getattr(call, "__name__", "")

    def bound(
        args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            found = signature.bind(*args, **named)
        except TypeError as error:
            takes = ", ".join(each for each in signature.parameters if each not in _OWNERS)
            raise TypeError(f"{name}(): {error}; it takes {takes or 'nothing'}") from None
        hints = _hints(call)
        for each, given in found.arguments.items():
            if each in hints:
                found.arguments[each] = fitting(each, given, hints[each])
        return found.args, found.kwargs

    if inspect.iscoroutinefunction(call):

        @wraps(call)
        async def later(*args: Any, **named: Any) -> Any:
            right, by_name = bound(args, named)
            return await call(*right, **by_name)

        return later  # type: ignore[return-value]  # it has the same signature

    @wraps(call)
    def now(*args: Any, **named: Any) -> Any:
        right, by_name = bound(args, named)
        return call(*right, **by_name)

    return now  # type: ignore[return-value]  # it has the same signature


def fitting(name: str, given: Any, wanted: Any) -> Any:
    """The value as the annotation has it. Raises TypeError, ValueError; see `checked`."""
    if wanted is Any:
        return given
    origin, parts = get_origin(wanted), get_args(wanted)
    if isinstance(wanted, NewType):
        return fitting(name, given, wanted.__supertype__)
    if origin in (Union, types.UnionType):
        return _one_of(name, given, parts)
    if origin is Literal:
        return _literal(name, given, parts)
    if origin in (Sequence, tuple, list):
        return _sequence(name, given, parts[0] if parts else Any)
    if origin in (Mapping, dict):
        return _mapping(name, given, parts)
    if isinstance(wanted, type) and origin is None:
        return _instance(name, given, wanted)
    if origin is Callable and not callable(given):
        raise TypeError(f"`{name}` must be a function, not {_kind(given)}")
    return given


def fields(given: Any) -> None:
    """Raise for fields of a dataclass object that are of other types than it declares, as `checked` does."""
    for name, wanted in get_type_hints(type(given)).items():
        fitting(name, getattr(given, name), wanted)


def storable(name: str, given: Any) -> None:
    """Raises ValueError for what cannot be stored as JSON, or has a text in it that no database takes.

    What becomes JSON, such as a path or a set, is as good as that.
    """
    try:
        plain = to_jsonable_python(given)
    except ValueError as error:
        raise ValueError(f"`{name}` cannot be stored: {error}") from None
    if (wrong := json_values.fault(plain) or characters.fault(plain)) is not None:
        raise ValueError(f"`{name}` has {wrong}, which cannot be stored: remove or replace it")


def folder(name: str, given: Path | str) -> Path:
    """An existing folder, in full. Raises ValueError where there is none."""
    here = Path(given).expanduser().resolve()
    if not here.is_dir():
        what = "is no folder" if here.exists() else "does not exist"
        raise ValueError(f"`{name}` {what}: {here}")
    return here


@cache
def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(call)


def _one_of(name: str, given: Any, parts: Sequence[Any]) -> Any:
    if given is None and type(None) in parts:
        return None
    told: TypeError | None = None
    for part in parts:
        try:
            return fitting(name, given, part)
        except TypeError as error:
            # of the parts, the one that nearly fits knows best what is wrong
            listed = isinstance(given, list | tuple) and get_origin(part) is Sequence
            alone = set(parts) <= {part, type(None)} and part is not type(None)
            told = error if listed or alone else told
    raise told or TypeError(f"`{name}` must be {_described(parts)}, not {_kind(given)}")


def _literal(name: str, given: Any, values: Sequence[Any]) -> Any:
    if given not in values:
        raise TypeError(f"`{name}` must be {' or '.join(map(repr, values))}, not {given!r}")
    return given


def _sequence(name: str, given: Any, of: Any) -> tuple[Any, ...]:
    if isinstance(given, str | bytes | Mapping | BaseModel) or not isinstance(given, Iterable):
        raise TypeError(f"`{name}` must be {_list_of(of)}, not {_kind(given)}")
    return tuple(fitting(f"{name}[{number}]", each, of) for number, each in enumerate(given))


def _mapping(name: str, given: Any, parts: Sequence[Any]) -> Any:
    if not isinstance(given, Mapping):
        raise TypeError(f"`{name}` must be a mapping, not {_kind(given)}")
    key, value = parts or (Any, Any)
    for each, own in given.items():
        fitting(f"a key of {name}", each, key)
        fitting(f"{name}[{each!r}]", own, value)
    if value is Any:
        storable(name, dict(given))
    return given


def _instance(name: str, given: Any, wanted: type[Any]) -> Any:
    if getattr(wanted, "_is_protocol", False):
        return _with_methods(name, given, wanted)
    if issubclass(wanted, Enum):
        return _member(name, given, wanted)
    right = isinstance(given, int | float if wanted is float else wanted)
    if not right or (isinstance(given, bool) and wanted in (int, float)):
        raise TypeError(
            f"`{name}` must be {_described([wanted])}, not {_kind(given)}{_example(given, wanted)}"
        )
    match given:
        case str():
            storable(name, given)
        case BaseModel():
            storable(name, given)
        case bool():
            pass
        case int() | float() if math.isnan(given) or (wanted is int and abs(given) > _MOST):
            raise ValueError(f"`{name}` is {given}: it must lie between -{_MOST} and {_MOST}")
    return given


def _member(name: str, given: Any, wanted: type[Enum]) -> Enum:
    if given not in [each.value for each in wanted]:
        shown = repr(given) if isinstance(given, str) else _kind(given)
        raise TypeError(f"`{name}` must be {_described([wanted])}, not {shown}")
    return wanted(given)


def _with_methods(name: str, given: Any, protocol: type[Any]) -> Any:
    """The value, if it has the methods of a protocol. An agent is told of in its own words, see `check_agent`."""
    missing = [
        each
        for each in vars(protocol)
        if not each.startswith("_") and protocol.__name__ != "Agent" and not hasattr(given, each)
    ]
    if missing:
        raise TypeError(
            f"`{name}` must be {_described([protocol])}: {type(given).__name__} has no `{missing[0]}`"
        )
    return given


def _example(given: Any, wanted: type[Any]) -> str:
    if not issubclass(wanted, BaseModel):
        return ""
    made = f"{wanted.__name__}.model_validate" if isinstance(given, dict) else wanted.__name__
    return f": make one with {made}(...)"


def _described(parts: Sequence[Any]) -> str:
    """The types in words, the ones that can be meant."""
    told = [_in_words(each) for each in parts if each is not type(None)]
    return " or ".join(dict.fromkeys(told))


def _in_words(part: Any) -> str:
    if part in _PLAIN:
        return _PLAIN[part]
    if isinstance(part, NewType):
        return _in_words(part.__supertype__)
    if get_origin(part) in (Sequence, tuple, list):
        return _list_of(get_args(part)[0])
    if isinstance(part, type) and issubclass(part, Enum):
        return " or ".join(repr(each.value) for each in part)
    name = getattr(part, "__name__", str(part))
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"


def _list_of(part: Any) -> str:
    words = "texts" if part is str else getattr(part, "__name__", "values")
    return f"a list of {words}"


def _kind(given: Any) -> str:
    return "None" if given is None else f"of the type {type(given).__name__}"
