"""Tells whoever gave a command that it is over: a reaction, and a mention where nothing else notifies them.

GitHub notifies nobody of an edit, and the tracking comment is only ever edited. So the eyes on the command become a
thumb or a frown, and a run that posts neither a review nor an answer ends with one short reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.github import command_rows, thread_rows
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.reaction import Reaction, ReactionContent
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.reports.views import ChangeReport, ChangeStatus, Report
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Thread, Trigger
from claude_pool_gh.terms.links import Links

_DONE: Final = frozenset({Verdict.clean, Verdict.findings, Verdict.answered})
_ASKED_FOR: Final = frozenset({"label", "button", "rerun"})
"""Triggers behind which there is a person who waits; the others happen by themselves."""
_FRESH_MS: Final = 24 * 3_600_000
"""Whatever ended earlier is told to nobody any more: a thread is shown again for other reasons too."""


@dataclass(frozen=True, slots=True)
class EndedChain:
    """A chain that is over, with what came of it."""

    chain: ChainRow
    facts: ThreadFacts
    outcome: Outcome
    report: Report | None
    comment: str
    """Key of its tracking comment."""


def tell(tx: Transaction, end: EndedChain, links: Links | None, now_ms: int) -> None:
    """Want the reaction, and the reply where one is needed. Wanting them again changes nothing."""
    reaction, repository = reaction_of(end.outcome, end.report), end.facts.thread.repository
    if reaction is None:
        return
    asked = command_rows.requests_of(tx, end.facts.key, end.chain.id)
    for request in asked:
        react(tx, request, reaction, now_ms)
    people = [request.actor.login for request in asked if _waits(request)]
    if people and end.facts.notify and _is_needed(tx, end, now_ms):
        where = comment_url(tx, links, end.facts, end.comment)
        verdict = headline(end.outcome, end.report, end.chain.plan.verb)
        text = replies.over(tuple(dict.fromkeys(people)), end.chain.plan.verb, verdict, where)
        roots = [request.comment.root for request in asked if request.comment is not None]
        reply = Reply(
            number=end.facts.thread.number, body=text, in_reply_to=roots[0] if roots else None
        )
        rows.want(tx, f"over:{end.chain.id}", repository, reply, now_ms)


def react(tx: Transaction, request: CommandRequest, content: ReactionContent, now_ms: int) -> None:
    """Let the command's comment show where it is: one reaction, which changes. Other sources have no comment."""
    if request.comment is not None:
        reaction = Reaction(comment=request.comment, content=content)
        rows.want(tx, f"reaction:{request.key}", request.thread.repository, reaction, now_ms)


def take_back_eyes(tx: Transaction, request: CommandRequest, now_ms: int) -> None:
    """Let a command that was taken up, and of which nothing came, not look as if it still ran."""
    if lookups.fate(tx, f"reaction:{request.key}") is not None:
        react(tx, request, "confused", now_ms)


def reaction_of(outcome: Outcome, report: Report | None) -> ReactionContent | None:
    """The reaction to the command that shows the end; None while a push is still on its way. Pure."""
    match report:
        case ChangeReport(fate=ChangeStatus.writing) if outcome.verdict is Verdict.answered:
            return None
        case ChangeReport(fate=ChangeStatus.refused | ChangeStatus.nothing):
            return "confused"
        case _:
            return "+1" if outcome.verdict in _DONE else "confused"


def comment_url(tx: Transaction, links: Links | None, facts: ThreadFacts, key: str) -> str:
    """The address of a tracking comment; "" while it does not stand, or where a person deleted it."""
    fate = lookups.fate(tx, key)
    if links is None or fate is None or fate.remote_id is None or fate.state == "gone":
        return ""
    return f"{thread_url(links, facts.thread, facts.place)}#issuecomment-{fate.remote_id}"


def thread_url(links: Links, thread: Thread, place: str) -> str:
    """The page of a thread."""
    kind = "pull" if place == "pull" else "issues"
    return f"{links.server.rstrip('/')}/{thread.repository.full_name}/{kind}/{thread.number}"


def _waits(request: CommandRequest) -> bool:
    source = request.source
    return request.actor.is_human and not (
        isinstance(source, Trigger) and source.kind not in _ASKED_FOR
    )


def _is_needed(tx: Transaction, end: EndedChain, now_ms: int) -> bool:
    """True where nothing else that we post notifies anybody of this end."""
    if end.outcome.verdict is Verdict.cancelled:  # the answer to `/pool cancel` says so
        return False
    if end.chain.ended_ms is None or now_ms - end.chain.ended_ms > _FRESH_MS:
        return False
    posted = [lookups.fate(tx, f"{kind}:{end.chain.id}") for kind in ("review", "answer")]
    if any(fate is not None and fate.state != "refused" for fate in posted):
        return False
    return thread_rows.is_reachable(tx, end.facts.thread.repository.id)
