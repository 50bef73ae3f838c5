"""`/pool dismiss`: a finding that is none is not reported again, and the next reviewer is told why."""

from __future__ import annotations

from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.lookups.finding_lookup import findings_here, named, replied_to
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
from claude_pool_gh.reports import finding_replies, replies
from claude_pool_gh.storage import Transaction


class Dismiss(ControlVerb):
    """Says so under the finding's inline comment, too."""

    name = "dismiss"
    summary = (
        "Marks a finding as wrong: it is not reported again while its code stays as it is. In a reply to a finding, "
        "omit the ID."
    )
    places = EVERYWHERE
    arguments = "[FINDING] REASON"
    free_text = True
    is_own_word = True
    order = 220

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Dismiss the finding replied to, or the one that is named."""
        known = await findings_here(services, asked)
        under, words = await replied_to(services, asked, known), asked.command.words
        by_name = named(words[0], known) if words else None
        found = by_name or under
        reason = " ".join(words[1:] if by_name else words)
        if found is None:
            return Answer(
                finding_replies.which_finding([(each.mark, each.finding.title) for each in known])
            )
        if not reason:
            return Answer(replies.needs_text("dismiss", "a reason, which the next review is told"))
        return Act(lambda tx: _dismiss(tx, services, asked, found, reason[:1_000]))


def _dismiss(
    tx: Transaction, services: Services, asked: CommandContext, found: KnownFinding, reason: str
) -> ActResult:
    who, now = asked.request.actor.login, services.clock.now_ms()
    mine = found.thread or asked.key
    done = tables.settle(tx, mine, found.mark, Standing.dismissed, now, reason=reason, by=who)
    if done and asked.place == "pull":  # an audit's finding has no inline comment
        settled = ResolveThread(
            number=asked.thread.number,
            mark=tables.mark_of(asked.key, found.mark),
            reply=finding_replies.dismissed_thread(who, reason),
            headline=f"✖️ **Dismissed** by `{who}`",
        )
        about = f"settled:{asked.key}:{found.mark}:"
        want_last(tx, about, f"{about}dismissed:{now}", asked.thread.repository, settled, now)
    # Under the finding itself the answer stands there already.
    if asked.request.comment is not None and asked.request.comment.root is not None:
        return None, None
    return finding_replies.dismissed(found.mark, found.finding.title), None
