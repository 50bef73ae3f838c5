"""Whose state the commands of one comment need: their thread's, or an audit's."""

from __future__ import annotations

import pytest

from claude_pool_gh.action.asked import Asked, asked_of
from claude_pool_gh.conversation import registry

VERBS = {name: handler.verb for name, handler in registry.handlers().items()}
NIGHTLY = frozenset({"nightly"})


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ([], Asked()),
        (["/pool review"], Asked(beside=True)),
        (["/pool audit nightly"], Asked(audits=NIGHTLY)),
        (["/pool audit"], Asked(audits=frozenset({"defects"}))),
        (["/pool audit security"], Asked(audits=frozenset({"security"}))),
        (["/pool audit src"], Asked(audits=frozenset({"defects"}))),  # a path, of the usual kind
        (["/pool audit nightly", "/pool audit"], Asked(audits=NIGHTLY | {"defects"})),
        (["/pool audit nightly", "/pool review"], Asked(audits=NIGHTLY, beside=True)),
        (["/pool cancel"], Asked(beside=True, steers=True)),
        (["/pool status"], Asked(beside=True, steers=True)),
        (
            ["/pool continue C1", "/pool cancel c2"],
            Asked(beside=True, steers=True, runs=frozenset({"c1", "c2"})),
        ),
        (["/pool cancel c1", "/pool review"], Asked(beside=True, runs=frozenset({"c1"}))),
        (["/pool cancel", "/pool audit nightly"], Asked(audits=NIGHTLY, beside=True)),
        # what is mistyped is answered in its thread
        (["/pool cancle"], Asked(beside=True)),
        (["/pool cancel", "/pool cancle"], Asked(beside=True)),
        (["/pool audit nightly", "/pool cancle"], Asked(audits=NIGHTLY, beside=True)),
    ],
)
def test_the_lines_of_one_comment_are_read_together(lines: list[str], asked: Asked) -> None:
    assert asked_of(lines, VERBS, NIGHTLY) == asked


THREADS, ITS_OWN, STEERING = (
    Asked(beside=True),
    Asked(audits=NIGHTLY),
    Asked(beside=True, steers=True),
)


@pytest.mark.parametrize(
    ("asked", "audit", "in_report", "served"),
    [
        (THREADS, "", False, True),
        (THREADS, "nightly", False, False),
        (THREADS, "nightly", True, True),
        (ITS_OWN, "nightly", False, True),
        (ITS_OWN, "nightly", True, True),
        (ITS_OWN, "defects", True, False),
        (ITS_OWN, "", False, False),
        (Asked(audits=NIGHTLY | {"defects"}), "nightly", False, False),
        (Asked(audits=NIGHTLY, beside=True), "nightly", True, False),
        (STEERING, "nightly", False, True),
        (STEERING, "", False, True),
    ],
)
def test_a_job_that_holds_a_state_serves_what_needs_that_one(
    asked: Asked, audit: str, *, in_report: bool, served: bool
) -> None:
    assert asked.is_served_with(audit, in_report=in_report) is served
