"""Holds every exchange with the simulated GitHub, and every webhook, to GitHub's own OpenAPI description."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from claude_pool_gh.rehearsal.github import Exchange, WebhookSent
from claude_pool_gh.rehearsal.github.routes.graphql import PATH as GRAPHQL
from tests.rehearsal.contract.exceptions import BARE_LISTS, MEDIA, NULLS, QUERY, STATUSES
from tests.rehearsal.contract.graphql import GraphQLContract

DESCRIPTION = Path(__file__).parent / "github-openapi.json"
HOST = "https://api.github.com"
ALIKE = (
    (re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{40}(?![0-9A-Za-z])"), b"SHA"),
    (re.compile(rb"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ"), b"TIME"),
    (re.compile(rb"://127\.0\.0\.1:\d+"), b"://HOST"),
    (re.compile(rb'"((?:\w+_)?id)": ?[1-9]\d*'), rb'"\1":1'),
    (re.compile(rb'"node_id": ?"\w+"'), b'"node_id":"NODE"'),
    (re.compile(rb"/[1-9]\d*(?![0-9A-Za-z])"), b"/1"),
)
"""What differs from test to test in exchanges that are otherwise the same, and no schema tells apart:
commits, times, the server's own address, and ids, which stand in paths too."""


@dataclass(slots=True)
class Asked:
    """A request in the form openapi-core reads."""

    path: str
    method: str
    parameters: RequestParameters
    body: bytes | None
    content_type: str
    host_url: str = HOST


@dataclass(slots=True)
class Answered:
    """An answer in the form openapi-core reads."""

    data: bytes
    status_code: int
    content_type: str
    headers: Mapping[str, Any]


