"""A quote is found through what tools put around it, and what is not in the file is not found through it."""

from __future__ import annotations

import pytest

from claude_pool_gh.findings.paths import candidates
from claude_pool_gh.findings.quotes import (
    MOST_LINES,
    QuotePlace,
    Side,
    UnplacedQuote,
    is_numbered,
    lines_of,
    locate,
    occurrences,
)

FILE = "def tier(q):\n    if q > 10:  # TODO\n        return 1\n\n    return 0\n"
NOWHERE = UnplacedQuote("its evidence is not in the file")


def at(
    evidence: str, text: str = FILE, *, side: Side = "RIGHT", path: str = "a.py"
) -> tuple[int, int] | None:
    found = locate(lines_of(text), evidence, (1, 1), side=side, path=path)
    return (found.start, found.end) if isinstance(found, QuotePlace) else None


@pytest.mark.parametrize(
    ("evidence", "place"),
    [
        ("+def tier(q):", (1, 1)),
        (" def tier(q):\n+    if q > 10:  # TODO", (1, 2)),
        ("-def old(q):\n+def tier(q):", (1, 1)),
        ("@@ -1,2 +1,2 @@\n     if q > 10:  # TODO\n         return 1", (2, 3)),
        ("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n+def tier(q):", (1, 1)),
        ("+def tier(q):\nx    if q > 10:  # TODO", None),
        ("    if q > 10:\n        return 1", (2, 3)),
        ("    if q > 10:\n        return 2", None),
        ("`if q > 10:`", (2, 2)),
        ("`if q > 10:", None),
        ("if q > 10:`", None),
        ("`if q > 10:\nreturn 1`", None),
        ("```\nif q > 10:\n```", (2, 2)),
        ("1: def tier(q):\n2:     if q > 10:  # TODO", (1, 2)),
        ("2: def tier(q):\n1:     if q > 10:  # TODO", None),
        ("def tier(q):\n[...]\n    return 0", (1, 5)),
        ("    return 0\n...\ndef tier(q):", None),
        ("def tier(q):\n...\n    return 2", None),
        ("return 1\nreturn 0", (3, 5)),
        ("q", None),
        ("))", None),
    ],
    ids=[
        "a sign at the very first column",
        "what is around it",
        "the other side of a diff",
        "a header without signs",
        "headers of a file",
        "a line without a sign among some",
        "without the comment at the end of a line",
        "another line without that comment",
        "in backticks",
        "one backtick before it",
        "one behind it",
        "backticks around two lines",
        "a fence",
        "numbers that rise",
        "numbers that fall",
        "lines left out",
        "left out between lines in another order",
        "left out before a line that is not there",
        "across a blank line",
        "one letter",
        "brackets",
    ],
)
def test_a_quote_has_the_place_where_its_lines_stand(
    evidence: str, place: tuple[int, int] | None
) -> None:
    assert at(evidence) == place


def test_of_the_deleted_side_the_deleted_lines_count() -> None:
    diff = "-def tier(q):\n+def other(q):"
    assert at(diff, side="LEFT") == (1, 1)
    assert at(diff, side="RIGHT") is None


@pytest.mark.parametrize(
    ("line", "part", "is_found"),
    [
        ("xgo(a) + go(a)", "go(a)", True),
        ("xgo(a) + ygo(a)", "go(a)", False),
        ("go(a)x", "go(a)", True),
        ("total >= ten + one", "total >", False),
        ("total >= ten + one", "ten + on", False),
        ("total >= ten + one", "ten + one", True),
        ("total >= ten + one", "ten +", False),
    ],
    ids=[
        "the second time as a whole word",
        "never as a whole word",
        "a bracket ends anywhere",
        "half an operator",
        "half a word",
        "words and operators",
        "too little",
    ],
)
def test_a_part_of_a_line_begins_and_ends_with_whole_words(
    line: str, part: str, *, is_found: bool
) -> None:
    assert (at(part, f"{line}\n", path="a.txt") == (1, 1)) is is_found


