"""A second signal while Python ends does not hide what the job has said of its own end."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
