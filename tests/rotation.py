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

PARTS: Final = {
    "tests/acceptance/": 8,
    "tests/examples/": 4,
    "tests/pictures/": 4,
    "tests/action/test_rerun.py": 3,
    "tests/action/test_attacks.py": 3,
    "tests/action/test_dry_run.py": 3,
    "tests/conversation/simulated/": 4,
    "tests/agent/test_admission.py": 3,
    "tests/agent/test_bill.py": 3,
    "tests/agent/test_models.py": 3,
    "tests/agent/test_outcomes.py": 3,
    "tests/agent/test_upstream.py": 3,
    "tests/crash/test_kill_push.py": 2,
    "tests/local/test_conversations.py": 2,
    "tests/local/test_places.py": 2,
    "tests/local/test_pool.py": 2,
    "tests/money/test_caps.py": 3,
    "tests/pool/test_chain_workers.py": 3,
    "tests/pool/test_failing_commits.py": 3,
    "tests/service/test_audit_fleet.py": 3,
    "tests/service/test_audit_fleet_sign_in.py": 3,
    "tests/service/test_audit_local.py": 3,
    "tests/service/test_init.py": 3,
    "tests/service/test_init_app.py": 3,
}
"""The days among which the tests of a folder or a file are shared out where a test has no mark of its own: those that
start servers, the CLI or whole jobs, again and again. `rotating(1)` is for what has to be seen every day."""
_DATABASES: Final = ("tests/pool/", "tests/storage/")
"""The folders whose tests run on both databases: each day on SQLite, in turn on PostgreSQL."""

Case = TypeVar("Case")
DAY: Final = os.environ.get("TESTS_DAY") or str(dt.datetime.now(dt.UTC).timetuple().tm_yday)
"""Of the year; the workers of a run, which inherit it, collect the same tests also at midnight."""
os.environ["TESTS_DAY"] = DAY


def share(cases: Sequence[Case], parts: int) -> list[Case]:
    """Today's share of the cases, every `parts`-th one; after so many days each had its turn."""
    return list(cases[int(DAY) % parts :: parts] if DAY.isdecimal() else cases)


def examples(number: int) -> int:
    """How many random cases are tried: a third on a day, which are others each day; all where there is time."""
    return len(share(range(number), 3))


def parts_of(name: str) -> int:
    """The number of days that a test's folder, file or database has to share."""
    if name.startswith(_DATABASES) and "[postgresql" in name:
        return 3
    return next((parts for place, parts in PARTS.items() if name.startswith(place)), 1)


def is_due(name: str, parts: int) -> bool:
    """Whether `make test` runs a test today; it has one of `parts` days, whatever other tests there are."""
    if not DAY.isdecimal():  # "every" or "none"
        return DAY == "every" or parts == 1
    return crc32(name.encode()) % parts == int(DAY) % parts
