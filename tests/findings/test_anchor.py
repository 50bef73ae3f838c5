"""A finding holds only where its quote stands in the file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.findings.anchor import DroppedFinding, anchor
from claude_pool_gh.findings.model import Finding
from tests.findings.make import finding

FILE = "def price(total, rebate):\n    return total - rebate\n\nprint(price(1, 2))\n"
NOT_THERE = "its evidence is not in the file"


def held(stated: Finding, text: str) -> Finding:
    found = anchor(stated, {stated.path: text}, {})
    assert isinstance(found, Finding), found
    return found


def dropped(stated: Finding, text: str) -> str:
    found = anchor(stated, {stated.path: text}, {})
    assert isinstance(found, DroppedFinding), found
    assert (found.title, found.path) == (stated.title, stated.path)
    return found.reason


def test_evidence_at_the_stated_line_stays_there() -> None:
    assert held(finding(), FILE) == finding()


@pytest.mark.parametrize("stated", [1, 3, 4, 900])
def test_evidence_that_has_moved_is_found_at_its_only_match(stated: int) -> None:
    found = held(finding(start_line=stated, end_line=stated + 7), FILE)
    assert (found.start_line, found.end_line) == (2, 2)


def test_the_end_is_counted_from_the_quote_and_not_believed() -> None:
    found = held(
        finding(evidence="    return total - rebate\n\nprint(price(1, 2))", end_line=99), FILE
    )
    assert (found.start_line, found.end_line) == (2, 4)


def test_of_several_matches_only_the_stated_one_counts() -> None:
    text = "a\nx = 1\nb\nx = 1\n"
    assert held(finding(evidence="x = 1", start_line=4), text).start_line == 4
    several = "its evidence is in several places: lines 2, 4"
    assert dropped(finding(evidence="x = 1", start_line=3), text) == several


def test_an_exact_match_outranks_one_with_another_indentation() -> None:
    assert held(finding(evidence="  xyz", start_line=9), "xyz\n  xyz\n    xyz\n").start_line == 2


def test_indentation_may_be_misquoted_when_nothing_else_matches() -> None:
    assert held(finding(evidence="return total - rebate", start_line=9), FILE).start_line == 2
    assert dropped(finding(evidence="return total -  rebate"), FILE) == NOT_THERE


def test_spaces_at_the_ends_of_lines_do_not_matter() -> None:
    assert held(finding(evidence="    return total - rebate  \n"), FILE).start_line == 2
    assert held(finding(), FILE.replace("rebate\n", "rebate \t\n")).start_line == 2


@pytest.mark.parametrize(
    "evidence", [" ", "\n", " \n\t\n", "\r\n", "}", "x", ")", "})", "1", "\n}\n"]
)
def test_evidence_that_means_nothing_proves_nothing(evidence: str) -> None:
    text = FILE + "}\nx\n)\n})\n1\n"
    assert (
        dropped(finding(evidence=evidence), text)
        == "its evidence is too short to mean a certain place"
    )


def test_a_file_that_is_not_there_drops_the_finding() -> None:
    found = anchor(finding(path="shop/price.py"), {"shop/prices.py": FILE}, {})
    assert found == DroppedFinding(
        "The rebate is taken twice", "shop/price.py", "there is no such text file at the head"
    )
    assert dropped(finding(), "") == NOT_THERE


OLD = "def get(user, id):\n    check_owner(user)\n    return id\n"
NEW = "def get(user, id):\n    return id\n"
CHECK = finding(
    path="app/own.py", evidence="    check_owner(user)", start_line=9, suggestion="x", side="LEFT"
)


def test_a_finding_about_deleted_code_is_held_against_the_file_before_the_change() -> None:
    found = anchor(CHECK, {"app/own.py": NEW}, {"app/own.py": OLD})
    assert isinstance(found, Finding)
    assert (found.side, found.start_line, found.end_line, found.suggestion) == ("LEFT", 2, 2, None)
    there = CHECK.model_copy(update={"evidence": "    check_admin(user)"})
    assert isinstance(anchor(there, {"app/own.py": NEW}, {"app/own.py": OLD}), DroppedFinding)


def test_a_removed_file_is_held_against_what_it_was() -> None:
    assert isinstance(anchor(CHECK, {}, {"app/own.py": OLD}), Finding)
    assert anchor(CHECK, {}, {}) == DroppedFinding(
        CHECK.title, "app/own.py", "there was no such text file before the change"
    )


@pytest.mark.parametrize("base", [{}, {"app/own.py": OLD}])
def test_what_was_not_deleted_is_meant_at_the_head_whatever_side_was_stated(
    base: dict[str, str],
) -> None:
    found = anchor(CHECK, {"app/own.py": "import x\n" + OLD}, base)
    assert isinstance(found, Finding)
    assert (found.side, found.start_line) == ("RIGHT", 3)


def test_one_of_two_equal_lines_can_be_missed() -> None:
    twice = OLD + OLD.replace("get", "put")
    found = anchor(
        CHECK.model_copy(update={"start_line": 5}), {"app/own.py": OLD + NEW}, {"app/own.py": twice}
    )
    assert isinstance(found, Finding)
    assert (found.side, found.start_line) == ("LEFT", 5)


def test_a_path_that_was_another_files_before_is_held_against_both() -> None:
    renamed = {"a.py": "b.py", "c.py": "a.py"}
    base = {"a.py": "one_here(x)\n", "b.py": "two_here(x)\n"}
    for evidence, path in (("two_here(x)", "a.py"), ("one_here(x)", "c.py")):
        found = anchor(finding(path="a.py", evidence=evidence, side="LEFT"), {}, base, renamed)
        assert isinstance(found, Finding)
        assert found.path == path


@pytest.mark.parametrize("stated", ["app/own.py", "app/old.py", "a/app/old.py"])
def test_deleted_code_of_a_renamed_file_has_the_path_that_github_shows(stated: str) -> None:
    renamed = {"app/own.py": "app/old.py"}
    one = CHECK.model_copy(update={"path": stated})
    found = anchor(one, {"app/own.py": NEW}, {"app/old.py": OLD}, renamed)
    assert isinstance(found, Finding)
    assert (found.path, found.side, found.start_line) == ("app/own.py", "LEFT", 2)


def test_a_renamed_file_can_be_named_as_it_was() -> None:
    one = finding(path="app/old.py", evidence="    return id")
    found = anchor(one, {"app/own.py": NEW}, {"app/old.py": OLD}, {"app/own.py": "app/old.py"})
    assert isinstance(found, Finding)
    assert (found.path, found.side, found.start_line) == ("app/own.py", "RIGHT", 2)


def test_removed_lines_as_the_diff_shows_them_are_about_the_left_side() -> None:
    shown = CHECK.model_copy(update={"side": "RIGHT", "evidence": "-    check_owner(user)"})
    found = anchor(shown, {"app/own.py": NEW}, {"app/own.py": OLD})
    assert isinstance(found, Finding)
    assert found.side == "LEFT"


def test_code_that_is_only_in_the_old_file_is_said_to_be() -> None:
    one = CHECK.model_copy(update={"side": "RIGHT"})
    found = anchor(one, {"app/own.py": NEW}, {"app/own.py": OLD})
    assert isinstance(found, DroppedFinding)
    assert found.reason.startswith("its evidence is only in the file before the change")


@pytest.mark.parametrize(
    "evidence", ["    return total - rebate", "    return total - rebate\r\n\r\n"]
)
def test_crlf_files_are_quoted_with_or_without_carriage_returns(evidence: str) -> None:
    assert held(finding(evidence=evidence), FILE.replace("\n", "\r\n")).start_line == 2


def test_several_lines_of_a_crlf_file_are_found() -> None:
    found = held(
        finding(evidence="    return total - rebate\n\nprint(price(1, 2))"),
        FILE.replace("\n", "\r\n"),
    )
    assert (found.start_line, found.end_line) == (2, 4)


@pytest.mark.parametrize("odd", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029"])
def test_lines_are_counted_as_git_counts_them(odd: str) -> None:
    text = f"{odd}\n# a{odd}b\nx = 1\n"
    found = held(finding(evidence="x = 1", start_line=1, suggestion="x = 2"), text)
    assert (found.start_line, found.suggestion) == (3, "x = 2")


def test_a_line_with_a_form_feed_inside_can_be_quoted() -> None:
    assert held(finding(evidence="# a\fb", start_line=9), "x\n# a\fb\n").start_line == 2


def test_everything_else_of_a_finding_stays() -> None:
    stated = finding(start_line=9, suggestion="    return 0")
    found = held(stated, FILE)
    assert found.model_dump(exclude={"start_line", "end_line"}) == stated.model_dump(
        exclude={"start_line", "end_line"}
    )


LINES = st.lists(st.sampled_from(["aa", "bb", " aa", "", "cc\fdd"]), min_size=1, max_size=8)


@settings(deadline=None)
@given(
    LINES,
    st.lists(st.sampled_from(["aa", "bb", " aa", "", "c"]), min_size=1, max_size=3),
    st.integers(1, 9),
)
def test_whatever_is_held_stands_where_it_says(
    lines: list[str], evidence: list[str], stated: int
) -> None:
    quote = "\n".join(evidence)
    if not quote:
        return
    found = anchor(
        finding(evidence=quote, start_line=stated, end_line=stated),
        {"shop/prices.py": "\n".join(lines)},
        {},
    )
    if isinstance(found, Finding):
        there = lines[found.start_line - 1 : found.end_line]
        quoted = [line.strip() for line in quote.split("\n") if line.strip()]
        assert [line.strip() for line in there if line.strip()] == quoted
        assert found.evidence == "\n".join(there)
