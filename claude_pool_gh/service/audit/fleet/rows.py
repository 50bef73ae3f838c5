"""Makes a row of each repository of a run from what is stored, and writes its own reports."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from claude_pool_gh.audits.fleet.model import Row, RowState, row_of
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, costs, lookup
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.service.audit import carrying, reports
from claude_pool_gh.service.audit.carrying import Audited, Failed, Unchanged
from claude_pool_gh.service.audit.fleet.carry import Fleet
from claude_pool_gh.service.audit.fleet.options import Found
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees.errors import WorktreeError

_RESUME: Final = "run the same command to resume"


async def rows(fleet: Fleet) -> list[Row]:
    """The row of every repository, in the order of the list; one whose report cannot be written costs only its own."""
    return [await _told(fleet, found) for found in fleet.run.repositories]


async def _told(fleet: Fleet, found: Found) -> Row:
    try:
        return await _row(fleet, found)
    except (OSError, WorktreeError, PoolError, AuditRefused) as error:
        reason = f"its report could not be written: {error}; {_RESUME}"
        return Row(repository=found.full_name, state=RowState.waiting, reason=reason)


async def _row(fleet: Fleet, found: Found) -> Row:
    name = found.full_name
    if (reason := fleet.run.settled.get(name)) is not None:
        return Row(repository=name, state=RowState.not_audited, reason=reason)
    if (reason := fleet.postponed.get(name)) is not None:
        told = f"{reason}; {_RESUME}"
        return Row(repository=name, state=RowState.waiting, reason=told)
    chain = await fleet.host.database.read(lambda tx: _chain(tx, fleet.run.chain_of(found)))
    if chain is None:
        return Row(repository=name, state=RowState.waiting, reason=f"not begun; {_RESUME}")
    is_done = chain.state is ChainState.done
    row = await _carried(fleet, found, chain, interrupted=not is_done)
    if is_done:
        return row
    return replace(
        row, state=RowState.waiting, reason=f"{row.reason}; {_RESUME}" if row.reason else _RESUME
    )


async def _carried(fleet: Fleet, found: Found, chain: ChainRow, *, interrupted: bool) -> Row:
    options, name = fleet.options.each, found.full_name
    subject = Subject.model_validate(chain.plan.context)
    came_to = await carrying.ended(fleet.host, chain.id, interrupted=interrupted)
    match came_to:
        case Audited(result):
            folder = options.out / found.full_name
            home = f"{options.settings.github_server_url.rstrip('/')}/{name}"
            await asyncio.to_thread(
                reports.write, result, subject.kind, folder, options.forms, home
            )
            return row_of(result, name, str(PurePosixPath(name) / reports.STEM))
        case Unchanged(reason, open_):
            state = RowState.findings if sum(open_.values()) else RowState.clean
            return Row(
                repository=name, state=state, reason=reason, commit=subject.commit, open=open_
            )
        case Failed(reason):
            cost, is_bound = await fleet.host.database.read(lambda tx: costs.cost_of(tx, chain.id))
            return Row(
                repository=name,
                state=RowState.not_audited,
                reason=reason,
                commit=subject.commit,
                cost=cost,
                cost_is_bound=is_bound,
            )


def _chain(tx: Transaction, chain_id: str) -> ChainRow | None:
    return None if lookup.state_of(tx, chain_id) is None else chains.get(tx, chain_id)
