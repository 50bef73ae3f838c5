"""The parts of a change that may have settled a finding whose own lines are as they were."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_pool_gh.conversation.review.hunks import by_path
from claude_pool_gh.conversation.review.reach import FileNames, bearing, names_file
from tests.findings.make import finding

APP = """\
import os

LIMIT = 3


class Bill:
    rate = 2

    def total(self, items):
        first = items[0]
        return price(first) * self.rate

    def other(self):
        return 1
""".splitlines()
WITHIN = "class Bill:\ndef total(self, items):"
FOUND = finding(
    path="app.py",
    start_line=10,
    end_line=11,
    evidence="        first = items[0]\n        return price(first) * self.rate",
    within=WITHIN,
    title="An empty bill raises IndexError",
    scenario="total([]) -> IndexError",
    body="The list may be empty: `load_items` in store/rows.py gives [] for a new customer.",
)


def diff(path: str, header: str, *lines: str, old: str = "") -> str:
    changed = "\n".join(lines)
    renamed = f"rename from {old}\nrename to {path}\n" if old else ""
    return (
        f"diff --git a/{old or path} b/{path}\n{renamed}--- a/{old or path}\n+++ b/{path}\n"
        f"@@ {header}\n{changed}\n"
    )


AROUND = {
    "a check above the lines": diff("app.py", "-9,1 +9,2 @@", "+        if not items:"),
    "a line that is gone below them": diff("app.py", "-12,1 +11,0 @@", "-        x = 1"),
    "the class around it": diff(
        "app.py", "-7,1 +7,1 @@ class Bill:", "-    rate = 0", "+    rate = 2"
    ),
    "what they call": diff(
        "lib.py", "-3,1 +3,1 @@ def price(item):", "-    return 0", "+    return 1"
    ),
    "the header of what they call": diff(
        "lib.py", "-1,1 +1,1 @@", "-def price(x):", "+def price(item):"
    ),
    "what they call, whose header the hunk shows": diff(
        "lib.py", "-1,3 +1,3 @@", " def price(item):", "-    return 0", "+    return 1"
    ),
    "what the finding names": diff("db.py", "-3,1 +3,1 @@ def load_items(db):", "-    a", "+    b"),
    "a file that the finding names": diff("store/rows.py", "-1 +1 @@", "-a", "+b"),
    "such a file under another name": diff(
        "store/sql.py", "-1 +1 @@", "-a", "+b", old="store/rows.py"
    ),
    "where it is called": diff(
        "web.py", "-4,1 +4,2 @@ def show(bill):", "+    if rows: bill.total(rows)"
    ),
}
AWAY = {
    "lines at the top of its file": diff("app.py", "-1,0 +1,1 @@", "+import sys"),
    "another method of its class": diff(
        "app.py", "-14,1 +14,1 @@ class Bill:", "-        return 2", "+        return 1"
    ),
    "a neighbour of what they call": diff(
        "lib.py",
        "-1,5 +1,5 @@",
        " def price(item):",
        "     return 0",
        " ",
        " def cost():",
        "-    1",
        "+    2",
    ),
    "another file": diff("web.py", "-4,1 +4,1 @@ def show(bill):", "-    a = 1", "+    a = 2"),
    "a file whose name only ends alike": diff("arrows.py", "-1 +1 @@", "-a", "+b"),
    "words in which a name only begins": diff("web.py", "-1 +1 @@", "-totally", "+subtotal()"),
    "a condition on what they call": diff(
        "web.py", "-1 +1 @@ def show(bill):", "-    a", "+    if price(b):"
    ),
    "a call of what they call": diff(
        "web.py", "-1 +1 @@ def show(bill):", "-    a", "+    price(b)"
    ),
}


@pytest.mark.parametrize("case", AROUND)
def test_what_may_decide_it_is_told(case: str) -> None:
    (path,) = by_path(AROUND[case])
    told = bearing(FOUND, by_path(AROUND[case]).values(), APP)
    assert told.startswith(f"{path}:\n@@ ")
    assert told.splitlines()[-1] == AROUND[case].splitlines()[-1]


@pytest.mark.parametrize("case", AWAY)
def test_what_has_nothing_to_do_with_it_asks_nobody(case: str) -> None:
    assert bearing(FOUND, by_path(AWAY[case]).values(), APP) == ""


def test_of_an_older_row_every_change_of_its_file_may_decide_it() -> None:
    older = FOUND.model_copy(update={"within": None})
    case = by_path(AWAY["lines at the top of its file"]).values()
    assert bearing(older, case, APP) != ""


def test_of_many_hunks_as_much_is_told_as_a_reader_needs() -> None:
    many = "".join(
        diff("store/rows.py", f"-{n},1 +{n},1 @@", "-" + "a" * 900, "+b").partition(
            "+++ b/store/rows.py\n"
        )[2]
        for n in range(1, 90, 10)
    )
    head = diff("store/rows.py", "x").partition("@@")[0]
    told = bearing(FOUND, by_path(head + many).values(), APP)
    assert 6_000 < len(told) < 6_100
    assert told.endswith("[cut here; open the files for the rest]")


def test_a_very_large_change_takes_little_time() -> None:
    """A branch that was begun anew, in which one block of very many lines is another from end to end."""
    lines = ["def total(self, items):", *(f"    x{n} = {n}" for n in range(10_000))]
    found = FOUND.model_copy(update={"start_line": 7_000, "end_line": 7_000, "within": lines[0]})
    body = "".join(f"+{line}\n" for line in lines)
    whole = f"{diff('app.py', '-0,0 +1,10001 @@').partition('@@')[0]}@@ -0,0 +1,10001 @@\n{body}"
    others = "".join(diff(f"lib/{n}.py", "-1 +1 @@", f"-{n}", f"+{n}x") for n in range(1_000))
    since = by_path(whole + others).values()
    began = time.process_time()
    assert bearing(found, since, lines).startswith("app.py:")
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "lines",
    [
        ["+" + "a" * 20_000 + "{"],
        ["+" + "total" + " " * 20_000 + "{"],
        [f"+    {'x' * 200}{n}" for n in range(900)],
    ],
    ids=["one word", "one gap", "one block"],
)
def test_odd_lines_of_a_change_take_little_time(lines: list[str]) -> None:
    """Whoever pushes may choose them, and the whole server waits meanwhile."""
    since = by_path(diff("app.py", f"-900,0 +900,{len(lines)} @@", *lines)).values()
    began = time.process_time()
    for _ in range(3):
        assert bearing(FOUND, since, APP) == ""
    assert time.process_time() - began < 0.3


def test_a_change_near_a_finding_in_a_long_block_takes_little_time() -> None:
    lines = ["def total(self, items):", *(f"    {'x' * 200}{n}" for n in range(1_400))]
    at = {"start_line": 1_000, "end_line": 1_000, "within": "def other():", "side": "LEFT"}
    body = [f"+{line}" for line in lines[700:1_300]]
    since = by_path(diff("app.py", "-700,0 +701,600 @@", *body)).values()
    began = time.process_time()
    assert bearing(FOUND.model_copy(update=at), since, lines) == ""
    assert time.process_time() - began < 0.3


NAMES = st.text(alphabet="ab_.- [é\n", max_size=6)


@given(
    names=st.lists(NAMES.filter(bool), max_size=8),
    told=st.lists(st.one_of(NAMES, st.sampled_from(("a.b", "a", ".", " ", "b.a", "[a]")))),
)
def test_the_files_that_words_name_are_the_same_whether_all_are_looked_for_or_each(
    names: list[str], told: list[str]
) -> None:
    words = "".join([*told, *names[:3]])
    found = FileNames(f"lib/{name}" for name in names).in_(words)
    assert found == {name for name in names if names_file(words, f"lib/{name}")}


def test_many_changed_files_are_held_against_many_findings_in_little_time() -> None:
    """Of a branch that was begun anew all of them differ: a look at each for each finding took 20 seconds."""
    names = FileNames(f"lib/{number}/f{number}.py" for number in range(30_000))
    told = "What load() of f17.py gives is not what f29999.py takes. " * 40 + "a." * 2_000
    began = time.process_time()
    for _ in range(100):
        assert names.in_(told) == {"f17.py", "f29999.py"}
    assert time.process_time() - began < 2
