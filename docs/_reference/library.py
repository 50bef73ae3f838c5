"""The names that can be imported from `claude_pool_gh`, with their signatures, fields and texts, from the code."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

import claude_pool_gh
from claude_pool_gh import PoolError
from docs._reference.markdown import code, facts, field_texts, sentence, table

_LONGEST_LINE = 88
_NOT_SHOWN: tuple[Any, ...] = ("", None, (), {}, [])


def page() -> str:
    """The pool, everything else by its name, and the errors in one table."""
    named = {name: getattr(claude_pool_gh, name) for name in sorted(claude_pool_gh.__all__)}
    errors = {name: each for name, each in named.items() if _is_error(each)}
    parts = [f"## `{name}`\n\n{_described(name, named[name])}" for name in _ordered(named, errors)]
    rows = [(code(name), sentence(_docstring(each))) for name, each in errors.items()]
    return "".join(parts) + "## Errors\n\n" + table(("error", "meaning"), rows)


def public_members(kind: type) -> dict[str, Any]:
    """The public methods and properties of a class, its own before those that it inherits from ours."""
    found: dict[str, Any] = {}
    for each in kind.__mro__:
        if each.__module__.startswith("claude_pool_gh."):
            for name, member in vars(each).items():
                is_one = inspect.isfunction(member) or isinstance(member, classmethod | property)
                if is_one and not name.startswith("_"):
                    found.setdefault(name, member)
    return found


def _is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, PoolError)


def _ordered(named: dict[str, Any], errors: dict[str, Any]) -> list[str]:
    return ["Pool", *(name for name in named if name != "Pool" and name not in errors)]


def _described(name: str, found: Any) -> str:
    """The texts, values, fields and methods behind a name."""
    if isinstance(found, NewType):
        return "An id, as methods return it: a text.\n\n"
    if get_origin(found) is UnionType or not isinstance(found, type):
        return (
            _signature(name, found) + _text(found) if inspect.isfunction(found) else _one_of(found)
        )
    if not found.__module__.startswith("claude_pool_gh."):
        return f"{code(f'{found.__module__}.{found.__qualname__}')}\n\n"
    if issubclass(found, Enum):
        texts = field_texts(found)
        rows = [(code(each.value), sentence(texts.get(each.name, ""))) for each in found]
        return _text(found) + table(("value", "meaning"), rows)
    members = public_members(found).items()
    return (
        _text(found)
        + _fields(found)
        + "".join(_member(found, each, member) for each, member in members)
    )


def _one_of(found: Any) -> str:
    return f"One of {', '.join(code(_written(each)) for each in get_args(found))}.\n\n"


def _member(kind: type, name: str, member: Any) -> str:
    title = f"### `{kind.__name__}.{name}`\n\n"
    if isinstance(member, property):
        returned = get_type_hints(member.fget)["return"]
        return title + _block(f"{name}: {_written(returned)}") + _text(member)
    return title + _signature(name, inspect.unwrap(getattr(kind, name))) + _text(member)


def _signature(name: str, call: Any) -> str:
    """A call as it is written, with a parameter on each line where one is too short for all."""
    hints = get_type_hints(call.__init__ if inspect.isclass(call) else call)
    told: list[str] = []
    by_name = False
    for each in inspect.signature(call).parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not by_name:
            told, by_name = [*told, "*"], True
        default = "" if each.default is each.empty else f" = {_value(each.default)}"
        told.append(f"{each.name}: {_written(hints.get(each.name, Any))}{default}")
    before = "await " if inspect.iscoroutinefunction(call) else ""
    returned = hints.get("return", NoneType)
    if inspect.isasyncgenfunction(call):
        before, returned = "async with ", get_args(returned)[0]
    after = "" if inspect.isclass(call) else f" -> {_written(returned)}"
    line = f"{before}{name}({', '.join(told)}){after}"
    if len(line) > _LONGEST_LINE:
        line = f"{before}{name}(\n" + "".join(f"    {each},\n" for each in told) + f"){after}"
    return _block(line)


def _fields(kind: type) -> str:
    """A row for each field: its meaning, its type, its default."""
    texts, rows = field_texts(kind), []
    for name, needed, default in _defaults(kind):
        told = code(_written(get_type_hints(kind)[name]))
        hidden = needed or default in _NOT_SHOWN or inspect.isfunction(default)
        shown = "" if hidden else code(_value(default))
        meaning = sentence(texts.get(name, ""))
        rows.append(
            (code(name), meaning + facts(told, "required" if needed else "", default=shown))
        )
    return table(("field", "meaning"), rows) if rows else ""


def _defaults(kind: type) -> Iterator[tuple[str, bool, Any]]:
    """Name of each field, whether it has to be given, and else its default."""
    if issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield name, field.is_required(), None if field.is_required() else field.get_default()
    elif is_dataclass(kind):
        for each in fields(kind):
            if each.init and not each.name.startswith("_"):
                has_default = each.default is not MISSING
                needed = not has_default and each.default_factory is MISSING
                yield each.name, needed, each.default if has_default else None


def _value(default: object) -> str:
    return repr(default.value) if isinstance(default, Enum) else repr(default)


def _written(kind: Any) -> str:
    """A type as it is written in a signature."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _written(inside[0])
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(map(_written, inside)))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, inside))}]"
    if isinstance(kind, list):
        return f"[{', '.join(map(_written, kind))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_written, inside))}]"
    if kind in (None, NoneType, ...):
        return "..." if kind is ... else "None"
    return str(getattr(kind, "__name__", kind))


def _block(text: str) -> str:
    return f"```python\n{text}\n```\n\n"


def _docstring(found: object) -> str:
    return inspect.getdoc(found) or ""


def _text(found: object) -> str:
    """A docstring as paragraphs of Markdown; what is indented there is code."""
    blocks = _docstring(found).split("\n\n")
    shown = [
        _block(textwrap.dedent(each)) if each.startswith("    ") else f"{each}\n\n"
        for each in blocks
        if each
    ]
    return "".join(shown)
