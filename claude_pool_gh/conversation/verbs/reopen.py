"""`/pool reopen`: a finding that was dismissed by mistake counts again."""

from __future__ import annotations

from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.lookups.finding_lookup import findings_here, named, replied_to
from claude_pool_gh.conversation.review.check_findings import HIDING
from claude_pool_gh.conversation.review.feedback import THUMBS_DOWN
from claude_pool_gh.conversation.services import (
    Act,
    ActResult,
    Answer,
    CommandContext,
    Reply,
    Services,
)
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import KnownFinding, Standing
from claude_pool_gh.github.effects.resolve_thread import ResolveThread
from claude_pool_gh.github.effects.rows import want_last
from claude_pool_gh.reports import finding_replies
from claude_pool_gh.storage import Transaction


class Reopen(ControlVerb):
    """Opens the conversation at its inline comment, too."""

    name = "reopen"
    summary = (
        "Takes a dismissal back: the finding counts again. In a reply to a finding, omit the ID."
    )
    places = EVERYWHERE
    arguments = "[FINDING]"
    is_own_word = True
    order = 225

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Reopen the finding replied to, or the one that is named, wherever in the repository it was dismissed."""
        known = await findings_here(services, asked, Standing.dismissed)
        words, repository = asked.command.words, asked.thread.repository.id
        if not words:
            found = await replied_to(services, asked, known)
        elif (found := named(words[0], known)) is None:
            every = await services.database.read(
                lambda tx: tables.dismissed_in(tx, repository, last=HIDING)
            )
            found = named(words[0], every)
        if found is None:
            told = [(each.mark, each.finding.title) for each in known]
            return Answer(finding_replies.which_finding(told, Standing.dismissed))
        return Act(lambda tx: _reopen(tx, services, asked, found))


def _reopen(
    tx: Transaction, services: Services, asked: CommandContext, found: KnownFinding
) -> ActResult:
    now, who = services.clock.now_ms(), asked.request.actor.login
    by_thumb, number = found.reason == THUMBS_DOWN, pull_of(found.thread)
    if tables.reopen(tx, found.thread, found.mark) and number is not None:
        again = ResolveThread(
            number=number,
            mark=tables.mark_of(found.thread, found.mark),
            reply=finding_replies.reopened_thread(who, by_thumb=by_thumb),
            resolved=False,
        )
        about = f"settled:{found.thread}:{found.mark}:"
        want_last(tx, about, f"{about}reopened:{now}", asked.thread.repository, again, now)
    # Under the finding itself the answer stands there already.
    here = asked.request.comment is not None and asked.request.comment.root is not None
    if here and found.thread == asked.key:
        return None, None
    return finding_replies.reopened(found.mark, found.finding.title, by_thumb=by_thumb), None


def pull_of(thread: str) -> int | None:
    """The number of the pull request that a finding is of; None for one of an audit, which has no inline comment."""
    _, _, number = thread.partition(":")
    return int(number) if number.isdecimal() else None
