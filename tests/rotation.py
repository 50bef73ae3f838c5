"""A share of many like cases for each day, so that all of them run in turn where there is no time for all at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final, TypeVar

Case = TypeVar("Case")
DAY: Final = dt.datetime.now(dt.UTC).timetuple().tm_yday
"""Of the year, read once: a run that lasts past midnight keeps its share."""


def share(cases: Sequence[Case], parts: int) -> list[Case]:
    """Today's share of the cases, every `parts`-th one; after so many days each had its turn."""
    return list(cases[DAY % parts :: parts])
