"""Caps go by the names that people know of App or Action, and a schedule's runs count for nobody."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.caps import MONTH_CAP, THREAD_CAP, account_of, name_of, named
from claude_pool_gh.pool.model.caps import CapUse
from tests.conversation.rows import MONA, SHOP


@pytest.mark.parametrize(
    ("cap", "runs_in", "name"),
    [
        ("pool and month", "app", "pool and month"),
        ("pool and month", "action", "job"),
        (THREAD_CAP, "action", "thread"),
        (MONTH_CAP, "action", "repository and month"),
        (MONTH_CAP, "app", "repository and month"),
    ],
)
def test_a_jobs_own_pool_is_called_the_job(cap: str, runs_in: str, name: str) -> None:
    assert name_of(cap, runs_in) == name
    assert named([CapUse(cap, 3, 2)], runs_in) == [CapUse(name, 3, 2)]


def test_a_schedule_uses_up_no_persons_day_and_no_threads_lifetime() -> None:
    assert account_of("1:7", MONA, SHOP) == {
        "conversation": "1:7",
        "repository": "1",
        "thread": "1:7",
        "user": "7",
    }
    assert account_of("1:7", MONA, SHOP, scheduled=True) == {
        "conversation": "1:7",
        "repository": "1",
    }
