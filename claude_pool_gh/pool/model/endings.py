"""Turns the ends of agents' runs into the verdict on the chain that needed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.ports import Ending

_VERDICTS: Final = {
    Ending.quota: Verdict.quota,
    Ending.out_of_budget: Verdict.out_of_budget,
    Ending.out_of_turns: Verdict.out_of_turns,
    Ending.cancelled: Verdict.cancelled,
}
_GRAVEST_FIRST: Final = (
    Ending.quota,
    Ending.out_of_budget,
    Ending.out_of_turns,
    Ending.timed_out,
    Ending.failed,
    Ending.cancelled,
)


def ending_of(task: Mapping[str, Any]) -> Ending:
    """The end of a task's run; one that says nothing has failed."""
    return Ending(task.get("ending") or Ending.failed)


def verdict_of(ending: Ending) -> Verdict:
    """The verdict on a chain that could not go on after a run which ended so."""
    return _VERDICTS.get(ending, Verdict.failed)


def gravity(ending: Ending) -> int:
    """The place of an end among those that people are told first, from 0: what stops other runs too comes first."""
    return _GRAVEST_FIRST.index(ending)
