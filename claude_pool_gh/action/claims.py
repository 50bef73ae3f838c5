"""A command that a workflow gives for an event, and that another workflow's job has done already for the same commit.

A person who asks again is answered again. An event asks once, however many workflows listen to it, or to the comments
of the people whom it has reached before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.action import endings
from claude_pool_gh.commands.grammar import Command, Verb, parse
from claude_pool_gh.conversation.caps import CONVERSATION
from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Trigger

_LOOKED_AT: Final = 500
"""Chains of a thread, newest first."""
DONE: Final = "another job has taken this command for the same commit"


_SETTLED: Final = frozenset({"success", "neutral", "action_required"})
NOT_REVIEWED: Final = "NOT REVIEWED"
"""How the title of a check begins whose run has read nothing."""


def head_of(event: str, payload: Mapping[str, Any]) -> str:
    """The commit that an event is about which asks by itself; "" for one by which a person asks.

    "" too where the pull request was given another base: the same commit changes something else then.
    """
    pull, changes = payload.get("pull_request"), payload.get("changes")
    if event != "pull_request" or not isinstance(pull, dict):
        return ""
    if isinstance(changes, dict) and "base" in changes:
        return ""
    head = pull.get("head")
    return str(head.get("sha") or "") if isinstance(head, dict) else ""


def is_taken(
    tx: Transaction, request: CommandRequest, head: str, verbs: Mapping[str, Verb]
) -> bool:
    """True where the thread has a run of the same command at the same commit that came, or comes, to something."""
    command = parse(request.line, verbs)
    if not head or not isinstance(request.source, Trigger) or not isinstance(command, Command):
        return False
    for chain in lookup.newest_of(tx, CONVERSATION, thread_key(request.thread), limit=_LOOKED_AT):
        line = _line(str(chain.plan.context.get("line", "")))
        same = chain.labels.head == head and line == _line(request.line)
        if same and chain.plan.verb == command.verb.name and not _came_to_nothing(tx, chain.id):
            return True
    return False


async def is_shown(
    forge: Forge, request: CommandRequest, head: str, verbs: Mapping[str, Verb]
) -> bool:
    """The same for a job that knows nothing of earlier ones: whether a check of ours stands there for it."""
    command = parse(request.line, verbs)
    if not head or not isinstance(request.source, Trigger) or not isinstance(command, Command):
        return False
    verb, repository = command.verb.name, request.thread.repository
    key = CheckKey.of(request.thread, verb, head).format()
    path, name = f"/commits/{head}/check-runs", f"claude-pool/{verb}"
    try:
        runs = forge.pages(repository, path, key="check_runs", check_name=name, filter="all")
        return any(
            [_comes_to_something(run) async for run in runs if run.get("external_id") == key]
        )
    except ForgeError:
        return False


def _comes_to_something(run: Mapping[str, Any]) -> bool:
    title = str((run.get("output") or {}).get("title") or "")
    ended_well = run.get("conclusion") in _SETTLED and not title.startswith(NOT_REVIEWED)
    return run.get("status") != "completed" or ended_well


def _line(text: str) -> str:
    return " ".join(text.split())


def _came_to_nothing(tx: Transaction, chain_id: str) -> bool:
    outcome = chains.get(tx, chain_id).outcome
    return outcome is not None and (
        endings.RED[outcome.verdict] or outcome.verdict is Verdict.cancelled
    )
