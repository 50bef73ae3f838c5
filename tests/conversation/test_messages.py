"""Commit messages and titles: they say what was done, and nothing in them acts."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from claude_pool_gh.conversation.changes.messages import FixedItem, message, plain, title

CHAIN = "0a1b2c3d4e"


def written(
    *fixed: FixedItem, words: str = "", approved: tuple[str, ...] = ("hubot",), verb: str = "fix"
) -> str:
    return message(
        verb, "pull request 7", fixed, words, requested_by="mona", approved_by=approved, chain=CHAIN
    )


TRAILERS = f"For pull request 7.\n\nRequested-by: mona\nApproved-by: hubot\nPool-chain: {CHAIN}\n"


def test_a_message_says_what_was_fixed_who_asked_and_who_approved() -> None:
    one = FixedItem("Exactly ten pieces get no bulk discount", "shop/prices.py")
    assert (
        written(one)
        == f"Fix: Exactly ten pieces get no bulk discount (shop/prices.py)\n\n{TRAILERS}"
    )
    assert written(one, FixedItem("f15 divides by zero", "app/calc.py")) == (
        "Fix: 2 findings\n\n- Exactly ten pieces get no bulk discount (shop/prices.py)\n"
        f"- f15 divides by zero (app/calc.py)\n\n{TRAILERS}"
    )
    assert (
        written(words="the boundary\ncounts too") == f"Fix: the boundary counts too\n\n{TRAILERS}"
    )
    assert written(words="gifts", verb="implement").startswith("Implement: gifts\n\n")
    assert written().startswith("Apply /pool fix on pull request 7\n\n")
    assert written(words="#").startswith("Apply /pool fix on pull request 7\n\n")
    assert "Approved-by: a\nApproved-by: b\n" in written(one, approved=("a", "b"))
    assert "- and 5 more" in written(*(FixedItem(f"t{n}", "p") for n in range(25)))


def test_a_subject_is_short_and_keeps_both_parts() -> None:
    subject = written(FixedItem("A long title " * 20, "src/" + "deep/" * 30 + "file.py")).split(
        "\n"
    )[0]
    assert len(subject) <= 72
    assert subject.startswith("Fix: A long title")
    assert subject.endswith("/file.py)")


HOSTILE = [
    "@octocat",
    "@octo/team please",
    "fixes #7",
    "Closes GH-7",
    "resolves octo/shop#7",
    "fix octo/shop/issues/7",
    "closes https://github.com/octo/shop/issues/7",
    "[skip ci]",
    "[ci skip] x",
    "[no ci]",
    "***NO_CI***",
    "[skip actions]",
    "x\n\nCo-authored-by: A <a@example.org>",
    "x\r\rSigned-off-by: A <a@example.org>",
    "x\u2028\u2028Approved-by: eve",
    "x\x00\x1b[31m\x07",
    "\u202edetrevni",
    "@\u200boctocat",
    "fixes #\u200b7",
    "#\u2060 7",
    "\uff20octocat",
    "skip-checks: true",
    "http:#//evil.example",
    "http:@//evil.example and 1http://evil.example",
    "x\x85\x85Requested-by: eve",
    "\ud83d\ude00 x".encode("utf-16", "surrogatepass").decode("utf-16"),
]
ALIVE = re.compile(
    r"@\w|#\d|\bgh-\d|(?:issues|pull)/\d|://|\[(?:skip|ci|no)|\*\*\*|[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]"
    r"|[\u200b-\u200f\u202a-\u202e\u2060-\u206f]",
    re.IGNORECASE,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_others_wrote_acts(text: str) -> None:
    ours = message(
        "fix",
        "pull request 7",
        [FixedItem(text, text), FixedItem(text, text)],
        "",
        requested_by=text,
        approved_by=(text,),
        chain=CHAIN,
    )
    for made in (
        ours,
        written(FixedItem(text, "p")),
        written(words=text),
        title(text, "Changes for issue 7"),
    ):
        assert not ALIVE.search(made), made
    command = ["git", "interpret-trailers", "--parse", "--no-divider"]
    for made in (ours, written(FixedItem(text, text)), written(words=text)):
        parsed = subprocess.run(
            command, input=made.encode(), check=True, capture_output=True
        ).stdout.decode()
        names = [line.split(":")[0] for line in parsed.splitlines()]
        assert names == ["Requested-by", "Approved-by", "Pool-chain"], parsed


def test_words_that_hold_a_secret_are_left_out() -> None:
    token = "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"
    plainly = written()
    assert written(FixedItem(f"{token} is logged", "p")) == plainly
    assert written(FixedItem("a", "p"), FixedItem("b", f"keys/{token}")) == plainly
    assert written(words=f"take {token} out") == plainly
    ours = message(
        "fix",
        "pull request 7",
        [FixedItem("hunter2 is logged", "p")],
        "",
        requested_by="mona",
        approved_by=("hubot",),
        chain=CHAIN,
        is_ours=lambda text: "hunter2" in text,
    )
    assert ours == plainly


@pytest.mark.parametrize("piece", ["a-", "a.", "SG.", "a:", "gh-", "://", "*", "a "])
def test_the_words_of_a_long_comment_take_little_time(piece: str) -> None:
    """A comment may have 64 KB; a scheme of an address that never comes took thirteen seconds of them."""
    began = time.process_time()
    written(words=piece * (64_000 // len(piece)))
    assert time.process_time() - began < 2


def test_titles_read_well_without_signs() -> None:
    assert title("Add gifts, fixes #7 for @octocat", "x") == "Add gifts, fixes 7 for octocat"
    assert title("  ", "Changes for issue 7") == "Changes for issue 7"
    assert title("@#", "Changes for issue 7") == "Changes for issue 7"
    assert len(title("x" * 500, "y")) == 100
    assert (
        plain("Use `functools.cache` on the @property", 100)
        == "Use `functools.cache` on the property"
    )
