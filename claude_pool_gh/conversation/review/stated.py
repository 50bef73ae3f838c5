"""An agent's claims, read forgivingly: one of another form costs that claim, not the others. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from claude_pool_gh.findings.identity import with_title_digest
from claude_pool_gh.findings.model import Claim, Finding
from claude_pool_gh.reports.redact import cleared
from claude_pool_gh.reports.views import Remark
from claude_pool_gh.terms.severity import Severity

MOST_STATED: Final = 30
"""Claims of one agent that are looked at; the others are named."""


@dataclass(frozen=True, slots=True)
class ParsedClaims:
    """The claims of one agent, and what could not be taken from its answer."""

    claims: tuple[Finding, ...] = ()
    lost: tuple[Remark, ...] = ()


def is_typed(task: Mapping[str, Any]) -> bool:
    """True where a finder's answer has the form asked for, whatever each claim in it looks like."""
    said = task.get("structured")
    return isinstance(said, Mapping) and isinstance(said.get("findings"), list)


def stated_by(task: Mapping[str, Any]) -> ParsedClaims:
    """The claims of one agent, however its run ended. The worst of them where they are too many."""
    if not is_typed(task):
        return ParsedClaims()
    claims: list[Finding] = []
    lost: list[Remark] = []
    for each in task["structured"]["findings"]:
        try:
            claims.append(_cleared(Claim.model_validate(each)))
        except ValidationError as error:
            lost.append(_malformed(each, error))
    claims.sort(key=lambda each: (-each.severity.rank, -each.confidence))
    lost += [remark(each, _TOO_MANY) for each in claims[MOST_STATED:]]
    return ParsedClaims(tuple(claims[:MOST_STATED]), tuple(lost))


def _cleared(claim: Claim) -> Finding:
    """The claim as it is told of. Its quote is held against the files as it is, and is in no post."""
    words = {name: cleared(getattr(claim, name)) for name in ("title", "body", "scenario")}
    stated = with_title_digest(Finding.model_validate(claim.model_dump()))
    return Finding.model_validate(stated.model_dump() | words)


_TOO_MANY: Final = f"one reader stated more than {MOST_STATED} claims, which is our limit"


def remark(finding: Finding, reason: str) -> Remark:
    """A claim as it is named where it is no finding."""
    return Remark(
        title=finding.title,
        path=finding.path,
        line=finding.start_line,
        severity=finding.severity,
        reason=cleared(reason),
    )


def _malformed(stated: Any, error: ValidationError) -> Remark:
    given = stated if isinstance(stated, Mapping) else {}
    severity = given.get("severity")
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"])) or "the claim"
    return Remark(
        title=cleared(str(given.get("title") or "a claim without a title"))[:200],
        path=str(given.get("path") or "")[:500],
        severity=Severity(severity) if severity in list(Severity) else None,
        reason=f"not of the form asked for: {field}: {first['msg']}",
    )
