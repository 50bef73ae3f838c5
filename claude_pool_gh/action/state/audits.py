"""Finds the audit whose state knows of a thread: its report issue, or the thread in which it is running."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Final

from claude_pool_gh.action.state import image
from claude_pool_gh.action.state.image import Damaged, Header, Unreadable
from claude_pool_gh.action.state.prune import THREADS
from claude_pool_gh.action.state.ref import Ref
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

AUDITS: Final = "refs/claude-pool/audits/"
_NAME: Final = re.compile(
    r"[0-9a-f]{40,64}\t" + re.escape(AUDITS) + r"([a-z][a-z0-9-]{0,39})$", re.MULTILINE
)
_MOST: Final = 50
"""Audits that are looked at: a ref is written by whoever may push."""


async def audit_at(ref: Ref, repository: int, thread: int) -> str:
    """The audit whose state serves a thread; "" where none does, or the repository's refs cannot be read.

    `ref`: any of the repository's, opened; it is not changed.
    """
    own = f"{THREADS}{thread}"
    try:
        listed = await ref.listed(f"{AUDITS}*", own)
        names = _NAME.findall(listed)[:_MOST]
        found = [each for name in names if (each := await _header(ref, name)) is not None]
    except WorktreeError as error:
        logger.info("states of audits not looked at: %s", error)
        return ""
    own_state = f"\t{own}\n" in f"{listed}\n"
    return served(found, repository, thread, has_own=own_state)


def served(found: Sequence[Header], repository: int, thread: int, *, has_own: bool) -> str:
    """The audit among these that a thread belongs to. `has_own`: the thread has a state of its own. Pure."""
    ours = [each for each in found if each.repository == repository]
    reports = [each.audit for each in ours if each.report == thread]
    begun = [each.audit for each in ours if each.thread == thread and each.until_ms]
    ended = [each.audit for each in ours if each.thread == thread and not has_own]
    return next(iter((*reports, *begun, *ended)), "")


async def _header(ref: Ref, name: str) -> Header | None:
    other = Ref(ref.folder, ref.login, f"{AUDITS}{name}")
    try:
        content = await other.read()
        header = None if content is None else image.parts(content)[0]
    except (Damaged, Unreadable):
        return None
    return header if header is not None and header.audit == name else None
