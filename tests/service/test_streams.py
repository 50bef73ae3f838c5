"""Terminals that know little, and streams that are closed or full: no traceback, and no orders to the terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests import ours

INIT = ("init", "--app", "--public-url", "https://pool.example.com")


def run(
    folder: Path, redirected: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    line = f"exec {shlex.join(ours.cli(*arguments))} {redirected}"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=ours.environment(HOME=str(folder), **environment),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("redirected", ["<&-", "</dev/null"])
def test_a_question_that_nobody_can_answer_is_said(redirected: str, tmp_path: Path) -> None:
    done = run(tmp_path, redirected, *INIT)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(
        "Error: the input ended at a question: answer it with a flag, as --help says"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, ">/dev/full", "config", "schema")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith("Error: nothing more can be written: ")


def test_an_encoding_without_our_characters_costs_nothing(tmp_path: Path) -> None:
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code = (
        "import click; from claude_pool_gh.service.cli import main; from claude_pool_gh.service.console import Console;"
        "main.add_command(click.Command('draw', callback=lambda: Console().print('\\u2500 done')));"
        "main(['draw'])"
    )
    drawn = subprocess.run(
        [*ours.cli()[:1], "-c", code],
        cwd=tmp_path,
        env=ours.environment(**old),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (drawn.returncode, drawn.stdout) == (0, "? done\n"), drawn.stderr


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colors_are_for_a_terminal_that_has_them_and_a_person_who_wants_them(
    environment: dict[str, str], colored: bool, tmp_path: Path
) -> None:
    screen, other = os.openpty()
    with subprocess.Popen(
        ours.cli("workflow", "list"),
        cwd=tmp_path,
        env=ours.environment(HOME=str(tmp_path), **environment),
        stdin=other,
        stdout=other,
        stderr=other,
    ):
        os.close(other)
        said = b""
        while part := _read(screen):
            said += part
    os.close(screen)
    assert b"find-" in said or b"ask" in said
    assert (b"\x1b[" in said) == colored


def _read(screen: int) -> bytes:
    try:
        return os.read(screen, 10_000)
    except OSError:  # Linux's end of a terminal
        return b""
