"""Findings as Markdown: inline comments, the review's body, lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports.neutralize import fence, neutralize, neutralize_line, summary
from claude_pool_gh.reports.redact import blanked
from claude_pool_gh.reports.views import ReviewReport
from claude_pool_gh.reports.words import count, fitting, fold, place, title
from claude_pool_gh.terms.markdown import SafeMarkdown

Linked = Callable[[Finding], str]
"""Gives the page of the file that a finding is about."""


def inline(finding: Finding, about: SafeMarkdown | None = None) -> SafeMarkdown:
    """The body of an inline comment: what is wrong, the case that shows it, and a suggestion where one applies.

    `about` names the lines that are meant, where the comment stands at others.
    """
    advice = "reply with `/pool fix` or `/pool dismiss REASON`"
    return _body(finding, about, finding.suggestion if about is None else None, advice)


def _body(
    finding: Finding, about: SafeMarkdown | None, suggestion: str | None, advice: str
) -> SafeMarkdown:
    parts = [f"**{title(finding)}** *({finding.severity}, {finding.category})*"]
    parts += [f"This is about {about}."] if about is not None else []
    parts += [
        neutralize(finding.body, 2_500),
        f"**When it goes wrong:** {neutralize_line(finding.scenario, 600)}",
    ]
    if suggestion is not None and blanked(suggestion) == suggestion:
        # The one place where text of an agent's is alive: the host checked that it replaces the quoted lines only.
        parts.append(fence(suggestion, "suggestion"))
    parts.append(f"<sub>`{_short(finding)}` · {advice}</sub>")
    return fitting("\n\n".join(parts))


def _short(finding: Finding) -> str:
    """The ID that people copy."""
    return fingerprint(finding)[:8]


def lines_link(finding: Finding, page: str) -> SafeMarkdown:
    """A finding's lines as a link to them. `page` is the host's: the file at the commit that has these lines."""
    lines = f"L{finding.start_line}"
    if finding.end_line > finding.start_line:
        lines += f"-L{finding.end_line}"
    removed = ", in the file before the change" if finding.side == "LEFT" else ""
    return SafeMarkdown(f"[{place(finding)}]({page}#{lines}){removed}")


def review_body(reviewed: ReviewReport, head: str, link: Linked | None = None) -> SafeMarkdown:
    """The review's own text, above its inline comments."""
    total = len(reviewed.new)
    files = count(reviewed.files, "file")
    parts = [
        f"{count(total, 'finding')} in {files} read at `{head[:9]}`, each confirmed by a second run."
    ]
    parts += _further(reviewed, link)
    return fitting("\n\n".join(parts))


def whole(reviewed: ReviewReport, head: str, link: Linked | None = None) -> SafeMarkdown:
    """Every finding in one text, for when none can stand at its line."""
    parts = [
        f"{count(len(reviewed.new), 'finding')} at `{head[:9]}`:",
        listed(reviewed.inline, link),
    ]
    return fitting("\n\n".join([*parts, *_further(reviewed, link)]))


def listed(findings: Sequence[Finding], link: Linked | None = None) -> SafeMarkdown:
    """Findings one below the other, folded. `link` gives the page of a finding's file."""
    return SafeMarkdown("\n".join(one_listed(finding, link) for finding in findings))


def one_listed(finding: Finding, link: Linked | None = None) -> SafeMarkdown:
    """A finding where no reply can stand under it: the commands that it offers name it."""
    where = place(finding) if link is None else lines_link(finding, link(finding))
    short = _short(finding)
    advice = f"comment `/pool fix {short}` or `/pool dismiss {short} REASON`"
    heading = f"{finding.severity}: {summary(finding.title)}"
    return SafeMarkdown(fold(heading, f"{where}\n\n{_body(finding, None, None, advice)}"))


def _further(reviewed: ReviewReport, link: Linked | None) -> list[str]:
    parts = []
    if reviewed.more:
        parts.append(fold(f"{len(reviewed.more)} more in the diff", listed(reviewed.more, link)))
    if reviewed.outside:
        parts.append(
            fold(f"{len(reviewed.outside)} outside the diff", listed(reviewed.outside, link))
        )
    return parts
