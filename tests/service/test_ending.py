"""Ctrl-C, `kill` and a terminal that closes, where a command waits: its exit code, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from claude_pool_gh.service import interruptible
from tests import ours

PROGRAM = """
import asyncio, tempfile

async def main():
    with tempfile.TemporaryDirectory() as scratch:
        print("waits for", scratch, flush=True)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.5)

asyncio.run(main())
"""
"""A program of somebody's that takes a moment to tidy up."""
WAITING = {
    "init": ["init", "--app", "--public-url", "https://pool.example.com", "--yes", "--no-browser"],
    "rehearse": ["rehearse", "program.py"],
}
SEEN = {"init": "Open http", "rehearse": "waits for"}
pytestmark = pytest.mark.usefixtures("interruptible")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", ["init", "rehearse"])
def test_what_waits_ends_with_its_code_and_leaves_nothing(
    name: str, number: signal.Signals, tmp_path: Path
) -> None:
    here, scratch = tmp_path / "here", tmp_path / "scratch"
    here.mkdir()
    scratch.mkdir()
    (here / "program.py").write_text(PROGRAM)
    screen, other = os.openpty()
    environment = ours.environment(HOME=str(tmp_path), TMPDIR=str(scratch), TERM="xterm")
    with subprocess.Popen(
        ours.cli(*WAITING[name]),
        cwd=here,
        env=environment,
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    ) as process:
        os.close(other)
        guard = threading.Timer(60, process.kill)
        guard.start()
        said = ""
        while SEEN[name] not in said:
            said += os.read(screen, 10_000).decode()
        if number == signal.SIGHUP:
            os.close(screen)  # from here on nothing can be written there
        if number == signal.SIGTERM:
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
        assert process.wait() == 128 + number
        guard.cancel()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    # A program of somebody's own hears of a terminal that closes itself.
    assert list(scratch.iterdir()) == [] or (name, number) == ("rehearse", signal.SIGHUP)
    assert [each.name for each in here.iterdir()] == ["program.py"]
    if number != signal.SIGHUP:
        os.close(screen)


@pytest.mark.parametrize(
    ("left_out", "seen"), [("", SEEN["init"]), ("--yes", "Its secrets")], ids=["page", "question"]
)
def test_kill_ends_what_a_script_runs_in_the_background_and_ctrl_c_does_not(
    tmp_path: Path, left_out: str, seen: str
) -> None:
    command = ours.cli(*(each for each in WAITING["init"] if each != left_out))
    script = ('trap "" INT; exec "$@"', "sh", *command)
    with subprocess.Popen(
        ["sh", "-c", *script],
        cwd=tmp_path,
        env=ours.environment(HOME=str(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any(seen in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[0].endswith("interrupted\n")
        assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


IMPATIENT = """
import asyncio, sys
from claude_pool_gh.service import interruptible

async def main():
    try:
        print("waits", flush=True)
        await asyncio.sleep(60)
    finally:
        print("tidies", flush=True)
        await asyncio.sleep(float(sys.argv[1]))
        print("tidy", flush=True)

interruptible._SAME_SECONDS = float(sys.argv[2])
try:
    interruptible.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    ("tidying", "same", "code", "said"),
    [("0.5", "2", 0, "tidy\ninterrupted\n"), ("60", "0", 130, "")],
    ids=["at once", "later"],
)
def test_ctrl_c_twice_breaks_no_tidying_off_in_the_middle(
    tidying: str, same: str, code: int, said: str
) -> None:
    """The same one twice is one; another one ends the process at once, as a kill would."""
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, tidying, same],
        env=ours.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "tidies\n"
        process.send_signal(signal.SIGINT)
        assert (process.communicate(timeout=60)[0], process.returncode) == (said, code)


def test_every_command_runs_where_a_second_ctrl_c_does_no_harm() -> None:
    service = Path(interruptible.__file__).parent
    bare = [f.name for f in service.rglob("*.py") if "asyncio.run(" in f.read_text("utf-8")]
    assert bare == ["interruptible.py"]
