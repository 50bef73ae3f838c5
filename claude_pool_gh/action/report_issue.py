"""The report issue of an audit that a job was started for without a number: found again, or opened."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Final

from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.audits.outputs import issue
from claude_pool_gh.github import inbox, reads
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects.lookups import fate
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.service.runtime import Runtime
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Repository, Thread

_PATIENCE_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.1


async def report_issue(runtime: Runtime, keeper: Keeper, repository: Repository) -> int | str:
    """Its number; or, in words, why the audit has no issue to report in. A person who closed it wants no more."""
    key = issue.key(repository.id, keeper.audit)
    standing = await runtime.database.read(partial(fate, key=key))
    if standing is None or standing.state is EffectState.refused:
        await runtime.database.transact(partial(_want, runtime, keeper.audit, repository))
        runtime.writer.wake()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        standing = await runtime.database.read(partial(fate, key=key))
        if standing is None or standing.state is EffectState.refused:
            return f"GitHub refused the report issue ({standing.error if standing else ''})"
        if standing.state is EffectState.gone:
            return (
                f"the report issue of the audit {keeper.audit} was {standing.error or 'deleted'}. Give the input "
                "`number` for another issue, or delete the ref of the audit's state, and a new one is opened: "
                f"git push origin :{keeper.ref.name}"
            )
        if standing.remote_id is not None:
            return await _unless_closed(runtime, repository, standing.remote_id)
        await asyncio.sleep(_LOOK_SECONDS)
    return "the report issue could not be opened: GitHub does not answer. Run the job again"


def placed(requests: tuple[CommandRequest, ...], number: int) -> tuple[CommandRequest, ...]:
    """The commands, in the thread of this number. Pure."""
    return tuple(
        each.model_copy(update={"thread": Thread(repository=each.thread.repository, number=number)})
        for each in requests
    )


async def _unless_closed(runtime: Runtime, repository: Repository, number: int) -> int | str:
    thread = Thread(repository=repository, number=number)
    if (await reads.issue(runtime.services.forge, thread)).open:
        return number
    return f"the report issue #{number} is closed: reopen it, and its audit goes on"


def _want(runtime: Runtime, audit: str, repository: Repository, tx: Transaction) -> None:
    now = runtime.clock.now_ms()
    inbox.remember_repository(tx, repository)
    report = ReportIssue(title=issue.title(audit), body=issue.waiting(audit))
    want(tx, issue.key(repository.id, audit), repository, report, now)
