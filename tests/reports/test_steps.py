"""The table of steps: a step whose runs did not all succeed does not look as if they had."""

from __future__ import annotations

import pytest

from claude_pool_gh.reports.tracking import steps_table
from claude_pool_gh.reports.views import StepLine


@pytest.mark.parametrize(
    ("state", "failed", "sign"),
    [("completed", 0, "✓"), ("completed", 1, "⚠"), ("failed", 1, "✗"), ("running", 1, "▶")],
)
def test_a_steps_sign_says_whether_all_of_its_runs_succeeded(
    state: str, failed: int, sign: str
) -> None:
    row = steps_table([StepLine(name="find", state=state, failed=failed)]).splitlines()[-1]
    assert row.split("|")[1].strip() == sign
