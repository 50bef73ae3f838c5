"""Forms of answers that every verb's recipe may name; a verb's own form stands with the verb."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from claude_pool_gh.findings.model import StatedModel


class StatedPlace(StatedModel):
    """Lines that show something."""

    path: Annotated[
        str, Field(min_length=1, max_length=500, description="From the repository's root")
    ]
    start_line: Annotated[int, Field(ge=1)]
    end_line: Annotated[int, Field(ge=1)]


class StatedAnswer(StatedModel):
    """An answer to a question."""

    answer: Annotated[
        str, Field(min_length=1, max_length=12_000, description="Markdown, at most fifteen lines")
    ]
    places: Annotated[tuple[StatedPlace, ...], Field(max_length=8)] = ()


class StatedDescription(StatedModel):
    """Title and text of a pull request."""

    title: Annotated[str, Field(min_length=1, max_length=100)]
    body: Annotated[str, Field(max_length=6_000)]


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas by the names that recipes use."""
    return {
        "answer": StatedAnswer.model_json_schema(),
        "description": StatedDescription.model_json_schema(),
    }
