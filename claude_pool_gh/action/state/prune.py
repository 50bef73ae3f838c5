"""Deletes the states of threads that have long been closed: a few are looked at by each job."""

from __future__ import annotations

import logging
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from claude_pool_gh.action.state.ref import Ref
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import ForgeError, NotFound
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

THREADS: Final = "refs/claude-pool/threads/"
KEPT_FOR: Final = timedelta(days=30)
_LOOKED_AT: Final = 3
_NAME: Final = re.compile(r"([0-9a-f]{40,64})\t" + re.escape(THREADS) + r"([1-9][0-9]{0,9})")


async def prune(ref: Ref, forge: Forge, repository: Repository, mine: int) -> None:
    """Look at a few kept threads besides our own, and delete what nobody will ask for again. Raises nothing."""
    try:
        listed = [
            found
            for found in _NAME.findall(await ref.listed(f"{THREADS}*"))
            if int(found[1]) != mine
        ]
        for commit, number in random.sample(listed, min(_LOOKED_AT, len(listed))):
            if await _is_over(forge, repository, int(number)):
                await ref.delete(f"{THREADS}{number}", commit)
    except (WorktreeError, ForgeError) as error:
        logger.warning("old states are not looked at: %s", error)


async def _is_over(forge: Forge, repository: Repository, number: int) -> bool:
    try:
        issue = await forge.read(repository, f"/issues/{number}")
        closed = datetime.fromisoformat(issue.get("closed_at") or "")
        return closed < datetime.now(UTC) - KEPT_FOR
    except (NotFound, ValueError, TypeError):
        return False  # a token that may not read issues is told the same as one who asks for what is gone
