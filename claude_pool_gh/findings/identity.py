"""Tells whether two runs speak of the same defect."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

from claude_pool_gh.findings.model import Finding


def fingerprint(finding: Finding) -> str:
    """Twenty hex digits that stay the same when lines move: path, kind of harm and the quoted code count."""
    code = " ".join(finding.evidence.split())
    return hashlib.sha256(f"{finding.path}\n{finding.category}\n{code}".encode()).hexdigest()[:20]


_ALIKE: Final = 0.7
"""How much of the quoted code must be the same for a changed quote to be about the same defect."""


def same_defect(before: Finding, now: Finding) -> bool:
    """Whether a finding of this run is one of an earlier run, although the code in it was touched meanwhile."""
    if fingerprint(before) == fingerprint(now):
        return True
    if (before.path, before.category) != (now.path, now.category):
        return False
    old, new = (" ".join(each.evidence.split()) for each in (before, now))
    return SequenceMatcher(None, old, new, autojunk=False).ratio() >= _ALIKE


def match(before: Iterable[Finding], now: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Of this run's findings those that are new, and of the earlier ones those that this run states again."""
    new, again = [], []
    earlier = list(before)
    for finding in now:
        # The very same one first: of two that are alike, each keeps its own.
        ordered = sorted(earlier, key=lambda each: fingerprint(each) != fingerprint(finding))
        found = next((each for each in ordered if same_defect(each, finding)), None)
        if found is None:
            new.append(finding)
        else:
            again.append(found)
            earlier.remove(found)
    return new, again


def without_repeats(findings: list[Finding]) -> list[Finding]:
    """Each defect once, the one stated with most confidence, the worst first."""
    best: dict[str, Finding] = {}
    for finding in findings:
        key = fingerprint(finding)
        if key not in best or finding.confidence > best[key].confidence:
            best[key] = finding
    return sorted(best.values(), key=lambda f: (-f.severity.rank, -f.confidence, f.path, f.start_line))
