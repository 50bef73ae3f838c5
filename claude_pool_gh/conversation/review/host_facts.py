"""The host's own words to the finder, outside the fence of material: each fact on a line of its own, quoted. Pure.

Their words are still those of agents, maintainers and strangers, so each is one quoted line: none can look like
another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from claude_pool_gh.conversation.review.earlier import EarlierFindings
from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.tables import KnownFinding
from claude_pool_gh.reports.visible import visible_text

_KNOWN_TOLD: Final = 30
_CHECKS_TOLD: Final = 10
_LINELESS_TOLD: Final = 100
_NAME: Final = 12


def host_facts(
    earlier: EarlierFindings,
    dismissed: Sequence[KnownFinding],
    failed_checks: Sequence[str],
    other_files: Sequence[str],
    without_lines: Sequence[str] = (),
) -> str:
    """The facts as one text; "" where there are none."""
    known = [*earlier.standing, *(each.finding for each in earlier.changed)]
    parts = [
        _part(
            "Known findings of this pull request, still open, each with its name. Do not report one again whose code "
            "is as it was. Where its code has changed or moved and the defect is still there, report it with its new "
            "lines and its name in `restates`. That its old lines are gone does not mean that it is fixed:",
            [
                f"- {name_of(each)} at {quoted(_at(each), 300)}: {quoted(each.title)}"
                for each in known[:_KNOWN_TOLD]
            ],
        ),
        _part(
            "Dismissed by maintainers: do not report these again at the same code. Another defect in the same file, "
            "or in code that only looks alike, is not dismissed by them:",
            [
                f"- {quoted(_at(each.finding), 300)}: {quoted(each.finding.title)}, because "
                f"{quoted(each.reason, 300) if each.reason else 'no reason was given'}"
                for each in dismissed
            ],
        ),
        _part(
            "Checks that fail at this head:",
            [f"- {quoted(name)}" for name in failed_checks[:_CHECKS_TOLD]],
        ),
        _part(
            "All files of the change; what is not in your part of it, other agents read:",
            [f"- {quoted(each)}" for each in other_files],
        ),
        _part(
            "Changed too, without a changed line that a diff would show:",
            [
                *(f"- {quoted(each)}" for each in without_lines[:_LINELESS_TOLD]),
                *_more(without_lines[_LINELESS_TOLD:]),
            ],
        ),
    ]
    return "\n\n".join(filter(None, parts))


def name_of(finding: Finding) -> str:
    """The name by which the finder calls a known finding."""
    return fingerprint(finding)[:_NAME]


def quoted(text: str, limit: int = 200) -> str:
    """Somebody's words as one line in quotes, without what a person would not see of them."""
    return json.dumps(" ".join(visible_text(text, limit).split()), ensure_ascii=False)


def _more(rest: Sequence[str]) -> list[str]:
    return [f"- and {len(rest)} more"] if rest else []


def _at(finding: Finding) -> str:
    return f"{finding.path}:{finding.start_line}"


def _part(heading: str, lines: Iterable[str]) -> str:
    told = list(lines)
    return "\n".join([heading, *told]) if told else ""
