"""A check that every answer that a JSON Schema permits has the fields, of the types, that a model reads. Pure.

Only the form is compared. Bounds, such as the length of a text, are the model's own to enforce.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]


def misfit(schema: Schema, model: type[BaseModel]) -> str | None:
    """The first thing in which a schema does not fit a model, with where it stands; None where it fits."""
    wanted = model.model_json_schema()
    found = _Comparison(schema, wanted).problems(schema, wanted, "")
    return None if schema == wanted else next(found, None)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two schemas, each of which may refer to parts of itself."""

    given_root: Schema
    wanted_root: Schema

    def problems(self, given: Schema, wanted: Schema, where: str) -> Iterator[str]:
        """Everything at which what is given may be something else than what is wanted."""
        given, wanted = _resolved(given, self.given_root), _resolved(wanted, self.wanted_root)
        if alternatives := given.get("anyOf") or given.get("oneOf"):
            for each in alternatives:
                yield from self.problems(each, wanted, where)
        elif choices := wanted.get("anyOf"):
            if not any(self._fits(given, each, where) for each in choices):
                yield f"{_at(where)} may be something else than {_types(choices)}"
        elif "enum" in given or "const" in given:
            yield from _odd_values(given, wanted, where)
        elif (kind := wanted.get("type")) is not None:
            yield from self._of_kind(given, wanted, kind, where)

    def _fits(self, given: Schema, wanted: Schema, where: str) -> bool:
        return next(self.problems(given, wanted, where), None) is None

    def _of_kind(self, given: Schema, wanted: Schema, kind: str, where: str) -> Iterator[str]:
        if given.get("type") not in ((kind, "integer") if kind == "number" else (kind,)):
            yield f"{_at(where)} must have `type: {kind}`"
        elif "enum" in wanted or "const" in wanted:
            yield f"{_at(where)} may be something else than {wanted.get('enum', wanted.get('const'))}"
        elif kind == "object":
            yield from self._object(given, wanted, where)
        elif kind == "array":
            yield from self.problems(given.get("items", {}), wanted.get("items", {}), f"{where}[]")

    def _object(self, given: Schema, wanted: Schema, where: str) -> Iterator[str]:
        has, reads = given.get("properties", {}), wanted.get("properties", {})
        needed = set(wanted.get("required", ()))
        for name in sorted(needed - set(given.get("required", ()))):
            yield f"{_at(where)} must require `{name}`"
        for name, part in has.items():
            if name in reads:
                yield from self.problems(part, reads[name], f"{where}.{name}".lstrip("."))
            elif wanted.get("additionalProperties") is False:
                yield f"{_at(where)} has `{name}`, which nobody reads"
        if (
            wanted.get("additionalProperties") is False
            and given.get("additionalProperties") is not False
        ):
            yield f"{_at(where)} must have `additionalProperties: false`"


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The part that a reference within the same schema leads to."""
    seen = 0
    while isinstance(reference := schema.get("$ref"), str) and seen < 32:
        part: Any = root
        for key in reference.removeprefix("#/").split("/"):
            part = part.get(key, {}) if isinstance(part, Mapping) else {}
        schema, seen = part, seen + 1
    return schema


def _odd_values(given: Schema, wanted: Schema, where: str) -> Iterator[str]:
    """Values that a schema lists and that are not wanted."""
    from claude_pool_gh.pool.model.schemas import mismatch  # noqa: PLC0415 - slow, and needed by few schemas

    for value in given.get("enum", [given.get("const")]):
        if mismatch(value, wanted) is not None:
            yield f"{_at(where)} may be {value!r}"


def _types(choices: Any) -> str:
    return " or ".join(str(each.get("type", "something of its own")) for each in choices)


def _at(where: str) -> str:
    return f"`{where}`" if where else "the answer"
