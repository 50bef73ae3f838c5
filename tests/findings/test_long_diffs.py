"""A long diff is read in parts: none is longer than it may be, and each says by its numbers where it begins."""

from __future__ import annotations

import re

import pytest

from claude_pool_gh.findings.changes import FILE_BYTES, PART_CHARACTERS, Change, ReadChanges, read
from claude_pool_gh.findings.diffs import Entry

HEADER = "diff --git a/x b/x\nindex 1111111..2222222 100644\n--- a/x\n+++ b/x\n"
LONGEST_LINE = 5_000
CUT = " [the rest of this line is left out]"
NUMBERS = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


def read_one(text: str) -> ReadChanges:
    entry = Entry("M", "x", None, ("1" * 40, "2" * 40), 1, 1, binary=False, names=("x",))
    return read([entry], {"x": text.encode()})


def hunk(*lines: str, left: int = 1, right: int = 1) -> str:
    before = sum(line[0] in "- " for line in lines)
    after = sum(line[0] in "+ " for line in lines)
    return f"@@ -{left},{before} +{right},{after} @@\n" + "".join(f"{line}\n" for line in lines)


def begins(change: Change) -> list[tuple[int, int]]:
    """The numbers with which the parts of a hunk begin, before and after the change."""
    return [(int(at[1]), int(at[2])) for at in NUMBERS.finditer(change.text)]


def body(change: Change) -> list[str]:
    return [line for line in change.text.split("\n") if line[:1] in (" ", "+", "-", "\\")][2:]


# ---- in parts


def test_the_parts_of_a_hunk_go_on_where_the_one_before_ended() -> None:
    wide = "x" * 3_998
    lines = [
        f" {wide}",
        f"-{wide}",
        f"+{wide}",
        f"+{wide}",
    ] * 8  # 4,000 characters each, with its end
    changes = read_one(HEADER + hunk(*lines, left=101, right=201)).changes
    assert [begins(each) for each in changes] == [[(101, 201)], [(109, 212)], [(117, 223)]]
    assert [line for each in changes for line in body(each)] == lines
    assert [(each.added, each.removed) for each in changes] == [(7, 4), (7, 4), (2, 0)]


def test_as_much_as_may_stand_together_stands_together() -> None:
    full = "+" + "x" * (LONGEST_LINE - 2)
    exact = [*[full] * 11, "+" + "x" * (PART_CHARACTERS - 11 * LONGEST_LINE - 1)]
    assert len(exact[-1]) == LONGEST_LINE
    (one,) = read_one(HEADER + hunk(*exact)).changes
    assert len(body(one)) == 12
    assert len(read_one(HEADER + hunk(*exact, "+")).changes) == 2


def test_short_hunks_share_a_part_up_to_the_limit() -> None:
    third = hunk("+" + "x" * 4_000, *["+" + "y" * 3_996] * 4)
    per_part = PART_CHARACTERS // (len(third) - 1)
    changes = read_one(HEADER + third * (2 * per_part + 1)).changes
    assert [len(begins(each)) for each in changes] == [per_part, per_part, 1]
    assert {each.text.count(HEADER.split("\n", maxsplit=1)[0]) for each in changes} == {1}
    assert not any("index 1111111" in each.text for each in changes)


def test_a_note_on_the_end_of_a_file_stays_with_its_line() -> None:
    note = "\\ No newline at end of file"
    full = "+" + "x" * (LONGEST_LINE - 2)
    changes = read_one(HEADER + hunk(*[full] * 12)[:-1] + f"\n{note}\n").changes
    assert body(changes[-1])[-1] == note
    assert len(changes) == 1


# ---- too long


def test_a_very_long_line_is_cut_and_the_file_is_said_not_to_be_read_whole() -> None:
    exact, longer = "+" + "x" * (LONGEST_LINE - 1), "+" + "x" * LONGEST_LINE
    found = read_one(HEADER + hunk(exact))
    assert (body(found.changes[0]), found.unreadable) == ([exact], ())
    found = read_one(HEADER + hunk("+a", longer, "+b"))
    assert body(found.changes[0]) == ["+a", longer[:LONGEST_LINE] + CUT, "+b"]
    assert found.unreadable == (("x", "it has lines of more than 5,000 characters"),)


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)])
def test_a_diff_of_more_bytes_than_a_file_may_have_costs_that_file(
    more: int, is_read: bool
) -> None:
    full = hunk(*["+" + "x" * 998] * 999, "+")
    text = HEADER + full[:-1] + "y" * (FILE_BYTES + more - len(HEADER) - len(full)) + "\n"
    assert len(text) == FILE_BYTES + more
    found = read_one(text)
    assert bool(found.changes) is is_read
    if not is_read:
        assert found.unreadable == (("x", f"its diff has {FILE_BYTES + 1:,} bytes"),)


@pytest.mark.parametrize("text", ["", HEADER])
def test_what_shows_no_line_is_not_read(text: str) -> None:
    assert read_one(text) == ReadChanges((), (("x", "git shows no lines of it"),))
