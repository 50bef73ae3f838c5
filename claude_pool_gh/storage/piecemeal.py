"""Deletes many rows, some in each transaction, so that others' transactions come between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from claude_pool_gh.storage.database import Transaction

Step: TypeAlias = Callable[[Transaction], int]
"""Deletes some; returns how many, 0 when nothing is left."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rows that are deleted when they are old."""

    name: str
    step: Step


async def delete_all(
    transact: Callable[[Step], Awaitable[int]], kinds: Iterable[Kind], pause_secs: float
) -> Counter[str]:
    """Delete everything of each kind, with a pause after each transaction; how many of each name."""
    counts: Counter[str] = Counter()
    for kind in kinds:
        while some := await transact(kind.step):
            counts[kind.name] += some
            await asyncio.sleep(pause_secs)
    return counts
