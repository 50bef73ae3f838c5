"""Findings in files whose names changed hands: each is held against the past of its own file, and shown in it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from claude_pool_gh.findings.anchor import DroppedFinding, anchor
from claude_pool_gh.findings.model import EVIDENCE_LIMIT, Finding
from tests.findings.make import finding

RENAMED = {"new.py": "old.py"}
SWAPPED = {"a.py": "b.py", "b.py": "a.py"}


def held(
    stated: Finding,
    head: Mapping[str, str],
    base: Mapping[str, str],
    renamed: Mapping[str, str] = RENAMED,
) -> tuple[str, str, int]:
    """Where a finding is put: path, side and line."""
    found = anchor(stated, head, base, renamed)
    assert isinstance(found, Finding), found
    return found.path, found.side, found.start_line


@pytest.mark.parametrize(
    ("left", "side"),
    [("x = 1\ny = 2\n", "LEFT"), ("x = 1\ny = 2\nx = 1\n", "RIGHT")],
    ids=["one of two is gone", "both still stand"],
)
def test_of_a_renamed_file_lines_count_as_deleted_where_they_stand_less_often_than_before(
    left: str, side: str
) -> None:
    stated = finding(path="new.py", evidence="x = 1", side="LEFT", start_line=1, end_line=1)
    base = {"old.py": "x = 1\ny = 2\nx = 1\n"}
    assert held(stated, {"new.py": left}, base) == ("new.py", side, 1)


def test_the_past_of_a_file_is_that_of_its_old_name_though_another_had_its_new_one() -> None:
    """`new.py` was there before too, with the line once; the one that has its name now had it twice."""
    stated = finding(path="new.py", evidence="x = 1", side="LEFT", start_line=3, end_line=3)
    base = {"old.py": "x = 1\ny = 2\nx = 1\n", "new.py": "x = 1\n"}
    assert held(stated, {"new.py": "x = 1\n"}, base) == ("new.py", "LEFT", 3)


@pytest.mark.parametrize(("path", "line"), [("a.py", 3), ("b.py", 1)])
def test_of_two_files_that_have_swapped_names_deleted_code_is_looked_for_under_the_old_one(
    path: str, line: int
) -> None:
    base = {"a.py": "gone = 2\n", "b.py": "b = 1\nb = 2\ngone = 2\n"}
    head = {"a.py": "b = 1\nb = 2\n", "b.py": "b = 4\n"}
    stated = finding(path=path, evidence="gone = 2", side="LEFT", start_line=9, end_line=9)
    assert held(stated, head, base, SWAPPED) == (path, "LEFT", line)


@pytest.mark.parametrize(("path", "line"), [("a.py", 1), ("b.py", 2)])
def test_of_two_files_that_have_swapped_names_code_at_the_head_is_the_named_ones(
    path: str, line: int
) -> None:
    head = {"a.py": "kept = 2\n", "b.py": "b = 1\nkept = 2\n"}
    stated = finding(path=path, evidence="kept = 2", start_line=9, end_line=9)
    assert held(stated, head, {}, SWAPPED) == (path, "RIGHT", line)


def test_a_name_that_was_taken_again_means_the_file_that_has_it_now() -> None:
    """`new.py` was `old.py`, and there is another `old.py` now."""
    head = {"new.py": "x = 1\n", "old.py": "z = 1\nx = 1\n"}
    stated = finding(path="old.py", evidence="x = 1", start_line=9, end_line=9)
    assert held(stated, head, {}) == ("old.py", "RIGHT", 2)


def test_a_name_of_before_is_tried_where_the_file_that_has_it_now_lacks_the_quote() -> None:
    head = {"new.py": "x = 1\n", "old.py": "z = 1\n"}
    stated = finding(path="old.py", evidence="x = 1", start_line=1, end_line=1)
    assert held(stated, head, {}) == ("new.py", "RIGHT", 1)


def test_why_it_is_dropped_is_told_of_the_file_that_was_named_first() -> None:
    head = {"new.py": "x = 1\nx = 1\n", "old.py": "z = 1\n"}
    stated = finding(path="old.py", evidence="x = 1", start_line=9, end_line=9)
    found = anchor(stated, head, {}, RENAMED)
    assert isinstance(found, DroppedFinding)
    assert found.reason == "its evidence is not in the file"


def test_a_comment_at_a_lines_end_is_one_by_the_name_of_the_file() -> None:
    text = "SELECT price FROM items -- all of them\n"
    stated = finding(path="q.sql", evidence="SELECT price FROM items", start_line=1, end_line=1)
    found = anchor(stated, {"q.sql": text}, {})
    assert isinstance(found, Finding)
    assert found.evidence == text.rstrip("\n")


@pytest.mark.parametrize(
    ("evidence", "side"),
    [
        ("-gone = 2\n-gone = 3", "LEFT"),
        ("-gone = 2\n  \n-gone = 3", "LEFT"),
        ("-gone = 2\ngone = 3", None),
    ],
    ids=["all signed", "a blank line between", "one without a sign"],
)
def test_each_line_of_a_quote_must_be_shown_as_deleted(evidence: str, side: str | None) -> None:
    stated = finding(path="a.py", evidence=evidence, start_line=1, end_line=2)
    found = anchor(stated, {"a.py": "a = 1\n"}, {"a.py": "gone = 2\ngone = 3\na = 1\n"})
    assert (found.side if isinstance(found, Finding) else None) == side


@pytest.mark.parametrize(("beyond", "is_whole"), [(0, True), (1, False)])
def test_a_quote_of_exactly_the_length_that_is_kept_is_kept_as_the_file_has_it(
    beyond: int, *, is_whole: bool
) -> None:
    quote = "x = 1 +" + " " * 3_000 + "y"
    line = f"{' ' * (EVIDENCE_LIMIT - len(quote) + beyond)}{quote}"
    stated = finding(evidence=quote, start_line=1, end_line=1)
    found = anchor(stated, {stated.path: f"{line}\n"}, {})
    assert isinstance(found, Finding)
    assert found.evidence == (line if is_whole else quote)


def test_what_was_known_of_its_code_is_forgotten_with_its_place() -> None:
    stated = finding(evidence="x = 1", start_line=1, end_line=1, code_digest="of other code")
    found = anchor(stated, {stated.path: "x = 1\n"}, {})
    assert isinstance(found, Finding)
    assert found.code_digest == ""
