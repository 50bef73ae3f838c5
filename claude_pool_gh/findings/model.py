"""A finding as an agent states it, and a verdict on one. The models also give the JSON Schemas for agents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from claude_pool_gh.terms.severity import Severity

Short = Annotated[str, Field(min_length=1, max_length=200)]
EVIDENCE_LIMIT: Final = 4000
Long = Annotated[str, Field(min_length=1, max_length=EVIDENCE_LIMIT)]


class StatedModel(BaseModel):
    """Base of what agents state: closed, so that a misspelt field is an error and not a loss.

    A text over its limit is cut to that: a mark in the place of a secret is longer than some secrets, and what an
    earlier job has kept must be readable in a later one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    only_whole: ClassVar[frozenset[str]] = frozenset()
    """Fields that say nothing where they are cut: such a one is left out."""

    @model_validator(mode="before")
    @classmethod
    def _cut(cls, stated: Any) -> Any:
        if not isinstance(stated, dict):
            return stated
        return {name: cls._fitting(name, value) for name, value in stated.items()}

    @classmethod
    def _fitting(cls, name: str, value: Any) -> Any:
        field = cls.model_fields.get(name)
        if field is None or not isinstance(value, str):
            return value
        limits = [most for each in field.metadata if (most := getattr(each, "max_length", 0))]
        if not limits or len(value) <= limits[-1]:
            return value
        return None if name in cls.only_whole else value[: limits[-1]]


class Category(StrEnum):
    """The kind of harm that a finding does."""

    correctness = "correctness"
    security = "security"
    concurrency = "concurrency"
    performance = "performance"
    data_loss = "data-loss"
    compatibility = "compatibility"


class Claim(StatedModel):
    """One asserted defect, as an agent states it."""

    only_whole: ClassVar[frozenset[str]] = frozenset({"path", "suggestion", "restates"})

    path: Annotated[
        str, Field(min_length=1, max_length=500, description="File, from the repository's root")
    ]
    start_line: Annotated[
        int, Field(ge=1, description="First line of the evidence in the file at the head")
    ]
    end_line: Annotated[int, Field(ge=1)]
    side: Annotated[
        Literal["RIGHT", "LEFT"],
        Field(description="RIGHT: the file at the head. LEFT: a deleted line"),
    ] = "RIGHT"
    severity: Severity
    category: Category
    title: Annotated[Short, Field(description="The defect in one sentence, without the path")]
    body: Annotated[Long, Field(description="Why it is wrong, for someone who knows the code")]
    scenario: Annotated[
        Short,
        Field(
            max_length=600, description="Concrete input or sequence -> the wrong result it gives"
        ),
    ]
    evidence: Annotated[
        Long, Field(description="The lines at fault, verbatim as they stand in the file")
    ]
    confidence: Annotated[float, Field(ge=0, le=1)]
    suggestion: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="Replacement for exactly the evidence lines, only if surely right",
        ),
    ] = None
    restates: Annotated[
        str | None,
        Field(
            max_length=64, description="The name of the known finding that this is, where it is one"
        ),
    ] = None


class Finding(Claim):
    """One asserted defect, with what the host knows of its place. Agents never state these fields."""

    path: Annotated[str, Field(min_length=1)]
    within: str | None = None
    """The definitions around it, outermost first; None where they are not known, as in older rows."""
    nth: Annotated[int, Field(ge=1)] = 1
    """Which of the places with the same code in the same definition it is."""
    code_digest: Annotated[str, Field(max_length=20)] = ""
    """Of its lines as the file has them, since they may be kept without the secrets in them; "" in older rows."""
    within_digest: Annotated[str, Field(max_length=20)] = ""
    """Of the definitions around it, for the same reason."""
    title_digest: Annotated[str, Field(max_length=20)] = ""
    """Of its title as it was stated, for the same reason."""
    mark: Annotated[str, Field(max_length=20)] = ""
    """The name that it keeps although its place or code has changed; "" where its fingerprint is its name."""


class Findings(StatedModel):
    """The findings of one agent; an empty list is a good answer. How many there may be is the host's own decision."""

    findings: tuple[Claim, ...]


class NewPlace(StatedModel):
    """The present place of code that moved or changed."""

    path: Annotated[str, Field(min_length=1, max_length=500)]
    start_line: Annotated[int, Field(ge=1)]
    end_line: Annotated[int, Field(ge=1)]
    evidence: Annotated[
        Long, Field(description="The lines at fault now, verbatim as they stand in the file")
    ]


class Judgement(StatedModel):
    """A second agent's word on one claim, or on one finding whose code has changed since it was reported.

    The fields with a default are demanded of agents too; the defaults read what older recipes made them answer.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["verdict", "introduced", "severity", "suggestion", "reason"]
        }
    )

    verdict: Annotated[
        Literal["confirmed", "refuted", "unsure", "still", "fixed"],
        Field(
            description="Of a claim: confirmed, refuted or unsure. Of a known finding: still, fixed or unsure"
        ),
    ]
    introduced: Annotated[
        bool,
        Field(
            description="Whether this change introduces or exposes it; false: it was there before"
        ),
    ] = True
    severity: Annotated[
        Severity | None, Field(description="How bad it is where it is true, by your own reading")
    ] = None
    suggestion: Annotated[
        Literal["fixes", "wrong", "none"],
        Field(
            description="Whether the suggestion, committed as it is, fixes the whole defect; none: there is none"
        ),
    ] = "none"
    reason: Annotated[
        Short, Field(max_length=600, description="What in the code decides it, with file and line")
    ]
    place: Annotated[
        NewPlace | None, Field(description="Only with `still`: where the defect stands now")
    ] = None


def output_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas by the names that recipes use."""
    return {"findings": Findings.model_json_schema(), "judgement": Judgement.model_json_schema()}
