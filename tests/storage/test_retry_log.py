"""A call that is made again prints nothing by itself, and fills no log."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import ours

AGAIN = """
import asyncio, sqlite3
import sqlalchemy as sa
from claude_pool_gh.service.log import logs
from claude_pool_gh.storage import retries

FULL = sa.exc.OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

async def again():
    raise FULL

logs.configure(level="%s")
try:
    asyncio.run(
        retries.retried(
            again, FULL, on=lambda _: True, first_delay=0.01, longest_delay=0.01, attempts=3
        )
    )
except sa.exc.OperationalError:
    print("the end")
"""


@pytest.mark.parametrize(("level", "said"), [("INFO", False), ("DEBUG", True)])
def test_what_is_tried_again_prints_nothing_on_standard_output(level: str, said: bool) -> None:
    """A process of its own, as an operator's: who tells of retries is decided once."""
    done = subprocess.run(
        [sys.executable, "-c", AGAIN % level],
        env=ours.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "the end\n"
    assert ("stamina.retry_scheduled" in done.stderr) is said
