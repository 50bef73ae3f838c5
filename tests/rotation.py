"""A share of many like tests for each day, so that all of them run in turn where there is no time for all at once.

`make test-long` runs all of them, and so does `TESTS_DAY=every make test`; `TESTS_DAY=7` runs those of the seventh
day of the year again.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import Final, TypeVar
from zlib import crc32

Case = TypeVar("Case")
DAY: Final = os.environ.setdefault("TESTS_DAY", str(dt.datetime.now(dt.UTC).timetuple().tm_yday))
"""Of the year; the workers of a run, which inherit it, collect the same tests also at midnight."""


def share(cases: Sequence[Case], parts: int) -> list[Case]:
    """Today's share of the cases, every `parts`-th one; after so many days each had its turn."""
    return list(cases if DAY == "every" else cases[int(DAY) % parts :: parts])


def is_due(name: str, parts: int) -> bool:
    """Whether a test runs today; it has one of `parts` days, whatever other tests there are."""
    return DAY == "every" or crc32(name.encode()) % parts == int(DAY) % parts
