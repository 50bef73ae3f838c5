"""The one word for a job: of a command that started nothing, and of several commands together."""

from __future__ import annotations

import pytest

from claude_pool_gh.action import endings
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.conversation.review.verdict import conclude
from claude_pool_gh.pool.model.outcomes import Verdict

CLEAN, FINDINGS, FAILED, QUOTA = Verdict.clean, Verdict.findings, Verdict.failed, Verdict.quota
ANSWERED, DONE, NOTHING = Verdict.answered, JobOutcome.done, JobOutcome.nothing
REFUSED, WAITS = JobOutcome.refused, JobOutcome.awaiting_approval


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("answered", ANSWERED),
        ("joined", ANSWERED),
        ("done", DONE),
        ("refused", REFUSED),
        ("refused: cap", REFUSED),
        ("silence: the bot never obeys itself", NOTHING),
        ("given up: GitHub could not be reached", FAILED),
        ("started", FAILED),  # it has a chain, whose outcome counts
        ("", FAILED),
    ],
)
def test_a_command_that_started_nothing_is_called_by_how_it_was_answered(
    answer: str, outcome: str
) -> None:
    assert endings.of_answer(answer) == outcome


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ([], NOTHING),
        ([NOTHING], NOTHING),
        ([CLEAN], CLEAN),
        # red, wherever it stands, and the first of those
        ([FAILED, CLEAN], FAILED),
        ([CLEAN, QUOTA, FAILED], QUOTA),
        ([REFUSED, FAILED], FAILED),
        ([JobOutcome.misconfigured, CLEAN], JobOutcome.misconfigured),
        # then what was refused
        ([CLEAN, REFUSED, FINDINGS], REFUSED),
        # then the last that says more than that something was answered
        ([CLEAN, FINDINGS], FINDINGS),
        ([FINDINGS, CLEAN], CLEAN),
        ([FINDINGS, ANSWERED], FINDINGS),
        ([WAITS, DONE, NOTHING], WAITS),
        ([Verdict.cancelled, DONE], Verdict.cancelled),
        ([ANSWERED, DONE], DONE),
        ([DONE, ANSWERED, NOTHING], NOTHING),
    ],
)
def test_several_commands_have_one_word_together(outcomes: list[str], word: str) -> None:
    assert endings.joint(outcomes) == word


def test_what_makes_a_job_red_is_told_with_what_to_do_wherever_a_run_can_end_so() -> None:
    red = {word for word, is_red in endings.RED.items() if is_red}
    ours = {JobOutcome.misconfigured, JobOutcome.not_posted}  # told in words of their own
    assert set(endings.HOW) == red - ours
    assert all(text.endswith(".") for text in endings.HOW.values())


def test_a_change_beyond_one_review_is_not_told_to_cost_more() -> None:
    """No cap helps there: the verdict is the same as where money is short."""
    outcome = conclude([], [], confirmed=0, unread=1, is_read=True)
    assert "/pool review PATH" in endings.HOW[outcome.verdict]
