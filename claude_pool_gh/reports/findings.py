"""Findings as Markdown: inline comments, the review's body, lists."""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports.neutralize import fence, neutralize, neutralize_line, summary
from claude_pool_gh.reports.views import Reviewed
from claude_pool_gh.reports.words import count, fitting, fold, place, title
from claude_pool_gh.terms.markdown import SafeMarkdown


def inline(finding: Finding) -> SafeMarkdown:
    """The body of an inline comment: what is wrong, the case that shows it, and a suggestion where one applies."""
    return _shown(finding, f"`{_id(finding)}` · reply with `/pool fix` or `/pool dismiss REASON`")


def _id(finding: Finding) -> str:
    return fingerprint(finding)[:8]


def _shown(finding: Finding, foot: str) -> SafeMarkdown:
    parts = [
        f"**{title(finding)}** *({finding.severity}, {finding.category})*",
        neutralize(finding.body, 2_500),
        f"**When it goes wrong:** {neutralize_line(finding.scenario, 600)}",
    ]
    if finding.suggestion is not None:
        # The one place where text of an agent's is alive: the host checked that it replaces the quoted lines only.
        parts.append(fence(finding.suggestion, "suggestion"))
    parts.append(f"<sub>{foot}</sub>")
    return fitting("\n\n".join(parts))


def review_body(reviewed: Reviewed, head: str) -> SafeMarkdown:
    """The review's own text, above its inline comments."""
    total, files = len(reviewed.new), count(reviewed.files, "file")
    parts = [f"{count(total, 'finding')} in {files} read at `{head[:9]}`, each confirmed by a second run."]
    parts += _further(reviewed)
    return fitting("\n\n".join(parts))


def whole(reviewed: Reviewed, head: str) -> SafeMarkdown:
    """Every finding in one text, for when none can stand at its line."""
    parts = [f"{count(len(reviewed.new), 'finding')} at `{head[:9]}`:", listed(reviewed.inline)]
    return fitting("\n\n".join([*parts, *_further(reviewed)]))


def listed(findings: Sequence[Finding]) -> str:
    """Findings one below the other, folded."""
    return "\n".join(
        fold(
            f"{finding.severity}: {summary(finding.title)}",
            f"{place(finding)}\n\n{inline_without_suggestion(finding)}",
        )
        for finding in findings
    )


def inline_without_suggestion(finding: Finding) -> SafeMarkdown:
    """A finding in a text that nobody can reply to: without its suggestion, with its ID in the commands."""
    mark = _id(finding)
    foot = f"`/pool fix {mark}` or `/pool dismiss {mark} REASON`"
    return _shown(finding.model_copy(update={"suggestion": None}), foot)


def _further(reviewed: Reviewed) -> list[str]:
    parts = []
    if reviewed.more:
        parts.append(fold(f"{len(reviewed.more)} more in the diff", listed(reviewed.more)))
    if reviewed.outside:
        parts.append(fold(f"{len(reviewed.outside)} outside the diff", listed(reviewed.outside)))
    return parts
