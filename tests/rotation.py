"""A share of many like tests for each day, so that all of them run in turn where there is no time for all at once.

`TESTS_DAY=every make test` runs all of them, `TESTS_DAY=7 make test` those of the seventh day of the year.
`make test-long` runs all of them too: on no day is any of them left to `make test`.
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
    return list(cases[int(DAY) % parts :: parts] if DAY.isdecimal() else cases)


def is_due(name: str, parts: int) -> bool:
    """Whether `make test` runs a test today; it has one of `parts` days, whatever other tests there are."""
    if not DAY.isdecimal():  # "every" or "none"
        return DAY == "every" or parts == 1
    return crc32(name.encode()) % parts == int(DAY) % parts
