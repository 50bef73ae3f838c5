"""Tells whether two runs speak of the same defect."""

from __future__ import annotations

import hashlib

from claude_pool_gh.findings.model import Finding


def fingerprint(finding: Finding) -> str:
    """Twenty hex digits that stay the same when lines move: path, kind of harm and the quoted code count."""
    code = " ".join(finding.evidence.split())
    return hashlib.sha256(f"{finding.path}\n{finding.category}\n{code}".encode()).hexdigest()[:20]


def without_repeats(findings: list[Finding]) -> list[Finding]:
    """Each defect once, the one stated with most confidence, the worst first."""
    best: dict[str, Finding] = {}
    for finding in findings:
        key = fingerprint(finding)
        if key not in best or finding.confidence > best[key].confidence:
            best[key] = finding
    return sorted(best.values(), key=lambda f: (-f.severity.rank, -f.confidence, f.path, f.start_line))
