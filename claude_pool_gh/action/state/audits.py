"""Finds the audit whose state a thread's commands need: all in its report issue, few in the thread that asked for it.

Whatever was approved, found or dismissed in a thread stands in the thread's own state.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.action.asked import Asked
from claude_pool_gh.action.state import image
from claude_pool_gh.action.state.image import Damaged, Header, Unreadable
from claude_pool_gh.action.state.ref import Ref, Unavailable
from claude_pool_gh.action.state.signing import NotSigned, StateKey
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

AUDITS: Final = "refs/claude-pool/audits/"
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")


def note(name: str, header: Header, key: StateKey) -> bytes:
    """The words of a state's commit, for jobs that look for the audit of their thread. `name`: of its ref."""
    return key.signed(_noted(name), image.told(header))


@dataclass(frozen=True, slots=True)
class Moment:
    """The thread and time of commands: whose they are is read from nothing that changes later."""

    repository: int
    thread: int
    at_ms: int


async def audit_at(
    ref: Ref, own: Ref, moment: Moment, asked: Asked, key: StateKey, *, since_ms: int | None = None
) -> str:
    """The audit whose state serves commands; "" where none does, or the token may not read the repository's refs.

    `ref`: one that stands for all audits, in a folder of its own. `own`: the thread's. `since_ms`: when the job was
    asked for that holds that one, where it is who wants to know. Raises Unavailable: that nobody has told of an audit
    does not mean that there is none.
    """
    try:
        await ref.open()
        listed = await ref.listed(f"{AUDITS}*", own.name)
        if AUDITS not in listed:
            return ""
        found = await headers(ref, key)
    except Unavailable:
        raise
    except WorktreeError as error:
        logger.info("states of audits not looked at: %s", error)
        return ""
    has_own = f"\t{own.name}\n" in f"{listed}\n"
    if since_ms is not None:
        has_own = since_ms <= moment.at_ms
    return served(found, moment, asked, has_own=has_own)


async def headers(ref: Ref, key: StateKey) -> list[Header]:
    """The headers of the states of all audits, in one small fetch. Raises WorktreeError."""
    noted = await ref.notes(AUDITS)
    found = [_header(name, told, key) for name, told in noted.items() if _NAME.fullmatch(name)]
    return [each for each in found if each is not None]


def served(found: Sequence[Header], moment: Moment, asked: Asked, *, has_own: bool) -> str:
    """The audit among these that commands of a thread are for. `has_own`: the thread has a state of its own. Pure."""
    ours = [each for each in found if each.repository == moment.repository]
    if reports := [each.audit for each in ours if each.report == moment.thread]:
        return reports[0]
    if not asked.steers:
        return ""
    if asked.runs:
        return next((each.audit for each in ours if asked.runs <= {*each.runs}), "")
    # of two audits that ran there, the one that was asked for last before the command
    spans = {each.audit: each.served(moment.thread, moment.at_ms) for each in ours}
    running = max(spans, key=lambda audit: spans[audit], default="")
    if running and spans[running]:
        return running
    here = [each.audit for each in ours if each.thread == moment.thread]
    return "" if has_own or not here else here[0]


def _header(name: str, told: bytes, key: StateKey) -> Header | None:
    """None for one that is broken or not ours: it costs that audit, and no other."""
    try:
        header, _ = image.parts(key.verified(_noted(AUDITS + name), told))
    except (Damaged, NotSigned, Unreadable) as error:
        logger.info("state of audit %s not looked at: %s", name, repr(error))
        return None
    return header if header.audit == name else None


def _noted(name: str) -> str:
    return f"{name} note"
