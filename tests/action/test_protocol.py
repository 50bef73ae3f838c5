"""What is printed into a job's log, and what the runner makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_pool_gh.action import protocol
from tests.action.runner import obeyed

HOSTILE = [
    "::error::mine",
    "  ::add-mask::x",
    "\n::set-output name=a::b",
    "##[error]mine",
    "text ##[add-matcher]x",
    "##vso[task.setvariable variable=a]b",
    "\r::error::mine",
    "\u2028::error::mine",
    "\u00a0::error::x",
    "::stop-commands::x",
    "###[error]x",
    "\x00::error::x",
    "::",
    "\u200b::error::x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_have_worded_is_never_a_command(text: str) -> None:
    line = protocol.plain(text)
    assert obeyed(line) == []
    assert "\n" not in line
    assert not line.lstrip().startswith("::")


def test_these_texts_are_commands_where_nobody_takes_care() -> None:
    assert [bool(obeyed(text)) for text in HOSTILE[:6]] == [True] * 6


@given(st.text(alphabet=":#[]% \n\r\tvsoerror", max_size=40))
def test_no_mixture_of_the_signs_makes_one(text: str) -> None:
    assert obeyed(protocol.plain(text)) == []
    assert obeyed("a\n" + protocol.command("error", text) + "\nb") == [("error", text)]


def test_a_summary_ends_below_the_runners_limit_and_says_so() -> None:
    cut = protocol.fitting("ä" * 2_000_000)
    assert len(cut.encode()) <= protocol.SUMMARY_LIMIT
    assert cut.endswith("cut at GitHub's limit.*\n")
    assert protocol.fitting("short") == "short"
