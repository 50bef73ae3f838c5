"""The keys of a repository's configuration, from the model that reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from claude_pool_gh.config.model import RepositoryConfig
from docs._reference.markdown import code, facts, sentence, table

_SINGLE = "Keys at the top level"
_NAMES = {"string": "text", "integer": "whole number", "boolean": "`true` or `false`"}


def page() -> str:
    """A section for each part of the file."""
    schema = RepositoryConfig.model_json_schema()
    parts = [f"## {_SINGLE}\n\n" + _table("", schema, schema)]
    for name, described in schema["properties"].items():
        part = _part(described, schema)
        if part is None:
            continue
        if "additionalProperties" in described:
            parts.append(f"## `{name}.NAME`\n\n{sentence(part['description'])}\n\n")
            parts.append(_table(f"{name}.NAME.", part, schema))
        else:
            parts.append(f"## `{name}`\n\n{sentence(part['description'])}\n\n")
            parts.append(_table(f"{name}.", part, schema))
    return "".join(parts)


def described_keys() -> dict[str, str]:
    """The text of every key; "" for one that has none."""
    schema = RepositoryConfig.model_json_schema()
    found = {}
    for where in (schema, *schema["$defs"].values()):
        for name, described in where["properties"].items():
            text = described.get("description") or (_part(described, schema) or {}).get(
                "description"
            )
            found[f"{where['title']}.{name}"] = text or ""
    return found


def _part(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The section that a key holds, or each entry of its mapping does; None for a plain value."""
    inner = described.get("additionalProperties", described)
    reference = inner.get("$ref") if isinstance(inner, dict) else None
    found: Mapping[str, Any] | None = (
        schema["$defs"][reference.split("/")[-1]] if reference else None
    )
    return found


def _table(prefix: str, part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    rows = []
    for name, described in part["properties"].items():
        if _part(described, schema) is not None and "additionalProperties" not in described:
            if not prefix:
                rows.append((code(name), f"See [its keys](#{name})."))
            continue
        default = json.dumps(described["default"]) if "default" in described else ""
        rows.append(
            (
                code(f"{prefix}{name}"),
                sentence(described.get("description", ""))
                + facts(_values(described, schema), default=code(default)),
            )
        )
    return table(("key", "meaning"), rows)


def _values(described: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    return ", ".join(dict.fromkeys(_kinds(described, schema)))


def _kinds(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """The values that a key takes, in words."""
    if "anyOf" in described:
        for each in described["anyOf"]:
            yield from _kinds(each, schema)
        return
    if "enum" in described:
        yield from (code(each) for each in described["enum"])
        return
    if "$ref" in described:
        named = schema["$defs"][described["$ref"].split("/")[-1]]
        yield f"keys {', '.join(code(each) for each in named['properties'])}"
        return
    match described.get("type"):
        case "array":
            yield f"list of {_values(described['items'], schema)}"
        case "object":
            yield "names and their values"
        case "null":
            yield "`null`"
        case str(kind):
            yield f"{_NAMES.get(kind, kind)} {_bounds(described)}".strip()
        case _:
            pass


def _bounds(described: Mapping[str, Any]) -> str:
    least, most = described.get("minimum"), described.get("maximum")
    above = described.get("exclusiveMinimum")
    if least is not None and most is not None:
        return f"{least:g} to {most:g}"
    if above is not None:
        return f"above {above:g}" + ("" if most is None else f", at most {most:g}")
    return ""
