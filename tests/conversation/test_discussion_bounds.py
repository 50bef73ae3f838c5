"""Of a conversation an agent reads what is said and where, no more than fits, and nothing that nobody sees."""

from __future__ import annotations

from functools import partial

import pytest

from claude_pool_gh.conversation.prompts import discussion_prompt
from claude_pool_gh.conversation.prompts.discussion_prompt import Reader, newest, spelled
from claude_pool_gh.github.discussion import Discussion, LineThread, Message, SubmittedReview
from claude_pool_gh.terms.ids import Actor

MONA, BOT = Actor(id=2, login="mona"), Actor(id=1, login="pool[bot]")
READER = Reader(own_id=BOT.id, is_answer=lambda one: "ANSWER" in one.text)
OURS = "<!-- claude-pool:0123456789abcdef01234567 -->"


def said(number: int, text: str, author: Actor = MONA, *, is_comment: bool = True) -> Message:
    return Message(
        id=number,
        author=author,
        text=text,
        at=f"2026-01-01T00:00:{number:02}Z",
        node=f"n{number}",
        is_comment=is_comment,
    )


def thread(*texts: Message, hunk: str = "", resolved: bool = False) -> LineThread:
    return LineThread(root=1, path="a.py", line=2, hunk=hunk, said=texts, resolved=resolved)


def told(found: Discussion, reader: Reader = READER) -> str:
    return discussion_prompt.conversation(found, reader)


# ---- as many as there is room for


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["ab", "cd", "ef"], "(1 earlier left out)|cd|ef"),
        (["a", "bcd", "ef"], "(2 earlier left out)|ef"),
        (["a", "bc", "d"], "a|bc|d"),
        (["abcdef"], "abcd"),
        (["x", "abcdef"], "(1 earlier left out)|abcd"),
        (["abcdef", "x"], "(1 earlier left out)|x"),
        ([], ""),
    ],
    ids=[
        "the newest",
        "none from before one that is left out",
        "all that fit",
        "one that is too long",
        "one that is too long after another",
        "one after that",
        "none",
    ],
)
def test_the_newest_are_kept_up_to_a_limit(texts: list[str], shown: str) -> None:
    assert newest("|".join, [partial(str, each) for each in texts], 4) == shown


def test_what_was_not_even_read_counts_as_left_out() -> None:
    assert newest("|".join, [lambda: "a"], 4, beyond=2) == "(2 earlier left out)|a"


def test_a_text_for_which_there_is_no_room_is_not_even_made() -> None:
    """Strangers' texts may each take a tenth of a second, and there may be thousands of them."""
    made: list[int] = []

    def entry(number: int) -> str:
        made.append(number)
        return "ab"

    entries = [partial(entry, number) for number in range(9)]
    assert newest("|".join, entries, 4) == "(7 earlier left out)|ab|ab"
    assert made == [8, 7]


def test_of_a_long_thread_under_lines_the_newest_are_told() -> None:
    long = thread(*(said(number, f"{number} " + "x" * 1_900) for number in range(80)))
    found = told(Discussion(threads=(long,)))
    assert "mona: 79 x" in found
    assert "mona: 71 x" not in found
    assert "(72 earlier left out)" in found
    assert len(found) < discussion_prompt.LIMIT + 200


# ---- who said it


def test_what_others_say_is_told_also_where_it_looks_like_our_progress() -> None:
    assert told(Discussion(comments=(said(1, f"See above. {OURS}"),))) == "mona: See above."


def test_our_account_is_also_that_of_other_workflows() -> None:
    assert told(Discussion(comments=(said(1, "Deployed.", BOT),))) == "pool[bot]: Deployed."


def test_our_progress_is_not_told_and_our_answer_is() -> None:
    comments = (said(1, f"running {OURS}", BOT), said(2, f"ANSWER: yes {OURS}", BOT))
    assert told(Discussion(comments=comments)) == "pool[bot], you, earlier: ANSWER: yes"


def test_an_answer_of_ours_may_be_longer_than_what_others_say() -> None:
    long = "ANSWER " + "x" * 3_000
    own = told(Discussion(comments=(said(1, f"{long}\n\n{OURS}", BOT),)))
    assert long in own
    assert long not in told(Discussion(comments=(said(1, long),)))


@pytest.mark.parametrize(
    ("state", "where"),
    [
        ("APPROVED", "mona, in a review (approved): Fine."),
        ("CHANGES_REQUESTED", "mona, in a review (changes requested): Fine."),
        ("DISMISSED", "mona, in a review (dismissed): Fine."),
        ("COMMENTED", "mona, in a review: Fine."),
    ],
)
def test_a_reviews_verdict_is_told(state: str, where: str) -> None:
    review = SubmittedReview(said=said(1, "Fine.", is_comment=False), state=state)
    assert told(Discussion(reviews=(review,))) == where


# ---- under lines


def test_a_thread_is_told_with_its_last_lines_and_indented() -> None:
    hunk = "@@ -1,5 +1,6 @@\n one\n\n two\n+three"
    found = told(Discussion(threads=(thread(said(1, "Why?\nReally."), said(2, "So."), hunk=hunk),)))
    assert found == (
        "On a.py, line 2:\n  |  one\n  |  two\n  | +three\n  mona: Why?\n  Really.\n  mona: So."
    )


def test_a_thread_that_is_settled_says_so() -> None:
    found = told(Discussion(threads=(thread(said(1, "Why?"), resolved=True),)))
    assert found == "On a.py, line 2 (marked as resolved):\n  mona: Why?"
    here = discussion_prompt.place(thread(said(1, "Why?"), resolved=True), READER)
    assert here.startswith("a.py, line 2. The thread is marked as resolved.\n\nWhat is said there")


def test_a_thread_in_which_only_the_request_stands_is_not_told() -> None:
    reader = Reader(own_id=BOT.id, asked_in=1)
    found = thread(said(1, "/pool fix"), hunk="@@ -1 +1 @@\n+x")
    assert told(Discussion(threads=(found,)), reader) == ""
    here = discussion_prompt.place(found, reader)
    assert here == "a.py, line 2.\n\nThe part of the diff that is shown there:\n@@ -1 +1 @@\n+x"


def test_one_thread_is_left_out_that_is_told_elsewhere() -> None:
    found = Discussion(threads=(thread(said(1, "Why?")),))
    assert discussion_prompt.conversation(found, READER, without=1) == ""
    assert discussion_prompt.conversation(found, READER, without=2) != ""


# ---- what nobody sees


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a<U+202E>b"),
        ("\U000e0100", "<U+E0100>"),
        ("\U000e01ef", "<U+E01EF>"),
        ("\U000e0061", "<U+E0061>"),
        ("\u200b", "<U+200B>"),
        ("\u200d\u200c\ufeff\u00ad", "\u200d\u200c\ufeff\u00ad"),
        ("\U000e01f0\U000e00ff", "\U000e01f0\U000e00ff"),
        ("tab\tand é", "tab\tand é"),
    ],
    ids=[
        "a turn of direction",
        "the first selector",
        "the last selector",
        "a tag",
        "a space without width",
        "joiners and marks",
        "next to the selectors",
        "what is seen",
    ],
)
def test_a_character_that_nobody_sees_is_named(text: str, shown: str) -> None:
    assert spelled(text) == shown
