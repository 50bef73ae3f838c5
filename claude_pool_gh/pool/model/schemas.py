"""JSON Schemas of typed results: whether one can be used, and whether a result matches it.

A schema may be a repository's, and the result is an agent's: nothing that they name is fetched, patterns take linear
time, and a check ends after so many steps. jsonschema alone would open addresses, and look at some texts for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import SchemaError as PatternError
from pydantic_core import SchemaValidator, ValidationError, core_schema

if TYPE_CHECKING:
    from referencing._core import Resolver

_MOST_STEPS: Final = 20_000
"""Keywords that are looked at for one value, each of them for more the longer it is, and what it is held against."""
_REFUSED: Final = ("patternProperties", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef")
"""Their checks run patterns of their own, or steps that nobody counts."""
_SAMPLES: Final[tuple[Any, ...]] = (None, True, 0, "", [], {})
_STEPS_OF_A_SAMPLE: Final = 1_000
_BY_NAME: Final = ("properties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose keys are names, and whose values are schemas."""
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
"""Keywords that hold schemas in a list."""
_SINGLE: Final = frozenset(
    ("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
)
"""Keywords that hold a schema. In all others nothing is a keyword, whatever it is called."""
_MOST_PATTERNS: Final = 32
"""Different ones in a schema. To read one may take 30 milliseconds and 5 MB, whatever its length."""
_TEXT_OF_A_PART: Final = 100
"""Characters of a text that count as one more part of what holds it."""
_COMPARED: Final = 8
"""Parts that are compared in the time of a step."""
_QUOTED: Final = 64
"""Parts that are written into an error in the time of a step."""


@dataclass(slots=True)
class _Work:
    """The work that one check may still do, and the sizes of what it is about."""

    left: int
    sizes: dict[int, int] = field(default_factory=dict)
    """The parts of each list and mapping, by its `id`."""
    patterns: set[str] = field(default_factory=set)

    def size(self, value: Any) -> int:
        """The parts of a value, long texts for more than one."""
        if isinstance(value, str):
            return 1 + len(value) // _TEXT_OF_A_PART
        return self.sizes.get(id(value), 1)

    def measure(self, value: Any) -> int:
        """Note the sizes of everything in a value."""
        if isinstance(value, dict | list | tuple) and id(value) not in self.sizes:
            inside = (*value, *value.values()) if isinstance(value, dict) else value
            self.sizes[id(value)] = 1 + sum(self.measure(each) for each in inside)
        return self.size(value)

    def spend(self, name: str, keyword: Any, instance: Any) -> None:
        """Take off what a keyword costs. Raises _UnusableError where that is more than is left."""
        shown, within = self.size(instance), 0
        if name in _LISTS:
            shown *= 1 + sum(each is False for each in keyword)  # each such says what it refuses
        if name in ("pattern", "uniqueItems"):
            within = self.size(instance)
        elif name in _LISTS or name in _BY_NAME or name in _SINGLE:
            # Schemas without a keyword cost nothing of their own, however many there are, or are asked about.
            shown += self.size(keyword)
            several = instance if name in _SINGLE else keyword
            within = len(several) if isinstance(several, list | tuple | dict) else 0
        else:
            within = self.size(keyword)
        self.left -= 1 + within // _COMPARED + shown // _QUOTED
        if self.left < 0:
            raise _UnusableError("its check takes too many steps")


_work: ContextVar[_Work] = ContextVar("work")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The reason for which a result is not taken, in words."""

    told: str
    of_schema: bool = False
    """True where the schema itself cannot be used, so that another result would fare no better."""

    def __str__(self) -> str:
        return self.told


class _UnusableError(Exception):
    """The check of a value came to no end; its text says why."""


def fault(schema: Mapping[str, Any]) -> str | None:
    """The fault of a JSON Schema; None where it has none."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - slow, and only typed results need it

    try:
        Draft202012Validator.check_schema(dict(schema))
        _work.set(_Work(0))
        for wrong in _unusable_parts(dict(schema), _resolver(dict(schema))):
            return wrong
        for sample in _SAMPLES:
            _first_error(sample, schema, _STEPS_OF_A_SAMPLE)
    except SchemaError as error:
        return f"{_place(error.absolute_path)}{error.message}"
    except _UnusableError as why:
        return str(why)
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return f"an `$id` in it is no address: {error}"
    return None


def mismatch(value: Any, schema: Mapping[str, Any]) -> Mismatch | None:
    """The first thing in a result that does not match, with where it stands; None where it matches."""
    try:
        error = _first_error(value, schema)
    except _UnusableError as why:
        return Mismatch(f"the schema cannot be used: {why}", of_schema=True)
    return None if error is None else Mismatch(f"{_place(error.absolute_path)}{error.message}")


def _first_error(value: Any, schema: Mapping[str, Any], most: int = _MOST_STEPS) -> Any:
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - see above
    from referencing import Registry  # noqa: PLC0415 - see above
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - see above

    whole, work = dict(schema), _Work(most)
    try:
        work.measure(whole)
        work.measure(value)
        _work.set(work)
        validator = _bounded_validator()(whole, registry=Registry())
        return best_match(validator.iter_errors(value))
    except _UnusableError:
        raise
    except Unresolvable as error:
        raise _UnusableError(_no_such(error.ref)) from None
    except RecursionError:
        raise _UnusableError("a `$ref` leads back to itself without an end") from None
    except Exception as error:  # noqa: BLE001 - where a `$ref` leads to what is no schema, whatever it breaks
        raise _UnusableError(f"its check fails with {type(error).__name__}: {error}") from None


@cache
def _bounded_validator() -> Callable[..., Any]:
    """The validator of jsonschema, with each of its keywords counted, and patterns of our own."""
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - see above

    own = {"pattern": _pattern, "uniqueItems": _unique}
    keywords = {**Draft202012Validator.VALIDATORS, **own}
    bounded = {name: _counted(name, check) for name, check in keywords.items()}
    extend: Callable[..., Any] = validators.extend
    made: Callable[..., Any] = extend(Draft202012Validator, bounded)
    return made


def _counted(name: str, check: Callable[..., Any]) -> Callable[..., Any]:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        _work.get().spend(name, value, instance)
        for refused in _REFUSED:
            if refused in schema:
                raise _UnusableError(_refused(refused))
        return check(validator, value, instance, schema)

    return counted


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError as Failed  # noqa: PLC0415 - see above

    if isinstance(instance, str):
        try:
            _matcher(pattern).validate_python(instance)
        except ValidationError:
            yield Failed(f"{instance!r} does not match {pattern!r}")


def _unique(_validator: Any, wanted: bool, instance: Any, _schema: Any) -> Iterator[Any]:
    """As jsonschema's own, which compares each item with each."""
    from jsonschema import ValidationError as Failed  # noqa: PLC0415 - see above

    items = instance if wanted and isinstance(instance, list | tuple) else ()
    if len({json.dumps(each, sort_keys=True) for each in items}) < len(items):
        yield Failed("two of its items are the same")


def _matcher(pattern: str) -> SchemaValidator:
    patterns = _work.get().patterns
    patterns.add(pattern)
    if len(patterns) > _MOST_PATTERNS:
        raise _UnusableError(f"it has more than {_MOST_PATTERNS} different patterns")
    return _compiled(pattern)


@lru_cache(2 * _MOST_PATTERNS)
def _compiled(pattern: str) -> SchemaValidator:
    """A pattern in a dialect that takes linear time, whatever the text."""
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern))
    except PatternError:
        raise _UnusableError(
            f"the pattern {pattern!r} is not in RE2's dialect, which has no look-around and no references back"
        ) from None


