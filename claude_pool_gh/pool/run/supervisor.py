"""Brings slots that broke back into service, so that one bad moment does not cost a slot for good."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.errors import IllegalTransition
from claude_pool_gh.pool.run.slots import Slot, Slots
from claude_pool_gh.pool.store import slot_rows
from claude_pool_gh.storage import Database

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Supervisor:
    """Restarts each errored slot after its interval, at most `max_restarts` times in a row."""

    database: Database
    slots: Slots
    config: PoolConfig
    clock: Callable[[], float] = time.monotonic
    broke_at: dict[str, float] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look after the slots for ever."""
        while True:
            await asyncio.sleep(min(1.0, self.config.supervisor_interval_secs / 2))
            try:
                await self.look()
            except Exception:
                logger.exception("supervisor failed", extra={"action": "supervisor_failed"})

    async def look(self) -> None:
        """Restart what is due."""
        now, broken = self.clock(), self.slots.broken
        self.broke_at = {slot.id: self.broke_at.get(slot.id, now) for slot in broken}
        for slot in broken:
            due = now - self.broke_at[slot.id] >= self.config.supervisor_interval_secs
            if due and may_restart(self.config, slot):
                await self.restart(slot)

    async def restart(self, slot: Slot) -> None:
        """Put one errored slot back into service. Raises IllegalTransition for one that is in service."""
        if slot not in self.slots.broken:
            raise IllegalTransition(f"slot {slot.id}", "service", "service again")
        await self.database.transact(lambda tx: slot_rows.restart(tx, slot.id))
        logger.info("slot restarted", extra={"action": "slot_restarted", "slot": slot.id})
        self.slots.restart(slot)


def may_restart(config: PoolConfig, slot: Slot) -> bool:
    """True where a slot that broke will be restarted without anybody's doing."""
    return config.supervisor_enabled and slot.restarts < config.max_restarts
