"""The report issue of an audit that a job was started for without a number: found again, or opened."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Final

from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.action.stop import Stop
from claude_pool_gh.audits.outputs import issue
from claude_pool_gh.conversation.audit.since import waiting
from claude_pool_gh.github import inbox, reads
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects.lookups import fate
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Repository, Thread

_PATIENCE_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class NoIssue:
    """The audit has no issue to report in."""

    why: str
    verdict: Verdict = Verdict.failed
    """Skipped where a person wants no more of it, failed where it should be there."""


_NO_ANSWER: Final = NoIssue(
    "the report issue could not be opened: GitHub does not answer. Run the job again"
)


async def report_issue(
    runtime: Runtime, keeper: Keeper, repository: Repository, stop: Stop
) -> int | NoIssue:
    """Its number, or why there is none."""
    key = issue.key(repository.id, keeper.audit)
    standing = await runtime.database.read(partial(fate, key=key))
    if standing is None or standing.state is EffectState.refused:
        await runtime.database.transact(partial(_want, runtime, keeper.audit, repository))
        runtime.writer.wake()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and not stop.is_cancelled:
        standing = await runtime.database.read(partial(fate, key=key))
        if standing is None or standing.state is EffectState.refused:
            return NoIssue(
                f"GitHub refused the report issue ({standing.error if standing else ''})"
            )
        if standing.state is EffectState.gone:
            return NoIssue(
                f"the report issue of the audit {keeper.audit} was {standing.error or 'deleted'}. Give the input "
                "`number` for another issue, or delete the ref of the audit's state, and a new one is opened: "
                f"git push origin :{keeper.ref.name}",
                Verdict.skipped,
            )
        if standing.remote_id is not None:
            return await _unless_closed(runtime, repository, standing.remote_id)
        await asyncio.sleep(_LOOK_SECONDS)
    if stop.is_cancelled:
        return NoIssue("the job was cancelled", Verdict.cancelled)
    return _NO_ANSWER


def placed(requests: tuple[CommandRequest, ...], number: int) -> tuple[CommandRequest, ...]:
    """The commands, in the thread of this number. Pure."""
    return tuple(
        each.model_copy(update={"thread": Thread(repository=each.thread.repository, number=number)})
        for each in requests
    )


async def _unless_closed(runtime: Runtime, repository: Repository, number: int) -> int | NoIssue:
    thread = Thread(repository=repository, number=number)
    try:
        is_open = (await reads.issue(runtime.services.forge, thread)).open
    except ForgeError as error:
        return NoIssue(f"the report issue #{number} could not be read: {error}. Run the job again")
    if is_open:
        return number
    why = f"the report issue #{number} is closed: reopen it, and its audit goes on"
    return NoIssue(why, Verdict.skipped)


def _want(runtime: Runtime, audit: str, repository: Repository, tx: Transaction) -> None:
    now = runtime.clock.now_ms()
    inbox.remember_repository(tx, repository)
    want(tx, issue.key(repository.id, audit), repository, waiting(audit), now)
