"""Leaves an audit to the next job, where this one's own deadline has come: what its agents have read is kept."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.action.stop import Stop
from claude_pool_gh.action.wait import until
from claude_pool_gh.audits import schedule_rows
from claude_pool_gh.conversation.audit import live
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.tracking.progress import comment_key
from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.terms.markdown import COMMENT_LIMIT

_SHARE: Final = 0.25
"""Of the job's own time, once more for agents that are at work to end: what they have begun is paid."""
_LONGEST_SECONDS: Final = 300.0
"""Between the deadline of 20 minutes and the `timeout-minutes: 30` of the example."""
_LOOK_SECONDS: Final = 0.2
NOTE: Final = (
    "*The job's own deadline has come before the end of the audit. The next job with the same command goes on from "
    "here, and pays for nothing twice.*"
)


async def hand_over(
    runtime: Runtime, deadline_seconds: float, stop: Stop, showing: asyncio.Task[None]
) -> bool:
    """Begin nothing more, let agents that are at work end for a while, and say in the thread how it goes on.

    `showing`: what brings the comment up to date meanwhile. False where the job was cancelled meanwhile.
    """
    seconds = min(_LONGEST_SECONDS, deadline_seconds * _SHARE)
    letting = asyncio.create_task(runtime.pool.hand_over(seconds))
    while not (letting.done() or stop.is_cancelled):  # noqa: ASYNC110 - a signal sets a plain value
        await asyncio.sleep(_LOOK_SECONDS)
    if stop.is_cancelled:
        letting.cancel()
        return False
    await letting
    await leave_note(runtime.database, showing, runtime.clock.now_ms())
    runtime.writer.hurry()
    runtime.writer.wake()
    await until(runtime, lambda tx: not lookups.unwritten(tx))
    return True


def unfinished_run(tx: Transaction, keeper: Keeper) -> str:
    """The key of the command with which an earlier job was not done; "" where there is none."""
    if not keeper.audit:
        return ""
    known = schedule_rows.get(tx, keeper.repository, keeper.audit)
    if known is None or not known.record.live_run or live.ended(tx, known):
        return ""
    return known.record.live_run


async def leave_note(database: Database, showing: asyncio.Task[None], now_ms: int) -> None:
    """Put the note under every comment that shows a run, once nothing writes them anew without it."""
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
    await database.transact(partial(_say, now_ms=now_ms))


def _say(tx: Transaction, now_ms: int) -> None:
    """The next change of a run replaces its note."""
    for chain_id in lookup.on_the_way(tx):
        chain = chains.get(tx, chain_id)
        facts = facts_of(chain.plan.context, ThreadFacts)
        key = comment_key(chain, facts)
        shown = lookups.wanted_of(tx, key)
        if not isinstance(shown, Comment) or NOTE in shown.body:
            continue
        noted = shown.model_copy(update={"body": with_note(shown.body)})
        rows.want(tx, key, facts.thread.repository, noted, now_ms)


def with_note(body: str) -> str:
    """A comment with the note below it; above one that is as long as GitHub takes, in place of its last lines. Pure."""
    whole = f"{body}\n\n{NOTE}"
    if len(whole) <= COMMENT_LIMIT:
        return whole
    return f"{NOTE}\n\n{body[: COMMENT_LIMIT - len(NOTE) - 2]}"
