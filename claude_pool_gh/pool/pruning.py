"""Deletes what ended long ago, a part at a time."""

from __future__ import annotations

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.store import retention


async def prune(core: Core, older_than_secs: float) -> int:
    """See `Pool.prune`."""
    before, deleted = core.clock.now_ms() - int(older_than_secs * 1000), 0
    while some := await core.database.transact(lambda tx: retention.prune(tx, core.queue, before)):
        deleted += some
    await core.database.transact(lambda tx: retention.forget_transcripts(tx, core.queue, before))
    return deleted
