"""An agent near its last turn is told so, with each number of turns once, and in time to hand in what it has."""

from __future__ import annotations

import pytest

from claude_pool_gh.agent.powers import RESULT_TOOL
from claude_pool_gh.agent.reminder import Reminder
from tests.agent.bench import a_task


def told(turns: int, *, schema: bool = False) -> dict[int, str]:
    """What a run of so many turns is told, by the turns that it then has left."""
    answered = 0
    reminder = Reminder(
        a_task("t", turns=turns, schema={"type": "object"} if schema else None), lambda: answered
    )
    said = {}
    for answered in range(1, turns + 1):
        if text := reminder.text():
            said[turns - answered] = text
        assert reminder.text() == "", "not twice"
    return said


@pytest.mark.parametrize(
    ("turns", "left"),
    [(1, []), (2, [1]), (3, [2, 1]), (4, [3, 2, 1]), (5, [3, 2, 1]), (30, [3, 2, 1])],
)
def test_it_is_told_at_its_last_turns_and_never_before_it_has_begun(
    turns: int, left: list[int]
) -> None:
    assert list(told(turns)) == left


def test_the_last_turn_is_called_that_and_the_ones_before_by_their_number() -> None:
    said = told(30)
    how = "give your answer with what you have"
    assert said == {
        3: f"You have 3 turns left of 30. Come to an end: {how} before they are used up.",
        2: f"You have 2 turns left of 30. Come to an end: {how} before they are used up.",
        1: f"This is your last turn. Use no other tool: {how} now. What you do not hand in is lost.",
    }
    assert not any(RESULT_TOOL in text for text in said.values())


def test_who_is_to_answer_in_a_form_is_told_the_tool_for_it() -> None:
    said = told(30, schema=True)
    assert all(f": call {RESULT_TOOL} with what you have found so far " in s for s in said.values())
    assert not any("give your answer" in text for text in said.values())


async def test_the_cli_is_given_it_as_words_beside_the_answers_of_the_tools() -> None:
    answered = 1
    reminder = Reminder(a_task("t", turns=10), lambda: answered)
    assert await reminder.hook({}, None, {}) == {}
    answered = 9
    told_now = await reminder.hook({}, None, {})
    specific = told_now["hookSpecificOutput"]
    assert specific["hookEventName"] == "PostToolBatch"
    assert specific["additionalContext"].startswith("This is your last turn.")
    assert await reminder.hook({}, None, {}) == {}
