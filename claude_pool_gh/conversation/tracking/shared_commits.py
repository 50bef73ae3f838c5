"""Pull requests that have the same commit as their heads.

GitHub shows the newest check of a name at a commit, whichever pull request it was made for: it has to speak for all.
"""

from __future__ import annotations

from collections.abc import Mapping

from claude_pool_gh.conversation.facts import thread_key
from claude_pool_gh.github import thread_rows
from claude_pool_gh.github.effects import lookups
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Thread


def others_at(tx: Transaction, thread: Thread, verb: str, head: str) -> dict[int, CheckRun]:
    """The checks of a verb for other open pull requests whose head is this commit, by their numbers."""
    found: dict[int, CheckRun] = {}
    for number, check in lookups.checks_at(tx, thread.repository.id, verb, head).items():
        key = thread_key(thread.model_copy(update={"number": number}))
        told = None if number == thread.number else thread_rows.known(tx, key)
        is_there = told is None or (told.open and told.head in ("", head))
        if number != thread.number and is_there:
            found[number] = check
    return found


def for_all(check: CheckRun, others: Mapping[int, CheckRun]) -> CheckRun:
    """A check that may stand for all pull requests at its commit: green only where each of theirs is. Pure."""
    if check.conclusion != "success":
        return check
    verdicts = {number: other.alone or other.conclusion for number, other in others.items()}
    not_green = {number: verdict for number, verdict in verdicts.items() if verdict != "success"}
    if not not_green:
        return check
    number = min(not_green, key=lambda each: (not_green[each] != "failure", each))
    title = f"{check.title}; #{number} has the same commit: {others[number].title}"[:200]
    verdict = "failure" if not_green[number] == "failure" else "neutral"
    return check.model_copy(update={"conclusion": verdict, "title": title, "alone": "success"})
