"""Holds documents and answers of the GraphQL API to GitHub's own schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import GraphQLResolveInfo, GraphQLSchema, build_schema, execute_sync, parse, validate
from graphql.error import GraphQLSyntaxError

SCHEMA = Path(__file__).parent / "github.graphql"


def by_its_name(source: Mapping[str, Any], info: GraphQLResolveInfo[None], **_: Any) -> Any:
    """A field of an answer, which stands there under the name that the document gives it."""
    return source.get(str(info.path.key))


@dataclass(frozen=True)
class GraphQLContract:
    """The schema, as a judge of one exchange at a time."""

    schema: GraphQLSchema = field(default_factory=lambda: build_schema(SCHEMA.read_text()))

    def violations(self, request: bytes, response: bytes) -> list[str]:
        """What is wrong with a document, its variables or its answer."""
        asked, answered = json.loads(request), json.loads(response)
        try:
            document = parse(asked["query"])
        except GraphQLSyntaxError as problem:
            return [f"the document cannot be read: {problem}"]
        problems = [problem.message for problem in validate(self.schema, document)]
        if problems or answered.get("data") is None:
            return problems + (
                [] if problems or answered.get("errors") else ["neither data nor errors"]
            )
        # The schema itself reads the answer: every field that was asked for must be there, of its type.
        given = asked.get("variables") or {}
        read = execute_sync(
            self.schema,
            document,
            answered["data"],
            variable_values=given,
            field_resolver=by_its_name,
        )
        problems += [problem.message for problem in read.errors or ()]
        return problems or (
            [] if read.data == answered["data"] else ["the answer holds what was not asked for"]
        )
