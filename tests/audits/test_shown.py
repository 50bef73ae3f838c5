"""A secret that a finding names costs its own text: never the report, and it stands in none."""

from __future__ import annotations

import pytest

from claude_pool_gh.audits.model import UnsettledClaim
from claude_pool_gh.audits.outputs import html, issue, json, markdown, sarif
from claude_pool_gh.audits.shown import without_secrets
from claude_pool_gh.conversation.secret_filter import without_secrets as screen
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.sarif import Sarif
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import HOME, defect, issue_of, result

KEY = "sk_live_" + "x1Y" * 8
FORMS = {"plain": KEY, "an entity": KEY.replace("_", "&#95;")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("where", ["title", "body", "scenario", "evidence", "suggestion"])
def test_a_secret_in_a_finding_costs_its_text_and_no_report(where: str, form: str) -> None:
    told = f"it has {FORMS[form]} here"
    claim = UnsettledClaim(
        title=told, path="a.py", line=1, severity=Severity.high, reason=f"see {told}"
    )
    bad = defect(1, stated={where: told})
    whole = result(bad, defect(2), unsettled=(claim,))
    shown = without_secrets(whole)
    outputs = [
        html.document(shown),
        markdown.document(shown),
        json.document(shown),
        issue_of(shown, HOME, None),
        sarif.document(shown, sarif.rules_of(shown, "defects")),
    ]
    assert not any(FORMS[form] in text for text in outputs)
    assert told in [getattr(bad.finding, where), claim.title], "the control"
    report = ReportIssue(title=issue.title("defects"), body=outputs[3])
    assert screen(Redactor())(report) == report
    upload = Sarif(
        commit="a" * 40,
        ref="refs/heads/main",
        tool="t",
        category="c",
        document=outputs[4],
        made_ms=1,
    )
    assert screen(Redactor())(upload) == upload


def test_what_holds_none_is_as_it_was() -> None:
    whole = result(defect(1), defect(2))
    assert without_secrets(whole) == whole