@pytest.mark.parametrize(("between", "is_found"), [(MOST_LINES - 2, True), (MOST_LINES - 1, False)])
def test_lines_are_left_out_up_to_a_distance(between: int, *, is_found: bool) -> None:
    text = "first line\n" + "x\n" * between + "last line\n"
    assert (at("first line\n...\nlast line", text) is not None) is is_found


TWICE = ["x", "aa = 1", "bb = 2", "y", "z", "aa = 1", "bb = 2"]


@pytest.mark.parametrize(
    ("stated", "place"),
    [
        ((2, 2), (2, 3)),
        ((6, 6), (6, 7)),
        ((3, 3), (2, 3)),
        ((1, 2), (2, 3)),
        ((7, 9), (6, 7)),
        ((4, 5), None),
        ((1, 9), None),
        ((3, 6), None),
        ((6, 1), (6, 7)),
    ],
    ids=[
        "its first line",
        "the other's first line",
        "its last line",
        "up to it",
        "from its last line on",
        "between them",
        "around both",
        "of both",
        "a first line with a wrong last one",
    ],
)
def test_of_several_places_the_one_is_meant_that_was_stated(
    stated: tuple[int, int], place: tuple[int, int] | None
) -> None:
    found = locate(TWICE, "aa = 1\nbb = 2", stated)
    assert ((found.start, found.end) if isinstance(found, QuotePlace) else None) == place


@pytest.mark.parametrize(
    ("times", "told"),
    [(5, "lines 1, 2, 3, 4, 5"), (6, "lines 1, 2, 3, 4, 5 and more")],
)
def test_several_places_are_named_up_to_five(times: int, told: str) -> None:
    found = locate(["aa = 1"] * times, "aa = 1", (9, 9))
    assert found == UnplacedQuote(f"its evidence is in several places: {told}")


@pytest.mark.parametrize(
    ("lines", "numbered"),
    [
        (["1: a", "2: b"], True),
        (["1\ta", "", "3\tb"], True),
        (["  5 | a"], True),
        (["Line 5: a"], True),
        (["2: a", "1: b"], False),
        (["1: a", "1: b"], False),
        (["1: a", "b"], False),
        (["", "  "], False),
        ([], False),
        (["12345678: a"], False),
    ],
)
def test_lines_are_numbered_where_each_begins_with_a_higher_number(
    lines: list[str], *, numbered: bool
) -> None:
    assert is_numbered(lines) is numbered


@pytest.mark.parametrize(
    ("quote", "times"),
    [
        (["aa = 1"], 2),
        (["aa = 1", "bb = 2"], 2),
        (["  aa = 1", "", "bb = 2"], 2),
        (["cc"], 0),
        ([""], 0),
    ],
)
def test_lines_are_counted_whatever_their_indentation(quote: list[str], times: int) -> None:
    assert occurrences(["aa = 1", "  bb = 2", "", "aa = 1", "", "bb = 2"], quote) == times


KNOWN = {"app/tiers.py", "lib/other.py", "README"}


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("/tiers.py", ("app/tiers.py",)),
        ("tiers.py", ("app/tiers.py",)),
        ("iers.py", ()),
        ("file:///lease/app/tiers.py", ("app/tiers.py",)),
        ("`./app/tiers.py:5`", ("app/tiers.py",)),
        (".//./app/tiers.py", ("app/tiers.py",)),
        ("b/README", ("README",)),
        ("a/app\\tiers.py", ("app/tiers.py",)),
        ("app/tiers.py (line 5)", ("app/tiers.py",)),
        ("app/tiers.py lines 5 - 7", ("app/tiers.py",)),
        ("app/tiers.py:5:", ("app/tiers.py",)),
        ("<app/tiers.py>", ("app/tiers.py",)),
        ("app/tiers.pyc", ()),
        ("//", ()),
    ],
)
def test_a_path_is_known_through_what_stands_around_it(stated: str, found: tuple[str, ...]) -> None:
    assert candidates(stated, KNOWN) == found
