"""Takes secrets out of an audit's result before anything is made of it: one text costs itself, and no whole report."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from claude_pool_gh.audits.model import AuditFinding, AuditResult, UnsettledClaim
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports.redact import cleared

_TEXTS: Final = ("title", "body", "scenario", "evidence", "suggestion")


def without_secrets(result: AuditResult) -> AuditResult:
    """The result with none in any text that an agent or a person has written."""
    return replace(
        result,
        findings=tuple(map(_finding, result.findings)),
        unsettled=tuple(map(_claim, result.unsettled)),
    )


def _finding(each: AuditFinding) -> AuditFinding:
    return replace(
        each,
        finding=_stated(each.finding),
        also=tuple(map(_stated, each.also)),
        reason=cleared(each.reason),
    )


def _stated(finding: Finding) -> Finding:
    texts = {name: getattr(finding, name) for name in _TEXTS}
    shown: dict[str, str | None] = {
        name: None if text is None else cleared(text) for name, text in texts.items()
    }
    if shown["suggestion"] != texts["suggestion"]:
        shown["suggestion"] = None  # nobody can take it without that
    return finding.model_copy(update=shown)


def _claim(each: UnsettledClaim) -> UnsettledClaim:
    return replace(each, title=cleared(each.title), reason=cleared(each.reason))
