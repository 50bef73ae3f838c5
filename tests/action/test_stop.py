"""A second signal while Python ends does not hide what the job has said of its own end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from claude_pool_gh.action.stop import Stop
from tests import ours

_LATE_SIGNAL = """
import os, signal, sys
from claude_pool_gh.action.stop import Stop

class Last:
    def __del__(self, kill=os.kill, own=os.getpid(), number=signal.SIGTERM):
        kill(own, number)  # modules go after Python has taken its signal handlers away

last, stop = Last(), Stop()
stop.listen()
{ignore}
sys.exit(3)
"""


@pytest.mark.parametrize(("ignore", "code"), [("stop.ignore()", 3), ("", -15)])
def test_a_signal_that_comes_while_python_ends(ignore: str, code: int) -> None:
    """The second row is the control: without it the signal is the end that a runner sees."""
    program = [sys.executable, "-c", _LATE_SIGNAL.format(ignore=ignore)]
    done = subprocess.run(program, env=ours.environment(), check=False, timeout=60)
    assert done.returncode == code


def test_a_jobs_own_deadline_is_told_from_a_signal_and_the_first_reason_stays() -> None:
    stop = Stop(began=time.monotonic() - 1_200)
    assert not stop.is_due(1_201)
    assert (stop.reason, stop.is_by_deadline) == ("", False)
    assert stop.is_due(1_199)
    assert stop.reason == "the job's own deadline of 20 minutes has passed"
    assert (stop.is_by_deadline, stop.is_cancelled) == (True, False)
    stop._heard(signal.SIGTERM, None)
    assert stop.is_cancelled
    assert stop.reason.startswith("the job's own deadline")

    other = Stop(began=time.monotonic() - 1_200)
    other._heard(signal.SIGINT, None)
    other._heard(signal.SIGTERM, None)
    assert other.is_due(0)
    assert (other.reason, other.is_by_deadline) == ("the job was cancelled", False)
