"""A chain as a terminal shows it while it runs: where it is, what it costs, and the last lines of what was said."""

from __future__ import annotations

import io
from typing import Any

import pytest

from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.records import ChainProgress, ChainStatus
from claude_pool_gh.service.console import Console
from claude_pool_gh.service.shell.terminal import one_line, picture, print_answer, print_note

STEPS = ("read", "look", "tell")


def shown(steps: tuple[str, ...] = STEPS, seconds: float = 65.0, **more: Any) -> list[str]:
    given: dict[str, Any] = {
        "chain_id": ChainId("chain-1"),
        "status": ChainStatus.running,
        "total_steps": 3,
        "completed_steps": 1,
        "current_step": 1,
        "cost_microdollars": 250_000,
    }
    out = Console(file=io.StringIO(), width=60, color_system=None)
    out.print(picture(ChainProgress(**given | more), "a  title\nof two lines", steps, seconds))
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def marks(lines: list[str]) -> list[str]:
    """The signs before the names of steps; one that turns is a spinner."""
    return [line[0] if line[0] in "✓·" else "turns" for line in lines[1:4]]


def test_the_head_is_one_line_with_time_and_money() -> None:
    assert shown()[0] == "a title of two lines  1 min 5 s  $0.25"


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (0, ["turns", "·", "·"]),
        (1, ["✓", "turns", "·"]),
        (2, ["✓", "✓", "turns"]),
        (None, ["✓", "✓", "✓"]),
    ],
)
def test_steps_before_the_current_one_are_done(current: int | None, expected: list[str]) -> None:
    assert marks(shown(current_step=current)) == expected


def test_a_step_that_waits_says_for_what() -> None:
    assert shown(waits_for="approval")[2].endswith("look approval")
    assert shown()[2].endswith("look")


def test_a_prompt_alone_shows_its_state() -> None:
    assert shown(steps=())[1].endswith("running")


def test_only_the_last_lines_of_what_was_said_are_shown_each_on_one_line() -> None:
    said = "\n".join([*(f"line {number}" for number in range(9)), "[bold]x\x1b[2J" + "y" * 99, ""])
    lines = shown(current_step_partial_output=said)[4:]
    assert len(lines) == 6
    assert lines[0] == "  line 4"
    assert lines[-1].startswith("  [bold]x\ufffd[2Jyyy")
    assert lines[-1].endswith("…")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\tb   c ", "a b c"),
        ("x" * 70, "x" * 70),
        ("x" * 71, "x" * 69 + "…"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("", ""),
    ],
)
def test_a_title_is_cut_to_one_line(text: str, line: str) -> None:
    assert one_line(text) == line
    assert len(one_line(text)) <= 70


def test_answers_go_out_and_notes_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_answer("")
    print_answer("said\x1b[2J")
    print_note("a note of [b]brackets[/b] that is much longer than " + "a line " * 30)
    out, err = capsys.readouterr()
    assert out == "said\ufffd[2J\n"
    assert err.count("\n") == 1, "a note is not broken"
    assert "[b]brackets[/b]" in err
