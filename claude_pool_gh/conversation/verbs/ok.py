"""`/pool ok`: a maintainer has looked at an outsider's commit, and money may be spent on it."""

from __future__ import annotations

import re
from typing import Final

from claude_pool_gh.conversation.handler import ControlVerb
from claude_pool_gh.conversation.services import (
    Act,
    ActResult,
    Answer,
    CommandContext,
    Reply,
    Services,
    pull_of,
)
from claude_pool_gh.github import decisions
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction

_HEX: Final = re.compile(r"[0-9a-f]+")


class Ok(ControlVerb):
    """Trusts one commit, not those that are pushed after it."""

    name = "ok"
    summary = "Allows agents to run on this commit from someone without write access."
    places = frozenset({"pull"})
    arguments = "SHA"
    most_arguments = 1
    is_own_word = True
    order = 230

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Trust the head, if that is the commit that was named: a push in between is not trusted with it."""
        if not asked.command.words:
            return Answer(replies.needs_text("ok", "the commit that you have reviewed"))
        given, pull = asked.command.words[0].lower(), await pull_of(services, asked)
        if _HEX.fullmatch(given) and len(given) < replies.COMMIT_DIGITS:
            return Answer(replies.short_commit(given, pull.head))
        if not _HEX.fullmatch(given) or not pull.head.startswith(given):
            return Answer(replies.wrong_commit(given, pull.head))

        def do(tx: Transaction) -> ActResult:
            decisions.trust(tx, asked.key, pull.head, asked.request.actor, services.clock.now_ms())
            return replies.trusted(pull.head), None

        return Act(do)
