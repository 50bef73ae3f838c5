"""How caps are called where people read of them: what a server has for all its repositories, a job has for itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from claude_pool_gh.pool.store.ledger import CapUse

JOB: Final = "job"
_POOL: Final = "pool and month"


def named(uses: Iterable[CapUse], door: str) -> list[CapUse]:
    """The caps under the names that hold at a door."""
    return [replace(use, name=name_of(use.name, door)) for use in uses]


def name_of(cap: str, door: str) -> str:
    """What a cap is called at a door. A job's pool lives as long as the job."""
    return JOB if door == "action" and cap == _POOL else cap
