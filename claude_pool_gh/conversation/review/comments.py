"""A review as GitHub is asked for it: each finding at the lines nearest to it that can carry a comment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.spots import Shown, spot
from claude_pool_gh.github.effects.review import InlineComment, Review
from claude_pool_gh.reports import findings as words
from claude_pool_gh.reports.views import ReviewReport
from claude_pool_gh.terms.links import Links


def review_of(
    links: Links, facts: ReviewFacts, brief: Mapping[str, Any], reviewed: ReviewReport
) -> Review:
    """The review with its inline comments, and its text for when GitHub takes none of them."""

    def link(finding: Finding) -> str:
        left = finding.side == "LEFT"
        path = brief["renamed"].get(finding.path, finding.path) if left else finding.path
        commit = brief["merge_base"] if left else facts.head
        return f"{links.server}/{facts.thread.repository.full_name}/blob/{commit}/{quote(path)}"

    comments = (comment_on(finding, facts.key, brief["hunks"], link) for finding in reviewed.inline)
    return Review(
        number=facts.thread.number,
        commit=facts.head,
        base=brief["merge_base"],
        body=words.review_body(reviewed, facts.head, link),
        comments=tuple(comment for comment in comments if comment is not None),
        fallback=words.whole(reviewed, facts.head, link),
    )


def comment_on(
    finding: Finding, thread: str, shown: Shown, link: words.Linked
) -> InlineComment | None:
    """The inline comment of a finding; None where GitHub shows nothing near its lines."""
    at = spot(finding, shown)
    if at is None:
        return None
    about = None if at.exact else words.lines_link(finding, link(finding))
    return InlineComment(
        path=at.path,
        line=at.line,
        start_line=at.start if at.start < at.line else None,
        side=at.side,
        body=words.inline(finding, about),
        listed=words.one_listed(finding, link),
        mark=tables.mark_of(thread, fingerprint(finding)),
    )
