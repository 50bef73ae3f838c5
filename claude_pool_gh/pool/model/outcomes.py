"""The outcomes of a chain. Everything people read about a result starts from one of these."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from claude_pool_gh.pool.model.plan import Frozen
from claude_pool_gh.pool.model.texts import Cleaned


class Verdict(StrEnum):
    """The kinds of end; `reports` decides what each looks like on GitHub."""

    clean = "clean"
    findings = "findings"
    unsettled = "unsettled"
    """All was read, and something that was said of it is neither confirmed nor refuted."""
    answered = "answered"
    skipped = "skipped"
    quota = "quota"
    out_of_budget = "out_of_budget"
    out_of_turns = "out_of_turns"
    cancelled = "cancelled"
    failed = "failed"


FAILURES: Final = (
    Verdict.failed,
    Verdict.cancelled,
    Verdict.out_of_budget,
    Verdict.out_of_turns,
    Verdict.quota,
)
"""Ends of chains that did not come to their end."""


class Outcome(Frozen):
    """A verdict with its reason. `ours` says that the failure is this side's, not something the user can mend.

    `operator` says that it happens again until whoever runs the server changes something. `anew` says that going on
    with what is finished would end in the same way: only a run from the beginning can do better.
    """

    verdict: Verdict
    reason: Cleaned = ""
    ours: bool = False
    operator: bool = False
    anew: bool = False
