"""What agents stated, read from their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from claude_pool_gh.findings.model import Finding, Findings


def stated_by(task: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What one agent stated. A result of another form states nothing; its task has failed already."""
    try:
        return Findings.model_validate(task.get("structured") or {"findings": []}).findings
    except ValidationError:
        return ()
