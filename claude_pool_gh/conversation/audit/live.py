"""Which run of an audit is live: one at a time, whoever began it."""

from __future__ import annotations

from claude_pool_gh.audits import rows, schedule_rows
from claude_pool_gh.audits.rows import audit_key
from claude_pool_gh.audits.schedule_rows import ScheduledAudit
from claude_pool_gh.github import command_rows
from claude_pool_gh.github.command_states import CommandState
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains
from claude_pool_gh.storage import Transaction


class AuditIsLive(Exception):
    """Another run of the audit began in the same moment: the command is judged again, and then sees it."""


def take(tx: Transaction, repository_id: int, audit: str, run: str, now_ms: int) -> None:
    """Let the run of a command begin. Raises AuditIsLive."""
    if not schedule_rows.take(tx, repository_id, audit, run, now_ms):
        raise AuditIsLive(f"the audit {audit} is live already")


def other(tx: Transaction, repository_id: int, audit: str, run: str) -> bool:
    """True where another command's run of the audit is live now."""
    known = schedule_rows.get(tx, repository_id, audit)
    live = "" if known is None else known.record.live_run
    return bool(live) and live != run and not (known and ended(tx, known))


def end_ended(tx: Transaction) -> int:
    """Note which runs are over; how many."""
    number = 0
    for each in schedule_rows.live(tx):
        if ended(tx, each):
            complete = _is_complete(tx, each)
            number += schedule_rows.end(tx, each.record.live_run, complete=complete)
    return number


def ended(tx: Transaction, live: ScheduledAudit) -> bool:
    """True where a run that is live as far as the rows say is over: refused, done, or not there any more."""
    command = command_rows.get(tx, live.record.live_run)
    if command is None:
        return True
    if not command.chain_id:
        return command.state is CommandState.handled
    chain = chains.several(tx, [command.chain_id]).get(command.chain_id)
    return chain is None or chain.state is ChainState.done


def _is_complete(tx: Transaction, live: ScheduledAudit) -> bool:
    """True where it read all that it was to read."""
    command = command_rows.get(tx, live.record.live_run)
    last = rows.last_complete(tx, audit_key(live.repository_id, live.audit))
    return command is not None and last is not None and last.chain_id == command.chain_id
