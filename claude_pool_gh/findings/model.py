"""A finding as an agent states it, and a verdict on one. The models also give the JSON Schemas for agents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from claude_pool_gh.terms.severity import Severity

Short = Annotated[str, Field(min_length=1, max_length=200)]
Long = Annotated[str, Field(min_length=1, max_length=4000)]


class Stated(BaseModel):
    """Base of what agents state: closed, so that a misspelt field is an error and not a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Category(StrEnum):
    """What kind of harm a finding does."""

    correctness = "correctness"
    security = "security"
    concurrency = "concurrency"
    performance = "performance"
    data_loss = "data-loss"
    compatibility = "compatibility"


class Finding(Stated):
    """One asserted defect."""

    path: Annotated[str, Field(min_length=1, max_length=500, description="File, from the repository's root")]
    start_line: Annotated[int, Field(ge=1, description="First line of the evidence in the file at the head")]
    end_line: Annotated[int, Field(ge=1)]
    side: Annotated[
        Literal["RIGHT", "LEFT"], Field(description="RIGHT: the file at the head. LEFT: a deleted line")
    ] = "RIGHT"
    severity: Severity
    category: Category
    title: Annotated[Short, Field(description="The defect in one sentence, without the path")]
    body: Annotated[Long, Field(description="Why it is wrong, for someone who knows the code")]
    scenario: Annotated[
        Short, Field(max_length=600, description="Concrete input or sequence -> the wrong result it gives")
    ]
    evidence: Annotated[Long, Field(description="The lines at fault, verbatim as they stand in the file")]
    confidence: Annotated[float, Field(ge=0, le=1)]
    suggestion: Annotated[
        str | None,
        Field(
            max_length=4000, description="Replacement for exactly the evidence lines, only if surely right"
        ),
    ] = None


class Findings(Stated):
    """What one agent found; an empty list is a good answer."""

    findings: Annotated[tuple[Finding, ...], Field(max_length=30)]


class Judgement(Stated):
    """A second agent's word on one finding."""

    verdict: Literal["confirmed", "refuted", "unsure"]
    reason: Annotated[Short, Field(max_length=600, description="What in the code decides it")]


def output_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas by the names that recipes use."""
    return {"findings": Findings.model_json_schema(), "judgement": Judgement.model_json_schema()}