@dataclass(repr=False)
class Contract:
    """Give one to `github.observe(...)` and call `assert_clean` at the end.

    Loading takes a moment: `shared` keeps one for the session, which `clear` makes ready for a test.
    Its text would be the whole description, and asyncio makes the text of what each fixture yields.
    """

    description: dict[str, Any] = field(default_factory=lambda: json.loads(DESCRIPTION.read_text()))
    violations: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        config = Config(spec_validator_cls=None)  # type: ignore[arg-type]  # None is "do not validate"
        self._openapi = OpenAPI.from_dict(self.description, config=config)
        self._graphql = GraphQLContract()
        self._clean: set[bytes] = set()

    def __call__(self, seen: Exchange | WebhookSent) -> None:
        if isinstance(seen, WebhookSent):
            self.check_webhook(seen)
        else:
            self.check_exchange(seen)

    def clear(self) -> None:
        """Forget the violations of an earlier test."""
        self.violations.clear()

    def assert_clean(self) -> None:
        """Fail with every violation there was."""
        assert not self.violations, "GitHub's description is broken:\n" + "\n".join(self.violations)

    # the two kinds of thing

    def check_webhook(self, sent: WebhookSent) -> None:
        """A webhook's payload against its schema."""
        parts = [sent.event, *([sent.action] if sent.action else [])]
        name = "-".join(parts).replace("_", "-")
        self.seen[f"webhook {name}"] += 1
        if f"/webhooks/{name}" not in self.description["paths"]:
            self.violations.append(f"webhook {name}: not in the cut; add it to cut.py")
            return
        body = json.dumps(sent.payload).encode()
        nothing = RequestParameters(
            query=ImmutableMultiDict(), header=Headers(), cookie=ImmutableMultiDict()
        )
        asked = Asked(f"/webhooks/{name}", "post", nothing, body, "application/json")
        with self._unless_alike(name.encode() + body) as is_new:
            if is_new:
                self._judge(f"webhook {name}", lambda: self._openapi.validate_request(asked))

    def check_exchange(self, exchange: Exchange) -> None:
        """A request and its answer."""
        name = f"{exchange.method} {exchange.path}"
        if exchange.route is None:
            self.violations.append(f"{name}: no such route")
            return
        self.seen[f"{exchange.method} {exchange.route}"] += 1
        if exchange.route == GRAPHQL:
            self._check_graphql(name, exchange)
            return
        if exchange.method.lower() not in self.description["paths"].get(exchange.route, {}):
            self.violations.append(
                f"{name}: not in the cut; run tests/rehearsal/contract/cut.py again, as it says at its top"
            )
            return
        asked = self._asked(exchange)
        if not self._excused(exchange):
            with self._unless_known(exchange, "request", exchange.request_body) as is_new:
                if is_new:
                    self._judge(f"{name} (request)", lambda: self._openapi.validate_request(asked))
                    self._check_names(name, exchange)
        if not exchange.injected:
            with self._unless_known(
                exchange, f"answer {exchange.status}", exchange.response_body
            ) as is_new:
                if is_new:
                    self._check_answer(name, exchange, asked)

    @contextmanager
    def _unless_known(self, exchange: Exchange, side: str, body: bytes) -> Iterator[bool]:
        """Whether the same was not judged before; it is known from now on, if nothing is found."""
        kinds = [
            headers.get("Content-Type")
            for headers in (exchange.request_headers, exchange.response_headers)
        ]
        asked = [f"/{value}" for value in exchange.params.values()]
        told = repr((side, exchange.method, exchange.route, asked, exchange.query, kinds))
        with self._unless_alike(told.encode() + body) as is_new:
            yield is_new

    @contextmanager
    def _unless_alike(self, told: bytes) -> Iterator[bool]:
        key = told
        for pattern, same in ALIKE:
            key = pattern.sub(same, key)
        before = len(self.violations)
        yield key not in self._clean
        if len(self.violations) == before:
            self._clean.add(key)

    def _check_graphql(self, name: str, exchange: Exchange) -> None:
        if exchange.status != 200 or exchange.injected:
            return
        found = self._graphql.violations(exchange.request_body, exchange.response_body)
        self.violations += [f"{name}: {problem}" for problem in found]

    def _check_answer(self, name: str, exchange: Exchange, asked: Asked) -> None:
        assert exchange.route is not None
        kind = exchange.response_headers.get("Content-Type", "").partition(";")[0]
        label = f"{name} -> {exchange.status}"
        if exchange.status in (204, 304) or (
            exchange.status == 200 and (exchange.route, kind) in MEDIA
        ):
            if exchange.status == 204 and "204" not in self._operation(exchange)["responses"]:
                self.violations.append(f"{label}: undocumented status")
            return
        listed = self._operation(exchange)["responses"].get(str(exchange.status), {})
        if kind != "application/json" and kind in self._follow(listed).get("content", {}):
            return
        if str(exchange.status) not in self._operation(exchange)["responses"]:
            self._check_undocumented(label, exchange)
            return
        answered = Answered(
            exchange.response_body, exchange.status, kind, exchange.response_headers
        )
        self._judge(label, lambda: self._openapi.validate_response(asked, answered))

    def _check_undocumented(self, label: str, exchange: Exchange) -> None:
        if exchange.status not in STATUSES:
            self.violations.append(f"{label}: undocumented status")
            return
        body = json.loads(exchange.response_body)
        if not isinstance(body.get("message"), str) or not isinstance(
            body.get("documentation_url"), str
        ):
            self.violations.append(f"{label}: not the shape of an error: {body}")

    # helpers

    def _excused(self, exchange: Exchange) -> bool:
        """Whether a request need not be judged: refused as wrong already, or a known bare list."""
        refused = exchange.status in (400, 422) and not exchange.injected
        bare = (
            f"{exchange.method} {exchange.route}" in BARE_LISTS
            and exchange.request_body[:1] == b"["
        )
        return refused or bare

    def _operation(self, exchange: Exchange) -> dict[str, Any]:
        found: dict[str, Any] = self.description["paths"][exchange.route][exchange.method.lower()]
        return found

    def _asked(self, exchange: Exchange) -> Asked:
        path = exchange.route or ""
        for parameter, value in exchange.params.items():
            path = path.replace(f"{{{parameter}}}", quote(value, safe="") or ".")
        parameters = RequestParameters(
            query=ImmutableMultiDict(exchange.query),
            header=Headers(exchange.request_headers),
            cookie=ImmutableMultiDict(),
        )
        kind = exchange.request_headers.get("Content-Type", "application/json").partition(";")[0]
        return Asked(path, exchange.method.lower(), parameters, exchange.request_body or None, kind)

    def _judge(self, label: str, validate: Any) -> None:
        try:
            validate()
        except OpenAPIError as problem:
            told = explain(problem)
            places = re.findall(r"^\s*at (?:\d+\.)?([\w.]+): (None )?", told, re.MULTILINE)
            if not places or any(not null or name not in NULLS for name, null in places):
                self.violations.append(f"{label}: {told}")

    def _check_names(self, name: str, exchange: Exchange) -> None:
        """Names that the description does not know are a client's slips, which GitHub would ignore."""
        operation = self._operation(exchange)
        given = [self._follow(one) for one in operation.get("parameters", [])]
        known = {one["name"] for one in given if one["in"] == "query"}
        for unknown in exchange.query.keys() - known - QUERY.keys():
            self.violations.append(f"{name}: unknown query parameter {unknown}")
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if exchange.request_body and content:
            body = json.loads(exchange.request_body)
            for problem in self._strangers(body, content["schema"], "body"):
                self.violations.append(f"{name}: {problem}")

    def _follow(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            _, _, kind, key = value["$ref"].split("/")
            value = self.description["components"][kind][key]
        return value

    def _strangers(self, value: Any, schema: dict[str, Any], at: str) -> list[str]:
        schema = self._follow(schema)
        if isinstance(value, list) and "items" in schema:
            return [
                problem
                for one in value
                for problem in self._strangers(one, schema["items"], f"{at}[]")
            ]
        known = schema.get("properties")
        if (
            not isinstance(value, dict)
            or not known
            or any(key in schema for key in ("anyOf", "oneOf", "allOf"))
        ):
            return []
        found = [f"unknown field {at}.{key}" for key in value.keys() - known.keys()]
        for key in value.keys() & known.keys():
            found += self._strangers(value[key], known[key], f"{at}.{key}")
        return found


@cache
def shared() -> Contract:
    """The one that all tests of a process use, one after the other; it remembers what it has judged already."""
    return Contract()


def explain(problem: BaseException) -> str:
    """The whole chain of causes, with the places in the document."""
    lines, at = [str(problem) or type(problem).__name__], problem
    while at.__cause__ is not None:
        at = at.__cause__
        lines.append(str(at)[:300])
    errors = getattr(at, "schema_errors", None) or getattr(problem, "schema_errors", None) or ()
    for error in errors:
        where = ".".join(str(part) for part in error.absolute_path)
        lines.append(f"at {where}: {error.message[:300]}")
        for inner in (error.context or ())[:6]:
            place = ".".join(str(part) for part in inner.absolute_path)
            lines.append(f"  {place}: {inner.message[:200]}")
    return "\n    ".join(lines)
