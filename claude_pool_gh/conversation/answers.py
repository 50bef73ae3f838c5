"""An agent's answer in words, posted once: with links to the lines that show it, made by the host."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from claude_pool_gh.conversation.agent_verb import F, StepContext, VerbResult
from claude_pool_gh.conversation.recipes.outputs import StatedAnswer, StatedPlace
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.views import AnswerReport, Link
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees import history


async def answered(context: StepContext[F], stated: StatedAnswer) -> VerbResult:
    """The result of a chain that was asked something: its answer, with links for the places that exist."""
    services, facts = context.services, context.facts
    mirror = services.worktrees.mirror(facts.thread.repository.id).path
    files = await history.read_files(mirror, facts.head, {each.path for each in stated.places})
    links = [link for each in stated.places if (link := _link(context, each, files)) is not None]
    told = AnswerReport(text=stated.answer, links=links)
    return VerbResult(AnswerReport(text=told.text), posted(context, told))


def posted(context: StepContext[F], told: AnswerReport) -> Callable[[Transaction], None]:
    """The act that wants an answer as a comment of its own: in the review thread, where it was asked there."""
    facts = context.facts
    to = facts.asked_in
    root = to.root if to is not None and to.kind == "review_comment" else None
    reply = Reply(number=facts.thread.number, body=replies.answer(told), in_reply_to=root)

    def commit(tx: Transaction) -> None:
        now = context.services.clock.now_ms()
        want(tx, f"answer:{context.chain_id}", facts.thread.repository, reply, now)

    return commit


def _link(context: StepContext[F], stated: StatedPlace, files: dict[str, str]) -> Link | None:
    """A link to lines at the commit that was read; None where there are no such lines."""
    facts, text = context.facts, files.get(stated.path)
    if text is None or not 1 <= stated.start_line <= stated.end_line <= text.count("\n") + 1:
        return None
    name, path = facts.thread.repository.full_name, quote(stated.path)
    page = f"{context.services.links.server}/{name}/blob/{facts.head}/{path}"
    last = f"-L{stated.end_line}" if stated.end_line > stated.start_line else ""
    url = f"{page}#L{stated.start_line}{last}"
    return Link(path=stated.path, start=stated.start_line, end=stated.end_line, url=url)
