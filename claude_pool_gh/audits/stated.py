"""The answers of an audit's agents, as the host reads them: a faulty claim costs that claim and no other. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, ValidationError

from claude_pool_gh.audits.rules import KINDS, RULES
from claude_pool_gh.findings.model import Claim, Finding, Long, NewPlace, Short, StatedModel
from claude_pool_gh.terms.severity import Severity

MOST_OF_ONE: Final = 25
"""Claims of one shard that are looked at, the worst of them; the others are counted."""
_READ_AT_MOST: Final = 1_000
"""Claims of one shard that are parsed at all."""


class StatedClaim(StatedModel):
    """One asserted fault, as the agent of a shard states it."""

    only_whole: ClassVar[frozenset[str]] = frozenset({"path", "suggestion"})
    rule: Annotated[str, Field(description="Which of the audit's rules it breaks")]
    path: Annotated[
        str, Field(min_length=1, max_length=500, description="File, from the repository's root")
    ]
    start_line: Annotated[int, Field(ge=1, description="First line of the evidence in the file")]
    end_line: Annotated[int, Field(ge=1)]
    severity: Severity
    title: Annotated[Short, Field(description="The fault in one sentence, without the path")]
    body: Annotated[Long, Field(description="Why it is wrong, for someone who knows the code")]
    scenario: Annotated[
        Short,
        Field(max_length=600, description="Concrete input or sequence -> what goes wrong"),
    ]
    evidence: Annotated[Long, Field(description="The lines at fault, verbatim as in the file")]
    confidence: Annotated[float, Field(ge=0, le=1)]
    suggestion: Annotated[
        str | None,
        Field(
            max_length=4000,
            description="Replacement for exactly the evidence lines, only if surely right",
        ),
    ] = None


class StatedClaims(StatedModel):
    """The claims that the agent of a shard found; an empty list is a good answer."""

    findings: tuple[StatedClaim, ...]


class StatedJudgement(StatedModel):
    """A second agent's word on one claim, or on one finding whose code has changed since it was reported."""

    verdict: Annotated[
        Literal["confirmed", "refuted", "unsure", "still", "fixed"],
        Field(
            description="Of a claim: confirmed, refuted or unsure. Of a known finding: still, fixed or unsure"
        ),
    ]
    severity: Annotated[
        Severity, Field(description="How bad it is where it is true, by your own reading")
    ]
    suggestion: Annotated[
        Literal["fixes", "wrong", "none"],
        Field(
            description="Whether the suggestion, committed as it is, fixes the whole fault; none: there is none"
        ),
    ]
    reason: Annotated[
        Short, Field(max_length=600, description="What in the code decides it, with file and line")
    ]
    place: Annotated[
        NewPlace | None, Field(description="Only with `still`: where the fault stands now")
    ] = None


class StatedGroup(StatedModel):
    """Claims that are one and the same fault."""

    ids: Annotated[tuple[Short, ...], Field(min_length=2, description="Their ids, as listed")]
    reason: Annotated[Short, Field(max_length=600, description="The one cause, with file and line")]


class StatedMerge(StatedModel):
    """The answer of a judge on claims that look alike; no group is a good answer."""

    same: tuple[StatedGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClaim:
    """A claim that has the form asked for."""

    rule: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClaims:
    """The claims that are taken from the answer of one shard."""

    claims: tuple[ReadClaim, ...] = ()
    stated: int = 0
    """Claims in the answer."""
    malformed: int = 0
    beyond: int = 0
    """Claims over the number that one shard may make."""


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schemas by the names that recipes use: `audit-KIND` for each kind of audit, and those of second readers."""
    return {f"audit-{kind}": schema_of(kind) for kind in KINDS} | {
        "audit-merge": StatedMerge.model_json_schema(),
        "audit-judgement": StatedJudgement.model_json_schema(),
    }


def schema_of(kind: str) -> dict[str, Any]:
    """The form of a shard's answer, with the rules of one kind of audit and no others."""
    schema = StatedClaims.model_json_schema()
    rule = schema["$defs"]["StatedClaim"]["properties"]["rule"]
    rule["enum"] = [each.id for each in KINDS[kind]]
    return schema


def is_typed(task: Mapping[str, Any]) -> bool:
    """True where a shard's answer has the form asked for, whatever each claim in it looks like."""
    said = task.get("structured")
    return isinstance(said, Mapping) and isinstance(said.get("findings"), list)


def claims_of(task: Mapping[str, Any], kind: str) -> ReadClaims:
    """The claims that one shard's agent stated, the worst first and as many as one shard may."""
    if not is_typed(task):
        return ReadClaims()
    said: Sequence[Any] = task["structured"]["findings"]
    allowed = {rule.id for rule in KINDS[kind]}
    read: list[ReadClaim] = []
    malformed = 0
    for each in said[:_READ_AT_MOST]:
        try:
            claim = StatedClaim.model_validate(each)
        except ValidationError:
            malformed += 1
            continue
        if claim.rule in allowed:
            read.append(ReadClaim(rule=claim.rule, finding=_finding(claim)))
        else:
            malformed += 1
    read.sort(key=lambda each: (-each.finding.severity.rank, -each.finding.confidence))
    kept = read[:MOST_OF_ONE]
    return ReadClaims(
        claims=tuple(kept),
        stated=len(said),
        malformed=malformed,
        beyond=len(said) - malformed - len(kept),
    )


def _finding(claim: StatedClaim) -> Finding:
    fields = claim.model_dump(exclude={"rule"})
    own = Claim(**fields, category=RULES[claim.rule].category)
    return Finding.model_validate(own.model_dump())
