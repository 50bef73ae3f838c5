"""A commit's message and a pull request's title are as long as people read them, and no longer."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.changes.messages import FixedItem, message, plain, title


def subject(fixed: list[FixedItem], words: str = "", verb: str = "fix") -> str:
    return made(fixed, words, verb).split("\n")[0]


def made(fixed: list[FixedItem], words: str = "", verb: str = "fix") -> str:
    return message(
        verb,
        "pull request 7",
        fixed,
        words,
        requested_by="mona",
        approved_by=["rita"],
        chain="c1",
    )


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("four", 4, "four"),
        ("fours", 4, "fou…"),
        ("one two", 5, "one…"),
        ("a\n\tb", 9, "a b"),
        ("", 4, ""),
    ],
    ids=["as long as it may be", "longer", "cut behind a word", "in one line", "nothing"],
)
def test_a_text_is_cut_to_a_line(text: str, limit: int, line: str) -> None:
    assert plain(text, limit) == line


@pytest.mark.parametrize("verb", ["fix", "implement"])
def test_a_subject_has_at_most_72_characters(verb: str) -> None:
    for words in ("x" * 200, "w " * 100):
        found = subject([], words, verb)
        assert found.startswith(f"{verb.capitalize()}: ")
        assert 70 <= len(found) <= 72
    found = subject([FixedItem("t" * 200, "p" * 200)])
    assert len(found) <= 72
    assert found.startswith("Fix: ttt")
    assert found.endswith(f"{'p' * 20})")


def test_a_short_text_is_a_subject_as_it_is() -> None:
    assert subject([], "x" * 67) == f"Fix: {'x' * 67}"
    assert subject([], "x" * 68) == f"Fix: {'x' * 66}…"
    assert subject([]) == "Apply /pool fix on pull request 7"


@pytest.mark.parametrize(
    ("number", "listed", "more"), [(2, 2, 0), (20, 20, 0), (21, 20, 1), (30, 20, 10)]
)
def test_of_many_findings_twenty_are_listed_and_the_others_counted(
    number: int, listed: int, more: int
) -> None:
    text = made([FixedItem(f"Defect {at}", f"f{at}.py") for at in range(number)])
    lines = [line for line in text.split("\n") if line.startswith("- ")]
    assert text.startswith(f"Fix: {number} findings\n\n- Defect 0 (f0.py)\n")
    assert lines[listed:] == ([f"- and {more} more"] if more else [])
    assert lines[listed - 1] == f"- Defect {listed - 1} (f{listed - 1}.py)"


def test_a_title_is_what_the_agent_says_or_the_hosts_own() -> None:
    assert title("Mend the lock", "otherwise") == "Mend the lock"
    assert title("\u200b\n", "otherwise") == "otherwise"
    assert len(title("x" * 200, "otherwise")) == 100
