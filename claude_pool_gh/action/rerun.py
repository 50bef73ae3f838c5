"""A job that somebody runs again: its commands that came to nothing are commands anew, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.action import endings
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.github import command_rows
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.store import chains
from claude_pool_gh.storage import Transaction

_APART: Final = 1_000
"""Between the places of one command in two attempts: no comment holds as many commands."""


def meant(
    tx: Transaction, requests: Sequence[CommandRequest], attempt: int
) -> tuple[CommandRequest, ...]:
    """The requests that a job's attempt is for: the newest known form of each, or a new one where that came to nothing.

    `attempt`: 1 for the first, as GitHub counts.
    """
    return tuple(_meant(tx, request, attempt) for request in requests)


def _meant(tx: Transaction, request: CommandRequest, attempt: int) -> CommandRequest:
    forms = [
        request.model_copy(update={"ordinal": request.ordinal + _APART * earlier})
        for earlier in range(attempt)
    ]
    known = [form for form in forms if command_rows.get(tx, form.key) is not None]
    if not known:
        return request
    return forms[-1] if _came_to_nothing(tx, known[-1]) else known[-1]


def _came_to_nothing(tx: Transaction, request: CommandRequest) -> bool:
    """True where it is over and has done nothing of what was asked. What still runs or waits goes on by itself."""
    row = command_rows.get(tx, request.key)
    if row is None or row.state != "handled":
        return False
    if not row.chain_id:
        word = endings.of_answer(row.answer)
        return endings.RED[word] or word == JobOutcome.refused
    outcome = chains.get(tx, row.chain_id).outcome
    return outcome is not None and (
        endings.RED[outcome.verdict] or outcome.verdict is Verdict.cancelled
    )
