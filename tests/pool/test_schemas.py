"""A schema is a repository's, and a result an agent's: neither makes the pool fetch, wait or look for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from claude_pool_gh.pool.model.schemas import fault, mismatch

SLOW = "(a+)+$"
"""With Python's own engine each further letter doubles the time that a text without a match takes."""
LIST: dict[str, Any] = {
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
    "$ref": "#/$defs/node",
}
LAUGHS: dict[str, Any] = {
    "$defs": {
        "0": {"type": "object"},
        **{f"{n}": {"allOf": [{"$ref": f"#/$defs/{n - 1}"}] * 2} for n in range(1, 16)},
    },
    "$ref": "#/$defs/15",
}
LONG: dict[str, Any] = {
    "$defs": {"e": {"enum": [1] * 5_000 + [2]}},
    "items": {"allOf": [{"$ref": "#/$defs/e"}] * 90},
}
"""Each of its few keywords compares thousands of values."""
NEEDY: dict[str, Any] = {
    "$defs": {"e": {"required": [f"k{n}" for n in range(2_000)]}},
    "allOf": [{"$ref": "#/$defs/e"}] * 200,
}
THERE: dict[str, Any] = {
    "$defs": {"text": {"type": "string"}},
    "properties": {"a": {"$ref": "a.json#/$defs/text"}},
}
"""Where this is `a.json`, as its `$id` says."""
PATTERNS = {"allOf": [{"pattern": rf"^\w{{0,9}}{n}?"} for n in range(150)]}
"""With longer repeats each of them would be an automaton of megabytes."""
SELF = {"properties": {"a": {"$ref": "#/properties/a"}}}


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server, and what it was asked."""
    seen: list[str] = []

    class Telling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        def log_message(self, *_more: object) -> None:
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Telling) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/schema.json", seen
        server.shutdown()
        thread.join()


def test_nothing_that_a_schema_names_is_fetched(asked: tuple[str, list[str]]) -> None:
    address, seen = asked
    for reference in (address, "file:///etc/hostname", "other.json", "#/$defs/none"):
        schema = {"properties": {"a": {"$ref": reference}}}
        assert "leads to nothing in it" in str(fault(schema))
        assert "leads to nothing in it" in str(mismatch({"a": 1}, schema))
    assert seen == []


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"properties": {"a": {"pattern": SLOW}}}, {"a": "a" * 26 + "!"}, "a: 'aaa"),
        ({"propertyNames": {"pattern": SLOW}}, {"a" * 26 + "!": 1}, "does not match"),
        ({"patternProperties": {SLOW: {}}}, {"a" * 26 + "!": 1}, "`patternProperties` cannot"),
        (LAUGHS, {}, "too many steps"),
        pytest.param(LONG, [2] * 9, "too many steps", id="a long list"),
        (NEEDY, {}, "too many steps"),
        ({"anyOf": [{"type": "null"}] * 1_500}, ["a" * 100_000], "too many steps"),
        ({"anyOf": [False] * 1_500}, ["a" * 100_000], "too many steps"),
        (PATTERNS, "a", "more than 32 different patterns"),
        ({"allOf": [{"contains": False}] * 2_000}, [1] * 100_000, "too many steps"),
        (
            {"allOf": [{"propertyNames": {}}] * 2_000},
            {f"{n}": 1 for n in range(20_000)},
            "too many",
        ),
        ({"allOf": [{"pattern": "(a{1,9}){1,9}b"}] * 900}, "a" * 200_000, "too many steps"),
        ({"allOf": [{"uniqueItems": True}] * 900}, list(range(20_000)), "too many steps"),
        ({"uniqueItems": True}, [{"a": n} for n in range(3_000)] + [{"a": 0}], "are the same"),
        ({"$ref": "#"}, {}, "without an end"),
        (SELF, {"a": 1}, "without an end"),
    ],
)
def test_no_check_takes_long(schema: dict[str, Any], value: Any, told: str) -> None:
    mismatch({}, {})  # what it imports takes its time too
    began = time.process_time()
    assert told in str(mismatch(value, schema))
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"items": [{"type": "texts"}]}, "is not of type"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "no look-around"),
        ({"anyOf": [{"properties": {"a": {"patternProperties": {}}}}]}, "`patternProperties`"),
        ({"unevaluatedProperties": False}, "`unevaluatedProperties`"),
        ({"properties": {"a": PATTERNS}}, "more than 32 different patterns"),
        (LAUGHS, "too many steps"),
        ({"$ref": "#"}, "without an end"),
        ({"title": "a", "properties": {"a": {"$ref": "#/title"}}}, "leads to nothing"),
        ({"title": "a", "properties": {"a": {"$ref": "#/title/b"}}}, "leads to nothing"),
        ({"$id": "http://[a", "properties": {"a": {"$ref": "b"}}}, "`$id` in it is no"),
        ({"x-a": {"properties": 3}, "$ref": "#/x-a"}, "its check fails with"),
    ],
)
def test_what_cannot_be_checked_is_told_before_anything_runs(
    schema: dict[str, Any], told: str
) -> None:
    assert told in str(fault(schema))


@pytest.mark.parametrize(
    ("schema", "right", "wrong", "told"),
    [
        (LIST, {"next": {"next": {}}}, {"next": {"next": 1}}, "next.next: 1 is not of type"),
        ({"pattern": r"^\d{3}-\w+$"}, "123-a", "12-a", "does not match"),
        ({"type": "array", "uniqueItems": True}, [1, "1", [1]], [{"a": 1}, {"a": 1}], "same"),
        ({"$id": "https://example.com/a", **LIST}, {}, 1, "1 is not of type"),
        (
            {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "integer"}}},
            {"$ref": "http://example.com", "pattern": 1},
            {"$ref": 1},
            "$ref: 1 is not of type",
        ),
        ({"dependentRequired": {"pattern": ["b"], "$ref": ["b"]}}, {}, {"pattern": 1}, "'b' is a"),
        ({"x-ui": {"properties": 3, "pattern": {}, "$ref": 5, "$id": 5}}, {}, {}, ""),
        ({"$id": "https://example.com/a.json", **THERE}, {"a": ""}, {"a": 1}, "a: 1 is not of"),
        ({"$defs": {"b": {"$id": "b/a.json", **THERE}}, "$ref": "b/a.json"}, {}, {"a": 1}, "a: 1"),
        ({"properties": {"patternProperties": {"const": {"pattern": "("}}}}, {}, [], ""),
    ],
)
def test_what_can_be_checked_is_as_ever(
    schema: dict[str, Any], right: Any, wrong: Any, told: str
) -> None:
    assert fault(schema) is None
    assert mismatch(right, schema) is None
    assert told in str(mismatch(wrong, schema) or "")
