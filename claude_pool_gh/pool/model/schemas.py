"""JSON Schemas of typed results: whether one can be used, and whether a result matches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fault(schema: Mapping[str, Any]) -> str | None:
    """The fault of a JSON Schema; None where it has none."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - slow, and only typed results need it

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return f"{_place(error.absolute_path)}{error.message}"
    return None


def mismatch(value: Any, schema: Mapping[str, Any]) -> str | None:
    """The first thing in a result that does not match, with where it stands; None where it matches."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above
    from jsonschema.exceptions import best_match  # noqa: PLC0415 - see above

    error = best_match(Draft202012Validator(dict(schema)).iter_errors(value))
    return None if error is None else f"{_place(error.absolute_path)}{error.message}"


def _place(path: Any) -> str:
    where = ".".join(map(str, path))
    return f"{where}: " if where else ""
