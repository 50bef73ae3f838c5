"""A gate in a terminal: what waits for approval is shown, and a person says what becomes of it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rich.text import Text

from claude_pool_gh.service.shell.terminal import Terminal

QUESTION: Final = "[a]pprove, [r]eject, [d]iff, [l]ater? "
SHOWN_LINES: Final = 60
"""Lines of a patch that are shown without being asked for."""
_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


class Choice(StrEnum):
    """An answer that a person can give at a gate."""

    approve = "approve"
    reject = "reject"
    diff = "diff"
    later = "later"


@dataclass(frozen=True, slots=True)
class GateContent:
    """The content with which a chain waits."""

    step: str
    said: str
    """What the step's agents answered."""
    patch: str
    """What they changed, as a diff; "" where nothing was."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer that was given at a gate, and of a rejection why."""

    choice: Choice
    feedback: str = ""


def understood(typed: str) -> Choice | None:
    """The choice that a line means, by its first letter or its word; None for any other line, an empty one too."""
    word = typed.strip().lower()
    return next((each for each in Choice if word in (each.value, each.value[0])), None)


def shown_part(patch: str, limit: int = SHOWN_LINES) -> tuple[list[str], int]:
    """The first lines of a patch, and how many more it has."""
    lines = patch.splitlines()
    return lines[:limit], max(0, len(lines) - limit)


async def ask(terminal: Terminal, content: GateContent) -> Decision:
    """Show what waits and ask until somebody decides. The end of the input means later, as does an empty reason."""
    terminal.show_work(content.said, content.step)
    _show_patch(terminal, content.patch)
    while True:
        typed = await _line(terminal, QUESTION)
        choice = Choice.later if typed is None else understood(typed)
        if choice is Choice.diff:
            _show_patch(terminal, content.patch, whole=True)
        elif choice is Choice.reject:
            feedback = await _line(terminal, "What should be different? ")
            if feedback is not None and feedback.strip():
                return Decision(Choice.reject, feedback.strip())
            terminal.note("not rejected: the agent needs to be told what should be different")
        elif choice is not None:
            return Decision(choice)


def show(terminal: Terminal, content: GateContent) -> None:
    """Show what waits, where nobody is asked."""
    terminal.show_work(content.said, content.step)
    _show_patch(terminal, content.patch)


def _show_patch(terminal: Terminal, patch: str, *, whole: bool = False) -> None:
    if not patch:
        terminal.note("no file was changed")
        return
    lines, more = shown_part(patch, len(patch) if whole else SHOWN_LINES)
    for line in lines:
        style = "bold" if line.startswith(("diff ", "+++", "---")) else _STYLES.get(line[:1], "")
        terminal.progress.print(Text(line, style=style))
    if more:
        terminal.note(f"… {more} more lines; d shows all of them")


async def _line(terminal: Terminal, question: str) -> str | None:
    """A line that a person types; None at the end of the input. Ctrl-C ends the wait, as any other."""
    terminal.progress.print(Text(question, style="bold"), end="")
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
        line = sys.stdin.readline()
    finally:
        loop.remove_reader(sys.stdin)
    return line or None
