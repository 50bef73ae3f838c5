"""Deletes many rows, some in each transaction, so that others' transactions come between."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from claude_pool_gh.storage.database import Transaction
from claude_pool_gh.storage.retries import passes

logger = logging.getLogger(__name__)

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
    """Delete everything of each kind, with a pause after each transaction; how many of each name.

    A kind that cannot be deleted keeps no other one: the first such error is raised at the end.
    """
    counts: Counter[str] = Counter()
    failed: Exception | None = None
    for kind in kinds:
        try:
            while some := await transact(kind.step):
                counts[kind.name] += some
                await asyncio.sleep(pause_secs)
        except Exception as error:
            if passes(error):
                raise  # the next one would end the same way
            failed = failed or error
            logger.exception("%s not deleted", kind.name, extra={"action": "kind_not_deleted"})
    if failed is not None:
        raise failed
    return counts
