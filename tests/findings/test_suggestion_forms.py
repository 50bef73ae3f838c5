"""The form of a suggestion: set right as its quote was, and left out where one click would break or double a line."""

from __future__ import annotations

import pytest

from claude_pool_gh.findings.anchor import anchor
from claude_pool_gh.findings.model import Finding
from tests.findings.make import finding

PROSE = "one two\nthree four\nfive six\nseven eight\n"
PY = "def f(q):\n    if q:\n\n        return 1\n    return 0\n"


def kept(text: str, evidence: str, suggestion: str, path: str = "a.txt") -> str | None:
    found = anchor(finding(path=path, evidence=evidence, suggestion=suggestion), {path: text}, {})
    assert isinstance(found, Finding), found
    return found.suggestion


@pytest.mark.parametrize(
    ("suggestion", "shown"),
    [
        ("five seven", "five seven"),
        ("five seven\n\n\n", "five seven"),
        ("", ""),
        ("five ``` seven", None),
        ("five \0 seven", None),
        ("five six", None),
        ("  five seven", None),
        ("3\tfive seven", None),
        ("+ five seven", None),
        ("@@ -1 +1 @@\nfive seven", None),
        ("three four\nfive seven", None),
        ("  three four\nfive seven", None),
        ("five seven\nseven eight", None),
        ("five seven\n  seven eight", None),
        ("seven eight\nfive seven", "seven eight\nfive seven"),
        ("five seven\none two", "five seven\none two"),
    ],
    ids=[
        "another line",
        "blank lines behind it",
        "nothing",
        "a fence",
        "a NUL",
        "the same",
        "another indentation",
        "a line's number",
        "a sign of a diff",
        "a header of a diff",
        "the line above again",
        "the line above again, indented",
        "the line below again",
        "the line below again, indented",
        "the line below, above",
        "a line from further up",
    ],
)
def test_a_line_is_replaced_by_what_can_stand_there(suggestion: str, shown: str | None) -> None:
    assert kept(PROSE, "five six", suggestion) == shown


@pytest.mark.parametrize(
    ("text", "evidence", "suggestion", "fits"),
    [
        ("aa bb\naa bb\ncc dd\n", "aa bb\ncc dd", "aa bb\ncc ee", True),
        ("cc dd\naa bb\naa bb\n", "cc dd\naa bb", "cc ee\naa bb", True),
        ("aa bb\nelse\ncc dd\n", "aa bb", "aa cc\nelse", True),
        ("aa bb\nelsewhere\ncc dd\n", "aa bb", "aa cc\nelsewhere", False),
        ("aa bb\n*\ncc dd\n", "aa bb", "aa cc\n*", True),
        ("else\naa bb\n", "aa bb", "else\naa cc", True),
        ("\naa bb\n\n  cc dd\n", "aa bb", "aa ee\ncc dd", False),
        ("a = 1\nb = 2\naa bb\n", "aa bb", "a = 1\nb = 2\naa ee", False),
        ("aa bb\na = 1\nb = 2\n", "aa bb", "aa ee\na = 1\nb = 2", False),
        ("b = 2\na = 1\naa bb\n", "aa bb", "a = 1\nb = 2\naa ee", True),
    ],
    ids=[
        "it stood in the quote, above",
        "it stood in the quote, below",
        "a word that says nothing",
        "a word that does",
        "a sign",
        "a word that says nothing, above",
        "beyond blank lines",
        "two lines, above",
        "two lines, below",
        "two lines in another order",
    ],
)
def test_a_line_is_doubled_only_where_it_says_something_and_was_not_quoted(
    text: str, evidence: str, suggestion: str, *, fits: bool
) -> None:
    assert (kept(text, evidence, suggestion) == suggestion) is fits


@pytest.mark.parametrize(
    ("evidence", "suggestion", "shown"),
    [
        ("if q:\n    return 1", "if not q:\n    return 1", "    if not q:\n        return 1"),
        ("if q:\n    return 1", "if q:\n\n    return 2", "    if q:\n\n        return 2"),
        ("if q:\n    return 1", "    if q:\n        return 2", "    if q:\n        return 2"),
        (
            "    if q:\n        return 1",
            "    if q:\n        return 2",
            "    if q:\n        return 2",
        ),
    ],
    ids=["a blank line left out", "a blank line of its own", "as the file has it", "as it stands"],
)
def test_what_was_quoted_with_another_indentation_is_moved_with_it(
    evidence: str, suggestion: str, shown: str
) -> None:
    assert kept(PY, evidence, suggestion, "a.py") == shown


def test_lines_that_are_moved_by_different_amounts_are_not_set_right() -> None:
    text = "  aa bb\n      cc dd\n"
    assert kept(text, "aa bb\ncc dd", "aa bb\ncc ee") is None
    assert kept(text, "aa bb\n    cc dd", "aa bb\n    cc ee") == "  aa bb\n      cc ee"


@pytest.mark.parametrize(
    ("text", "evidence", "suggestion", "shown"),
    [
        ("aa bb cc dd ee\n", "bb cc dd", "bb xx dd", "aa bb xx dd ee"),
        ("aa bb cc dd ee\n", "bb cc dd", "  bb xx dd", None),
        ("aa bb cc dd ee\n", "bb cc dd", "bb xx\ndd", None),
        ("aa bb cc dd ee\n", "bb cc dd", "   ", None),
        ("aa bb cc dd ee\n", "bb cc dd", "", None),
        ("x = go(aa) + go(aa)\n", "go(aa)", "go(bb)", None),
        ("aa bb\nxx\ncc dd\n", "aa bb\n...\ncc dd", "aa ee", None),
    ],
    ids=[
        "one part",
        "another indentation",
        "two lines",
        "blanks",
        "nothing",
        "twice in the line",
        "lines left out",
    ],
)
def test_a_part_of_a_line_is_replaced_within_it(
    text: str, evidence: str, suggestion: str, shown: str | None
) -> None:
    assert kept(text, evidence, suggestion) == shown


@pytest.mark.parametrize(
    ("path", "text", "evidence", "suggestion", "fits"),
    [
        ("a.txt", "1: aa bb\n2: cc dd\n", "1: aa bb\n2: cc dd", "1: aa bb\n2: cc ee", True),
        ("a.txt", "+ aa bb\n", "+ aa bb", "+ aa cc", True),
        ("a.js", "aa(bb);\n", "aa(bb);", "Please call this twice", False),
        (
            "a.js",
            "Go there now please.\nxx();\n",
            "Go there now please.\nxx();",
            "Come here now please.\nxx();",
            True,
        ),
        ("a.js", "aa(bb);\n", "aa(bb);", "aa(bb));", False),
        ("a.js", "aa[bb];\n", "aa[bb];", "aa[cc];", True),
        ("a.sh", "  aa bb\nfi\n", "  aa bb", "  aa cc\n  fi", False),
        ("a.rb", "  aa bb\nend\n", "  aa bb", "  aa cc\n  end", False),
        ("A.PY", "aa = 1\n", "aa = 1", "aa = (", False),
    ],
    ids=[
        "numbers that are the file's own",
        "signs that are the file's own",
        "a sentence for code",
        "a sentence for one of several lines",
        "a bracket too many",
        "brackets that match",
        "a closing word too many",
        "another one",
        "a name in capitals",
    ],
)
def test_what_is_no_code_or_breaks_it_is_left_out(
    path: str, text: str, evidence: str, suggestion: str, *, fits: bool
) -> None:
    assert (kept(text, evidence, suggestion, path) == suggestion) is fits
