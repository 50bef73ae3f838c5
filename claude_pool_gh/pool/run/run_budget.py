"""The money of one run, as an agent of one's own may reserve and book it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.ports import AgentTask, Clock, Spending
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.storage import Database, Transaction

_MONEY_SECONDS: Final = 120.0
"""How long a run waits for money that others may let go."""
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class StoredRunBudget:
    """Reserves within one run's money, each time in a transaction of its own."""

    database: Database
    clock: Clock
    task: AgentTask

    @asynccontextmanager
    async def spending(self, most: int) -> AsyncIterator[Spending]:
        """See `AgentChannel.spending`."""
        if most < 1:
            raise ValueError(f"{most} microdollars cannot be reserved: it must be at least 1")
        request_id, spent = uuid4().hex, Spending(most)
        until = asyncio.get_running_loop().time() + _MONEY_SECONDS
        while True:
            try:
                await self.database.transact(lambda tx: self._reserve(tx, request_id, most))
                break
            except CapReached:
                late = asyncio.get_running_loop().time() > until
                if late or not await self.database.read(lambda tx: self._may_come_free(tx, most)):
                    raise
            await asyncio.sleep(_LOOK_SECONDS)
        try:
            yield spent
        finally:
            cost: Any = spent.cost
            whole = isinstance(cost, int) and not isinstance(cost, bool)
            await self.database.transact(
                lambda tx: self._book(tx, request_id, most, cost if whole else None)
            )
        if not whole and cost is not None:
            raise TypeError(f"`cost` must be a whole number of microdollars, not {cost!r}")
        if cost is not None and not 0 <= cost <= most:
            raise ValueError(
                f"a cost of {cost} microdollars is not between 0 and the {most} that were reserved"
            )

    def _reserve(self, tx: Transaction, request_id: str, most: int) -> None:
        run_id, now = self.task.run_id, self.clock.now_ms()
        left = ledger.extend(
            tx, run_id, most, self.task.budget_microdollars, now, step=self.task.step_microdollars
        )
        if not ledger.reserve_request(tx, request_id, run_id, self.task.model, most, now):
            raise CapReached("task", ledger.granted(tx, run_id), left, most)

    def _may_come_free(self, tx: Transaction, most: int) -> bool:
        """True where others hold what this run lacks; not where its own cap is too small."""
        run_id = self.task.run_id
        grown = most - ledger.left_in(tx, run_id) + ledger.granted(tx, run_id)
        return grown <= (self.task.budget_microdollars or 0) and bool(
            ledger.open_beside(tx, run_id)
        )

    def _book(self, tx: Transaction, request_id: str, most: int, cost: int | None) -> None:
        now = self.clock.now_ms()
        if cost is None:
            ledger.settle_request_unknown(tx, request_id, "the agent did not say what it cost", now)
        else:
            # More than was reserved cannot be: then the agent is wrong about one of the two, and is told so.
            bound = not 0 <= cost <= most
            ledger.settle_request(tx, request_id, most if bound else cost, now, upper_bound=bound)
