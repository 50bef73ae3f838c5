"""A suggestion is one click that changes the file: only what surely fits is offered."""

from __future__ import annotations

import time

import pytest

from claude_pool_gh.findings.anchor import anchor
from claude_pool_gh.findings.model import Finding
from tests.findings.make import finding

PY = "def f(q):\n    if q > 10:  # TODO tiers\n        return 1\n    return 0\n"
IF = "    if q > 10:  # TODO tiers"
RB = "def f(q)\n  return 1 if q\n  0\nend\n"
JS = "function f(q) {\n  if (q > 10) {\n    return 1;\n  }\n  return 0;\n}\n"


def kept(text: str, evidence: str, suggestion: str, path: str = "shop/prices.py") -> str | None:
    found = anchor(finding(path=path, evidence=evidence, suggestion=suggestion), {path: text}, {})
    assert isinstance(found, Finding), found
    return found.suggestion


@pytest.mark.parametrize(
    ("evidence", "suggestion", "shown"),
    [
        (IF, "    if q >= 10:  # TODO tiers", "    if q >= 10:  # TODO tiers"),
        (IF, "    if q >= 10:\n", "    if q >= 10:\n"),
        (
            f"{IF}\n        return 1",
            "    if q >= 10:\n        return 1",
            "    if q >= 10:\n        return 1",
        ),
        (f"{IF}\n        return 1", "", ""),
        (
            "    return 0",
            "    # ten\n    return 0 if q else 1",
            "    # ten\n    return 0 if q else 1",
        ),
        # quoted with another indentation, and suggested with the same one
        ("if q > 10:  # TODO tiers", "if q >= 10:", "    if q >= 10:"),
        (
            "if q > 10:  # TODO tiers\n    return 1",
            "if q >= 10:\n    return 1",
            "    if q >= 10:\n        return 1",
        ),
        ("if q > 10:  # TODO tiers", "    if q >= 10:", "    if q >= 10:"),
        # a part of the line
        ("q > 10", "q >= 10", "    if q >= 10:  # TODO tiers"),
        ("    if q > 10:", "    if q >= 10:", "    if q >= 10:  # TODO tiers"),
        (f"2\t{IF}", "    if q >= 10:", "    if q >= 10:"),
    ],
)
def test_what_fits_is_offered_as_it_can_stand(evidence: str, suggestion: str, shown: str) -> None:
    assert kept(PY, evidence, suggestion) == shown
    assert kept(PY.replace("\n", "\r\n"), evidence, suggestion) == shown


@pytest.mark.parametrize(
    ("evidence", "suggestion"),
    [
        (IF, "if q >= 10:"),  # its indentation is lost
        (IF, "        if q >= 10:"),
        (IF, "-    if q > 10:\n+    if q >= 10:"),
        (IF, "+    if q >= 10:"),
        (IF, "Use >= instead of >"),
        (IF, "2⇥    if q >= 10:"),
        (IF, "2\t    if q >= 10:"),
        (IF, "    if q >= 10:\n        return 1"),  # the line below stands there already
        (IF, "def f(q):\n    if q >= 10:"),
        (IF, "```python\n    if q >= 10:\n```"),
        (IF, "    if q >= 10:\0"),
        (IF, IF),
        (IF, IF + "\r\n"),
        (IF, ""),  # what is below it would be indented for nothing
        (IF, "    if q >= 10"),
        (IF, "    if (q >= 10:"),
        ("q > 10", "    if q >= 10:"),
        ("if q > 10:  # TODO tiers\n\treturn 1", "if q >= 10:\n\treturn 1"),
        ("def f(q):\n...\n    return 0", "def f(q):\n    return 1"),
    ],
)
def test_what_does_not_surely_fit_is_left_out(evidence: str, suggestion: str) -> None:
    assert kept(PY, evidence, suggestion) is None


@pytest.mark.parametrize(
    ("path", "text", "evidence", "suggestion", "fits"),
    [
        ("a.js", JS, "  if (q > 10) {", "  if (q >= 10) {", True),
        ("a.js", JS, "  if (q > 10) {", "  if (q >= 10)", False),
        ("a.js", JS, "  if (q > 10) {", "  Use a comparison here instead", False),
        ("a.js", JS, "    return 1;\n  }", "    return 2;\n  }", True),
        ("a.js", JS, "    return 1;", "    return 2;\n  }", False),
        ("a.json", '{\n  "a": 1,\n  "b": 2\n}\n', '  "a": 1,', '  "a": 2,', True),
        ("a.json", '{\n  "a": 1,\n  "b": 2\n}\n', '  "a": 1,', '  "a": 2', False),
        ("a.yml", "a:\n  bb: 1\n  cc: 2\n", "  bb: 1", "  bb: 3", True),
        ("a.yml", "a:\n  bb: 1\n  cc: 2\n", "  bb: 1", "  bb: 1: 2", False),
        ("a.toml", "[a]\nbb = 1\n", "bb = 1", "bb = 2", True),
        ("a.toml", "[a]\nbb = 1\n", "bb = 1", "bb = yes", False),
        (
            "a.md",
            "# Title\n\nGo there now please.\n",
            "Go there now please.",
            "Come here now please.",
            True,
        ),
        (
            "old.py",
            "print 'xx'\nyy = (1)\n",
            "yy = (1)",
            "yy = (2)",
            True,
        ),  # no Python that we can parse
        ("old.py", "print 'xx'\nyy = (1)\n", "yy = (1)", "yy = (2", False),
        ("a.rb", RB, "  return 1 if q", "  return 2 if q", True),
        ("a.rb", RB, "  return 1 if q", "  return 2 if q\nend", False),  # one closing word too many
        (
            "a.js",
            JS,
            "    return 1;",
            "  if (q > 10) {\n    return 2;\n  }",
            False,
        ),  # begins with the line above
        ("list.yml", "steps:\n- run: xx\n- run: yy\n", "- run: yy", "- run: zz", True),
    ],
)
def test_a_file_that_could_be_read_can_be_read_afterwards(
    path: str, text: str, evidence: str, suggestion: str, *, fits: bool
) -> None:
    assert (kept(text, evidence, suggestion, path) == suggestion) is fits


@pytest.mark.parametrize(
    "suggestion", ["x = " + "(" * 3_000, "x = " + "-" * 3_900 + "1", "x = '\\d'"]
)
def test_no_suggestion_breaks_the_parser(suggestion: str) -> None:
    kept("aa = 1\nbb = 2\n", "aa = 1", suggestion)


@pytest.mark.parametrize(
    ("path", "text", "suggestion"),
    [
        ("a.toml", "bb = 1\n" + "a." * 30_000 + "b = 1\n", "bb = 2"),
        ("a.yml", "bb: 1\n" + "cc: [1, 2]\n" * 50_000, "bb: 2"),
        ("a.yml", "bb: 1\n", "bb: " + "[" * 3_900),
    ],
    ids=["dots", "long", "brackets"],
)
def test_what_takes_long_to_parse_is_not_parsed(path: str, text: str, suggestion: str) -> None:
    began = time.process_time()
    kept(text, text.partition("\n")[0], suggestion, path)
    assert time.process_time() - began < 2
