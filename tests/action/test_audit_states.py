"""Whose state a job needs, and what a state of an audit says of itself."""

from __future__ import annotations

import json

import pytest

from claude_pool_gh.action.state import image
from claude_pool_gh.action.state.audits import served
from claude_pool_gh.action.state.image import Header

REPORT, ASKED, OTHER = 40, 7, 8


def header(audit: str = "defects", **more: int) -> Header:
    given = {"repository": 1, "thread": ASKED, "until_ms": 0, "report": REPORT} | more
    return Header(
        given["repository"],
        given["thread"],
        "r",
        given["until_ms"],
        audit=audit,
        report=given["report"],
    )


@pytest.mark.parametrize(
    ("thread", "found", "has_own", "audit"),
    [
        (REPORT, [header()], True, "defects"),
        (ASKED, [header(until_ms=5)], True, "defects"),  # it runs there, or was lost there
        (ASKED, [header()], True, ""),  # it is over, and the thread has what others did there
        (ASKED, [header()], False, "defects"),
        (OTHER, [header(until_ms=5)], False, ""),
        (REPORT, [header("a", thread=REPORT, report=9, until_ms=5), header("b")], False, "b"),
        (REPORT, [header(repository=2)], False, ""),  # another repository's, pushed here
        (0, [], False, ""),
    ],
)
def test_a_thread_belongs_to_the_audit_that_reports_or_runs_in_it(
    thread: int, found: list[Header], *, has_own: bool, audit: str
) -> None:
    assert served(found, 1, thread, has_own=has_own) == audit


def test_a_threads_state_is_written_as_earlier_versions_read_it() -> None:
    own = Header(1, 2, "r", 3)
    told = json.loads(image.with_header(own, b"x").partition(b"\n")[0])
    assert set(told) == {"repository", "thread", "run", "until_ms", "schema", "format"}
    for each in (own, header()):
        assert image.parts(image.with_header(each, b"x")) == (each, b"x")
