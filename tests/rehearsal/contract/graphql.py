"""Holds documents and answers of the GraphQL API to GitHub's own schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from graphql import GraphQLSchema, build_schema, execute_sync, parse, validate
from graphql.error import GraphQLSyntaxError

SCHEMA = Path(__file__).parent / "github.graphql"


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
            return problems + ([] if problems or answered.get("errors") else ["neither data nor errors"])
        # The schema itself reads the answer: every field that was asked for must be there, of its type.
        given = asked.get("variables") or {}
        read = execute_sync(self.schema, document, answered["data"], variable_values=given)
        problems += [problem.message for problem in read.errors or ()]
        return problems or (
            [] if read.data == answered["data"] else ["the answer holds what was not asked for"]
        )
