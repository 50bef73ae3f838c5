"""The gate in a terminal: nothing is decided by accident, and the input can be interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.service.shell.gate import SHOWN_LINES, Choice, shown_part, understood
from tests import ours

PATCH = "diff --git a/n b/n\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+hello \\x1b[2J\n"
ASK = f"""
import asyncio, sys
from claude_pool_gh.service.console import Console
from claude_pool_gh.service.shell.gate import GateContent, ask
from claude_pool_gh.service.shell.terminal import Terminal
content = GateContent("write", "I wrote it.", {PATCH!r})
terminal = Terminal(None, Console(file=sys.stdout, force_terminal=True, width=80))
try:
    print("SAID", asyncio.run(ask(terminal, content)), flush=True)
except KeyboardInterrupt:
    print("STOPPED", flush=True)
"""

pytestmark = pytest.mark.usefixtures("interruptible")


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        ("a", Choice.approve),
        (" Approve\n", Choice.approve),
        ("r\n", Choice.reject),
        ("diff", Choice.diff),
        ("L", Choice.later),
        ("", None),
        ("\n", None),
        ("y", None),
        ("n", None),
        ("yes", None),
        ("app", None),
        ("make it shorter", None),
    ],
)
def test_only_a_choice_or_its_first_letter_counts(typed: str, choice: Choice | None) -> None:
    assert understood(typed) is choice


def test_a_long_patch_is_shown_in_part() -> None:
    patch = "\n".join(f"+{n}" for n in range(SHOWN_LINES + 7))
    lines, more = shown_part(patch)
    assert (len(lines), more) == (SHOWN_LINES, 7)
    assert shown_part("+a\n+b") == (["+a", "+b"], 0)


class Person:
    """Somebody at a terminal in which a program asks."""

    def __init__(self) -> None:
        self.screen, other = os.openpty()
        self.program = subprocess.Popen(
            [sys.executable, "-c", ASK],
            stdin=other,
            stdout=other,
            stderr=other,
            env=ours.environment(TERM="xterm"),
            start_new_session=True,
        )
        os.close(other)
        self.seen = ""

    def sees(self, text: str, times: int = 1) -> None:
        while self.seen.count(text) < times:
            try:
                part = os.read(self.screen, 10_000)
            except OSError:
                part = b""
            assert part, f"{text!r} was never shown, only {self.seen!r}"
            self.seen += part.decode(errors="replace")

    def types(self, line: str) -> None:
        os.write(self.screen, f"{line}\n".encode())


@pytest.fixture
def person() -> Iterator[Person]:
    somebody = Person()
    yield somebody
    somebody.program.kill()
    somebody.program.wait()
    os.close(somebody.screen)


def test_the_patch_is_shown_first_and_neither_enter_nor_another_word_decides(
    person: Person,
) -> None:
    person.sees("[l]ater?")
    assert person.seen.index("I wrote it.") < person.seen.index("+hello") < len(person.seen)
    assert "\x1b[2J" not in person.seen
    for times, line in enumerate(("", "y", "n"), 2):
        person.types(line)
        person.sees("[l]ater?", times)
    person.types("d")
    person.sees("+hello", 2)
    person.types("r")
    person.sees("What should be different?")
    person.types("")
    person.sees("not rejected")
    assert "SAID" not in person.seen
    person.types("r")
    person.sees("What should be different?", 2)
    person.types("shorter")
    person.sees("SAID Decision(choice=<Choice.reject: 'reject'>, feedback='shorter')")


def test_ctrl_c_ends_the_question_at_once(person: Person) -> None:
    person.sees("[l]ater?")
    os.killpg(person.program.pid, signal.SIGINT)
    person.sees("STOPPED")
    assert person.program.wait(20) == 0


def test_the_end_of_the_input_means_later(person: Person) -> None:
    person.sees("[l]ater?")
    os.write(person.screen, b"\x04")
    person.sees("SAID Decision(choice=<Choice.later: 'later'>, feedback='')")


def test_ctrl_c_ends_a_command_with_130(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, click\n"
        "from claude_pool_gh.service.cli import main\n"
        "@click.command\n"
        "def wait():\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "main.add_command(wait)\n"
        "main(['wait'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ours.environment(),
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
