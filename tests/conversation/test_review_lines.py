"""What is told of a change outside the fence, and around the lines of one claim, with its bounds."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.review.earlier import EarlierFindings
from claude_pool_gh.conversation.review.host_facts import host_facts, quoted
from claude_pool_gh.conversation.review.hunks import by_old_path, by_path
from claude_pool_gh.conversation.review.questions import of_claim, of_known
from claude_pool_gh.findings.definitions import definition_of
from claude_pool_gh.findings.states import Standing
from claude_pool_gh.findings.tables import KnownFinding
from tests.findings.make import finding

NOTHING = EarlierFindings()


def lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("- ")]


def test_so_many_of_each_kind_are_told_and_of_what_has_no_lines_how_many_are_not() -> None:
    known = EarlierFindings(standing=tuple(finding(title=f"t{number}") for number in range(31)))
    assert len(lines(host_facts(known, [], [], []))) == 30
    checks = [f"check {number}" for number in range(11)]
    assert lines(host_facts(NOTHING, [], checks, [])) == [f'- "check {n}"' for n in range(10)]
    moved = [f"f{number}: renamed" for number in range(103)]
    told = lines(host_facts(NOTHING, [], [], [], moved))
    assert (len(told), told[99:]) == (101, ['- "f99: renamed"', "- and 3 more"])
    assert lines(host_facts(NOTHING, [], [], [], moved[:100]))[-1] == '- "f99: renamed"'


@pytest.mark.parametrize(
    ("reason", "told"),
    [("it is meant so", '"it is meant so"'), ("", "no reason was given")],
)
def test_a_dismissal_is_told_with_its_reason(reason: str, told: str) -> None:
    dismissed = KnownFinding("m", finding(), Standing.dismissed, reason)
    (line,) = lines(host_facts(NOTHING, [dismissed], [], []))
    assert line == f'- "shop/prices.py:2": "The rebate is taken twice", because {told}'


@pytest.mark.parametrize(
    ("text", "limit", "told"),
    [
        ('say "hi"', 20, '"say \\"hi\\""'),
        ("a\nb", 20, '"a b"'),
        ("é\u200b!", 20, '"é!"'),
        ("", 20, '""'),
    ],
)
def test_words_of_others_are_one_quoted_line(text: str, limit: int, told: str) -> None:
    assert quoted(text, limit) == told


# ---- hunks


PLAIN = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n"


@pytest.mark.parametrize(
    ("head", "old", "new"),
    [
        ("@@ -3 +4 @@", (3, 3), (4, 4)),
        ("@@ -3,2 +4,3 @@ def f", (3, 4), (4, 6)),
        ("@@ -3,0 +4,2 @@", (3, 3), (4, 5)),
        ("@@ -3,2 +2,0 @@", (3, 4), (2, 2)),
    ],
    ids=["one line", "several", "nothing before", "nothing after"],
)
def test_a_hunk_is_near_the_lines_that_it_holds(
    head: str, old: tuple[int, int], new: tuple[int, int]
) -> None:
    diff = by_path(f"{PLAIN}{head}\n-a\n+b\n")["x.py"]
    for is_old, (first, last) in ((True, old), (False, new)):
        found = [at for at in range(1, 9) if diff.near(at, at, old=is_old)]
        assert found == list(range(first, last + 1))


def test_lines_that_a_change_brings_are_counted_after_it() -> None:
    body = "@@ -1,3 +1,4 @@\n a\n-b\n+c\n+d\n\\ No newline at end of file\n e\n@@ -9 +10,2 @@\n x\n+y\n"
    assert by_path(PLAIN + body)["x.py"].added == {2, 3, 11}


def test_what_is_too_long_is_cut_and_keeps_its_beginning() -> None:
    body = "".join(f"+line {number}\n" for number in range(1_000))
    cut = by_path(f"{PLAIN}@@ -0,0 +1,1000 @@\n{body}")["x.py"].near(1, 1, old=False)
    assert cut.startswith("@@ -0,0 +1,1000 @@\n+line 0\n")
    assert cut.endswith("\n[cut here; open the file for the rest]")
    assert len(cut) == 6_000 + len("\n[cut here; open the file for the rest]")


def test_a_renamed_file_is_found_by_either_name() -> None:
    names = "diff --git a/old.py b/new.py\nrename from old.py\nrename to new.py\n"
    diff = f"{names}--- a/old.py\n+++ b/new.py\n@@ -1 +1 @@\n-a\n+b\n"
    assert by_old_path(diff)["old.py"] == by_path(diff)["new.py"]


# ---- questions


@pytest.mark.parametrize(
    ("side", "where"),
    [
        ("RIGHT", "In shop/prices.py, lines 2 to 3:\n\n"),
        ("LEFT", "In shop/prices.py, lines 2 to 3 of the file as it was before the change:\n\n"),
    ],
)
def test_deleted_lines_are_said_to_be_those_before_the_change(side: str, where: str) -> None:
    stated = finding(side=side, end_line=3)
    asked = of_claim(stated, "", others=(), exists=True, added=False)
    assert asked["claim"].startswith(where)
    known = of_known(finding(), "-a\n+b", now=stated, exists=True)
    again = where.removeprefix("In ").removesuffix(":\n\n")
    assert f"The reader of this commit states it again, in {again}:\n" in known["claim"]


# ---- definitions


DEEP = "".join(f"{'    ' * depth}def d{depth}():\n" for depth in range(12)) + "    " * 12 + "x = 1"
MIXED = "class A:\n\tdef f(self):\n\n\t\t# why\n\t\tif x:\n\t\t\t@deco\n    \t\ty = 1\n\t\t\tz = 2"


def test_the_eight_nearest_definitions_are_told() -> None:
    found = definition_of(DEEP.split("\n"), 13)
    assert found.split("\n") == [f"def d{depth}():" for depth in range(4, 12)]


def test_a_tab_counts_as_four_columns_and_blank_lines_and_notes_as_none() -> None:
    assert definition_of(MIXED.split("\n"), 8) == "class A:\ndef f(self):"
    assert definition_of(["class A:", "    def f():", "\tx = 1"], 3) == "class A:"
    assert definition_of(["    ", "  def f():", "      x"], 3) == "def f():"


def test_at_the_top_of_a_file_there_is_none() -> None:
    assert definition_of(["def f():", "    pass", "x = 1"], 3) == ""
