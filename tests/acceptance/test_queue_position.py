"""While slots are busy everybody sees where they stand, and commands keep their order."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.colleague import Colleague
from tests.acceptance.world import world


async def test_who_waits_sees_the_place_in_the_line_and_why(tmp_path: Path) -> None:
    async with world(tmp_path, more={"CLAUDE_POOL_SLOTS": "1"}) as here:
        slow = Colleague(pace=2.5)
        here.model.script = slow
        issues = [here.repository.open_issue(f"Number {n}", "?", here.maintainer) for n in range(3)]
        await here.say("/pool ask zero?")
        await here.until(lambda: slow.seen)
        await here.say("/pool ask one?", number=issues[0].number)
        await here.shows("ask", "Next in the queue: the only slot is busy.", issues[0].number)
        await here.say("/pool ask two?", number=issues[1].number)
        await here.shows("ask", "Second in the queue: the only slot is busy.", issues[1].number)
        await here.say("/pool status", number=issues[2].number)
        assert "1 of 1 slots are busy, 2 waiting in the queue." in await here.said(
            "slots are busy", issues[2].number
        )
        # As the first one ends, those behind it move up without anybody asking.
        await here.shows("ask", "Next in the queue: the only slot is busy.", issues[1].number)
        slow.pace = 0
        await here.shows("ask", "### ✅ Answered", issues[1].number)


async def test_commands_of_one_comment_take_effect_in_their_order(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.model.script = Colleague()
        lines = (
            "/pool help\n\n/pool nonsense\n\nsome words\n\n/pool status\n/pool config\n/pool cost"
        )
        await here.say(lines)
        await here.until(lambda: len(here.replies()) == 5)
        marks = (
            "| command | on |",
            "there is no command",
            "slots are busy",
            "No configuration file",
            "has spent",
        )
        assert all(mark in body for mark, body in zip(marks, here.replies(), strict=True))
