"""Holds documents and answers of the GraphQL API to GitHub's own schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from graphql.error import GraphQLSyntaxError

SCHEMA = Path(__file__).parent / "github.graphql"


def by_its_name(source: Mapping[str, Any], info: GraphQLResolveInfo[None], **_: Any) -> Any:
    """A field of an answer, which stands there under the name that the document gives it."""
    return source.get(str(info.path.key))


@dataclass(frozen=True)
class GraphQLContract:
    """The schema, as a judge of one exchange at a time."""

    schema: GraphQLSchema = field(default_factory=lambda: build_schema(SCHEMA.read_text()))
    _judged: dict[str, tuple[DocumentNode, list[str]]] = field(default_factory=dict)
    """Documents with what is wrong with them: the bot has few, and to judge one takes longer than all else."""

    def violations(self, request: bytes, response: bytes) -> list[str]:
        """What is wrong with a document, its variables or its answer."""
        asked, answered = json.loads(request), json.loads(response)
        try:
            document, problems = self._judge(asked["query"])
        except GraphQLSyntaxError as problem:
            return [f"the document cannot be read: {problem}"]
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
        return [problem.message for problem in read.errors or ()] or (
            [] if read.data == answered["data"] else ["the answer holds what was not asked for"]
        )

    def _judge(self, text: str) -> tuple[DocumentNode, list[str]]:
        if text not in self._judged:
            document = parse(text)
            found = [problem.message for problem in validate(self.schema, document)]
            self._judged[text] = document, found
        return self._judged[text]