def _resolver(schema: dict[str, Any]) -> Resolver[Any]:
    """Finds what the references of a schema lead to, and nothing elsewhere."""
    from referencing import Registry  # noqa: PLC0415 - see above
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - see above

    known: Registry[Any] = Registry()
    return known.resolver_with_root(DRAFT202012.create_resource(schema))


def _unusable_parts(part: Any, around: Resolver[Any]) -> Iterator[str]:
    """The faults that show only when a value reaches them, in a schema of the right form."""
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - see above

    if not isinstance(part, dict):  # True or False
        return
    resolver = around.in_subresource(DRAFT202012.create_resource(part))
    for name, value in part.items():
        if name in _REFUSED:
            yield _refused(name)
        elif name == "$ref" and not _leads_to_a_schema(value, resolver):
            yield _no_such(value)
        elif name == "pattern":
            _matcher(value)
        for each in _schemas_in(name, value):
            yield from _unusable_parts(each, resolver)


def _schemas_in(name: str, value: Any) -> Iterable[Any]:
    if name in _BY_NAME:
        inside: Iterable[Any] = value.values()
        return inside
    if name in _LISTS:
        return list(value)
    return (value,) if name in _SINGLE else ()


def _leads_to_a_schema(reference: str, resolver: Resolver[Any]) -> bool:
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - see above

    try:
        return isinstance(resolver.lookup(reference).contents, dict | bool)
    except (Unresolvable, TypeError, ValueError):  # the last two where the way leads through texts
        return False


def _no_such(reference: str) -> str:
    return f"the `$ref` {reference!r} leads to nothing in it: what lies elsewhere is not fetched"


def _refused(name: str) -> str:
    return f"`{name}` cannot be used: name the properties and items"


def _place(path: Any) -> str:
    where = ".".join(map(str, path))
    return f"{where}: " if where else ""
