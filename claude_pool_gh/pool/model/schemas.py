"""JSON Schemas of typed results: whether one can be used, and whether a result matches it.

A schema may be a repository's, and the result is an agent's: nothing that they name is fetched, patterns take linear
time, and a check ends after so many steps. jsonschema alone would open addresses, and look at some texts for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from pydantic_core import SchemaError as PatternError
from pydantic_core import SchemaValidator, ValidationError, core_schema

_MOST_STEPS: Final = 20_000
"""Keywords that are looked at for one value."""
_REFUSED: Final = ("patternProperties", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef")
"""Their checks run patterns of their own, or steps that nobody counts."""
_SAMPLES: Final[tuple[Any, ...]] = (None, True, 0, "", [], {})
_STEPS_OF_A_SAMPLE: Final = 1_000
_NAMING: Final = ("properties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose keys are names, and whose values are schemas."""
_VALUES: Final = ("const", "enum", "default", "examples")
"""Keywords that hold values, in which nothing is a keyword."""
_left: ContextVar[int] = ContextVar("left")


class _UnusableError(Exception):
    """The check of a value came to no end; its text says why."""


def fault(schema: Mapping[str, Any]) -> str | None:
    """The fault of a JSON Schema; None where it has none."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - slow, and only typed results need it

    try:
        Draft202012Validator.check_schema(dict(schema))
        for wrong in _unusable_parts(dict(schema), dict(schema)):
            return wrong
        for sample in _SAMPLES:
            _first_error(sample, schema, _STEPS_OF_A_SAMPLE)
    except SchemaError as error:
        return f"{_place(error.absolute_path)}{error.message}"
    except _UnusableError as why:
        return str(why)
    except RecursionError:
        return "it is nested too deeply"
    return None


def mismatch(value: Any, schema: Mapping[str, Any]) -> str | None:
    """The first thing in a result that does not match, with where it stands; None where it matches."""
    try:
        error = _first_error(value, schema)
    except _UnusableError as why:
        return f"the schema cannot be used: {why}"
    return None if error is None else f"{_place(error.absolute_path)}{error.message}"


def _first_error(value: Any, schema: Mapping[str, Any], most: int = _MOST_STEPS) -> Any:
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - see above
    from referencing import Registry  # noqa: PLC0415 - see above
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - see above

    _left.set(most)
    try:
        validator = _bounded_validator()(dict(schema), registry=Registry())
        return best_match(validator.iter_errors(value))
    except Unresolvable as error:
        raise _UnusableError(_no_such(error.ref)) from None
    except RecursionError:
        raise _UnusableError("a `$ref` leads back to itself without an end") from None


@cache
def _bounded_validator() -> Callable[..., Any]:
    """The validator of jsonschema, with each of its keywords counted, and patterns of our own."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - see above

    own = {"pattern": _pattern, "uniqueItems": _unique}
    keywords = {**Draft202012Validator.VALIDATORS, **own}
    bounded = {name: _counted(check) for name, check in keywords.items()}
    extend: Callable[..., Any] = validators.extend
    made: Callable[..., Any] = extend(Draft202012Validator, bounded)
    return made


def _counted(check: Callable[..., Any]) -> Callable[..., Any]:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _left.get() - 1
        if left < 0:
            raise _UnusableError("its check takes too many steps")
        _left.set(left)
        for name in _REFUSED:
            if name in schema:
                raise _UnusableError(_refused(name))
        return check(validator, value, instance, schema)

    return counted


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError as Mismatch  # noqa: PLC0415 - see above

    if isinstance(instance, str):
        try:
            _compiled(pattern).validate_python(instance)
        except ValidationError:
            yield Mismatch(f"{instance!r} does not match {pattern!r}")


def _unique(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[Any]:
    """As jsonschema's own, which compares each item with each."""
    from jsonschema import ValidationError as Mismatch  # noqa: PLC0415 - see above

    items = instance if wanted and isinstance(instance, list | tuple) else ()
    if len({json.dumps(each, sort_keys=True) for each in items}) < len(items):
        yield Mismatch("two of its items are the same")


@cache
def _compiled(pattern: str) -> SchemaValidator:
    """A pattern in a dialect that takes linear time, whatever the text."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern))
    except PatternError:
        raise _UnusableError(
            f"the pattern {pattern!r} is not in RE2's dialect, which has no look-around and no references back"
        ) from None


def _unusable_parts(part: Any, whole: dict[str, Any]) -> Iterator[str]:
    """The faults that show only when a value reaches them."""
    if isinstance(part, list):
        for each in part:
            yield from _unusable_parts(each, whole)
    for name, value in part.items() if isinstance(part, dict) else ():
        if name in _REFUSED:
            yield _refused(name)
        elif name == "$ref" and not _leads_somewhere(value, whole):
            yield _no_such(value)
        elif name == "pattern":
            _compiled(value)
        elif name not in _VALUES:
            inside = list(value.values()) if name in _NAMING else value
            yield from _unusable_parts(inside, whole)


def _leads_somewhere(reference: str, whole: dict[str, Any]) -> bool:
    from referencing import Registry  # noqa: PLC0415 - see above
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - see above
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - see above

    known: Registry[Any] = Registry().with_resource("", DRAFT202012.create_resource(whole))
    try:
        known.resolver().lookup(reference)
    except Unresolvable:
        return False
    return True


def _no_such(reference: str) -> str:
    return f"the `$ref` {reference!r} leads to nothing in it: what lies elsewhere is not fetched"


def _refused(name: str) -> str:
    return f"`{name}` cannot be used: name the properties and items"


def _place(path: Any) -> str:
    where = ".".join(map(str, path))
    return f"{where}: " if where else ""
