"""`/pool ask`: a question, answered with links to the lines that show it."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import outputs
from claude_pool_gh.conversation.cookbook import Cookbook
from claude_pool_gh.conversation.desk import (
    Asked,
    Desk,
    Reply,
    Start,
    VerbRoom,
    caps_of,
    facts_for,
    plan_of,
    pull_of,
)
from claude_pool_gh.conversation.facts import Facts, facts_of
from claude_pool_gh.conversation.material import about_thread
from claude_pool_gh.conversation.outputs import StatedAnswer, StatedPlace
from claude_pool_gh.github.effects.reply import Reply as ReplyEffect
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.views import Link, Told
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import CommentRef
from claude_pool_gh.terms.roles import Role
from claude_pool_gh.worktrees import history

VERB: Final = Verb(
    name="ask",
    summary="Answers a question about the code, with links to the lines that show it.",
    places=frozenset({"pull", "issue"}),
    role=Role.write,
    arguments="TEXT",
    free_text=True,
    needs=("a question",),
    flags=COMMON,
    spends=True,
)
_TURNS: Final = 30


class AskFacts(Facts):
    """What is asked, and where the answer belongs."""

    question: str
    answer_to: CommentRef | None = None


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan an answer at the head, or at the default branch as it is now."""
    pull = await pull_of(desk, asked) if asked.place == "pull" else None
    cookbook = Cookbook(desk, asked, hosts=frozenset(host_steps(desk)), outputs=outputs.schemas())
    steps = await cookbook.steps("ask", turns=_TURNS)
    facts = AskFacts(
        **await facts_for(desk, asked, pull), question=asked.text[:2_000], answer_to=asked.request.comment
    )
    caps = caps_of(asked.config, asked.command, desk.defaults)
    return Start(plan_of(desk, asked, steps, facts, caps), caps)


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""

    async def brief(context: HostStepContext) -> Done:
        facts = facts_of(context.plan.context, AskFacts)
        material = await about_thread(desk, facts, "ask")
        return Done(material.result | {"question": facts.question, "who": facts.requester.login})

    async def reply(context: HostStepContext) -> Finish:
        facts = facts_of(context.plan.context, AskFacts)
        told = await told_of(desk, facts, context.results["answer"][0].get("structured"))
        return say(desk, context, facts, told, facts.answer_to)

    return {"ask.brief": brief, "ask.reply": reply}


def say(desk: Desk, context: HostStepContext, facts: Facts, told: Told, to: CommentRef | None) -> Finish:
    """End a chain with its answer, posted once: in the review thread where it was asked there."""

    def commit(tx: Transaction) -> None:
        root = to.root if to is not None and to.kind == "review_comment" else None
        reply = ReplyEffect(number=facts.thread.number, body=replies.answer(told), in_reply_to=root)
        want(tx, f"answer:{context.chain_id}", facts.thread.repository, reply, desk.clock.now_ms())

    outcome = Outcome(verdict=Verdict.answered)
    return Finish(outcome.model_dump(mode="json"), {"text": told.text}, commit)


async def told_of(desk: Desk, facts: Facts, structured: Any) -> Told:
    """An agent's answer, with links for the places that exist. Raises StepFailed where there is none."""
    try:
        stated = StatedAnswer.model_validate(structured)
    except ValidationError as error:
        raise StepFailed("the agent's answer does not have the requested form", ours=True) from error
    mirror = desk.worktrees.mirror(facts.thread.repository.id).path
    files = await history.read_files(mirror, facts.head, {each.path for each in stated.places})
    links = [link for each in stated.places if (link := _link(desk, facts, each, files)) is not None]
    return Told(text=stated.answer, links=links)


def _link(desk: Desk, facts: Facts, stated: StatedPlace, files: dict[str, str]) -> Link | None:
    """A link to lines at the commit that was read, made by the host; None where there are no such lines."""
    text = files.get(stated.path)
    if text is None or not 1 <= stated.start_line <= stated.end_line <= text.count("\n") + 1:
        return None
    page = f"{desk.links.server}/{facts.thread.repository.full_name}/blob/{facts.head}/{quote(stated.path)}"
    lines = f"#L{stated.start_line}" + (f"-L{stated.end_line}" if stated.end_line > stated.start_line else "")
    return Link(path=stated.path, start=stated.start_line, end=stated.end_line, url=page + lines)


def report(chain: ChainRow) -> Told | None:
    """What the tracking comment shows: that it was answered; the answer itself is a reply."""
    said = chain.results.get("reply")
    return Told(text=said["text"]) if isinstance(said, dict) else None


ROOM: Final = VerbRoom(
    VERB,
    answer,
    host_steps,
    report=lambda _tx, chain: report(chain),
    intent=lambda _chain: "Reads the code and answers the question.",
)
