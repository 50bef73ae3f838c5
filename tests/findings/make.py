"""Findings for tests."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.findings.model import Finding


def finding(**fields: Any) -> Finding:
    """A finding that is valid as it is."""
    values = {
        "path": "shop/prices.py",
        "start_line": 2,
        "end_line": 2,
        "severity": "high",
        "category": "correctness",
        "title": "The rebate is taken twice",
        "body": "`total` has it already.",
        "scenario": "two items -> 8 instead of 9",
        "evidence": "    return total - rebate",
        "confidence": 0.9,
    }
    return Finding.model_validate(values | fields)
