"""The lines on which GitHub takes a comment: those of its own diff, which shows three lines around a change.

A comment's range must lie in one hunk and on one side. What lies a little outside is put at the nearest line that
can carry it, and says which lines it is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from claude_pool_gh.findings.model import Finding

NEAR: Final = 10
"""Lines between a finding and a hunk that a reader still sees together."""

Hunk = tuple[int, int, int, int]
"""First and last line before the change, first and last line after it; last < first where there is none."""

Shown = Mapping[str, Sequence[Sequence[int]]]
"""The hunks of each changed file, as JSON gives them back."""


@dataclass(frozen=True, slots=True)
class Spot:
    """The lines of a diff that a comment stands on."""

    path: str
    side: Literal["LEFT", "RIGHT"]
    start: int
    line: int
    exact: bool
    """Whether these are all the finding's lines and no others."""


def spot(finding: Finding, shown: Shown) -> Spot | None:
    """The lines nearest to a finding on which GitHub takes a comment; None where its hunks are far away."""
    at = 0 if finding.side == "LEFT" else 2
    ranges = [
        (hunk[at], hunk[at + 1]) for hunk in shown.get(finding.path, ()) if hunk[at] <= hunk[at + 1]
    ]
    if not ranges:
        return None
    first, last = max(ranges, key=lambda each: (_shared(finding, *each), -_gap(finding, *each)))
    if _gap(finding, first, last) > NEAR:
        return None
    start, line = min(max(finding.start_line, first), last), max(min(finding.end_line, last), first)
    exact = (start, line) == (finding.start_line, finding.end_line)
    return Spot(finding.path, finding.side, start, line, exact)


def _shared(finding: Finding, first: int, last: int) -> int:
    """Lines that a finding and a hunk have in common."""
    return max(0, min(finding.end_line, last) - max(finding.start_line, first) + 1)


def _gap(finding: Finding, first: int, last: int) -> int:
    """Lines from a finding to a hunk; 0 where they meet."""
    return max(0, first - finding.end_line, finding.start_line - last)
