"""The checker of the GraphQL API finds what it is there to find."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_pool_gh.github.effects.threads import RESOLVE, THREADS, UNRESOLVE
from tests.rehearsal.contract.graphql import GraphQLContract

GIVEN = {"owner": "octo", "name": "widgets", "number": 3, "after": None}
THREAD = {"id": "T", "isResolved": False, "comments": {"nodes": [{"fullDatabaseId": "5000000000"}]}}
PAGE = {"hasNextPage": False, "endCursor": None}


def answer(thread: Any = THREAD, page: Any = PAGE) -> dict[str, Any]:
    return {"repository": {"pullRequest": {"reviewThreads": {"nodes": [thread], "pageInfo": page}}}}


def complaints(document: str, variables: Any, answered: Any) -> list[str]:
    asked = json.dumps({"query": document, "variables": variables}).encode()
    contract, answer = GraphQLContract(), json.dumps(answered).encode()
    found = contract.violations(asked, answer)
    assert contract.violations(asked, answer) == found, (
        "a document that it knows is judged the same"
    )
    return found


def test_true_exchanges_pass() -> None:
    assert complaints(THREADS, GIVEN, {"data": answer()}) == []
    resolved = {"resolveReviewThread": {"thread": {"isResolved": True}}}
    assert complaints(RESOLVE, {"thread": "T"}, {"data": resolved}) == []
    opened = {"unresolveReviewThread": {"thread": {"isResolved": False}}}
    assert complaints(UNRESOLVE, {"thread": "T"}, {"data": opened}) == []
    assert (
        complaints(
            THREADS, GIVEN, {"data": None, "errors": [{"type": "NOT_FOUND", "message": "no"}]}
        )
        == []
    )


@pytest.mark.parametrize(
    ("document", "variables", "answered"),
    [
        ("query {", {}, {"data": {}}),
        (THREADS.replace("isResolved", "isSolved"), GIVEN, {"data": answer()}),
        (THREADS.replace("$number: Int!", "$number: String!"), GIVEN, {"data": answer()}),
        (THREADS, GIVEN | {"number": "three"}, {"data": answer()}),
        (THREADS, {"owner": "octo"}, {"data": answer()}),
        (THREADS, GIVEN, {"data": answer(page={"endCursor": None})}),
        (THREADS, GIVEN, {"data": answer({**THREAD, "isResolved": "perhaps"})}),
        (THREADS, GIVEN, {"data": answer({**THREAD, "path": "not/asked"})}),
        (THREADS, GIVEN, {"data": None}),
    ],
)
def test_what_the_schema_does_not_know_is_found(
    document: str, variables: Any, answered: Any
) -> None:
    assert complaints(document, variables, answered)
