"""Where GitHub takes a comment: in one of its own hunks, on one side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_pool_gh.findings.spots import NEAR, Spot, spot
from tests.findings.make import finding

PATH = "shop/prices.py"
SHOWN = {PATH: [[41, 47, 41, 47], [60, 66, 60, 70]]}


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        (44, 44, (44, 44, True)),
        (41, 47, (41, 47, True)),
        (38, 38, (41, 41, False)),  # a few lines above: at the nearest line of the hunk
        (50, 50, (47, 47, False)),
        (45, 49, (45, 47, False)),  # cut to what the hunk shows
        (44, 66, (60, 66, False)),  # over two hunks: the one with more of it
        (30, 30, None),
        (90, 91, None),
    ],
)
def test_a_comment_stands_at_the_nearest_lines_of_one_hunk(
    start: int, end: int, wanted: tuple[int, int, bool] | None
) -> None:
    found = spot(finding(start_line=start, end_line=end), SHOWN)
    assert found == (None if wanted is None else Spot(PATH, "RIGHT", *wanted))


def test_deleted_code_stands_on_the_left_where_it_has_other_numbers() -> None:
    hunks = {PATH: [[2, 4, 9, 8]]}  # three lines removed, none left
    assert spot(finding(side="LEFT", start_line=3, end_line=3), hunks) == Spot(
        PATH, "LEFT", 3, 3, exact=True
    )
    assert spot(finding(start_line=9, end_line=9), hunks) is None


def test_a_file_that_did_not_change_takes_no_comment() -> None:
    assert spot(finding(path="other.py"), SHOWN) is None


HUNKS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)), max_size=4)


@given(HUNKS, st.integers(1, 80), st.integers(0, 10))
def test_whatever_is_placed_lies_in_one_hunk(
    hunks: list[tuple[int, int]], start: int, more: int
) -> None:
    ranges = [(first, first + size - 1) for first, size in hunks]
    shown = {PATH: [[1, 0, first, last] for first, last in ranges]}
    found = spot(finding(start_line=start, end_line=start + more), shown)
    if found is None:
        assert all(a > b or a - NEAR > start + more or start - NEAR > b for a, b in ranges)
        return
    assert any(first <= found.start <= found.line <= last for first, last in ranges)
    assert found.exact == ((found.start, found.line) == (start, start + more))
