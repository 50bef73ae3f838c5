"""The verb: what it takes, and the plan it makes of a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Flag, Verb
from claude_pool_gh.conversation.cookbook import FOLDER, Cookbook
from claude_pool_gh.conversation.desk import (
    Answer,
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
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.review.brief import brief
from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.review.gather import doubts, gather, report
from claude_pool_gh.conversation.review.sift import sift
from claude_pool_gh.conversation.review.unplaced import unplaced
from claude_pool_gh.findings.model import output_schemas
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Step
from claude_pool_gh.pool.model.ports import HostStep
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.ids import Trigger
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="review",
    summary="Reads the pull request and reports confirmed defects: inline, in a summary and as a check.",
    places=frozenset({"pull"}),
    role=Role.write,
    arguments="[PATH…]",
    flags=(Flag("focus", "what to look at first, in quotes"), *COMMON),
    spends=True,
)


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan a review of the head as it is now; whatever is pushed later is not part of it."""
    pull = await pull_of(desk, asked)
    if not pull.open:
        return Answer(replies.closed())
    cookbook = Cookbook(desk, asked, hosts=frozenset(host_steps(desk)), outputs=output_schemas())
    steps = await cookbook.steps("review", turns=asked.config.review.turns)
    _check_shape(steps)
    guidance = await asked.files.file(f"{FOLDER}/review.md")
    facts = ReviewFacts(
        **await facts_for(desk, asked, pull),
        focus=str(asked.command.flags.get("focus", "")),
        paths=asked.command.words,
        guidance="" if guidance is None else guidance.text,
        settings=asked.config.review,
    )
    caps = caps_of(asked.config, asked.command, desk.defaults)
    pushed = isinstance(asked.request.source, Trigger) and asked.request.source.kind == "push"
    return Start(plan_of(desk, asked, steps, facts, caps), caps, instead=pushed)


_SHAPE: Final = ("brief", "find", "place", "restate", "check", "verify", "doubts", "reread", "gather")
_OLDER_SHAPE: Final = ("brief", "find", "check", "verify", "gather")
"""Of older recipes: what has no place or stays unsure there is only named."""


def _check_shape(steps: Sequence[Step]) -> None:
    """A repository may change the skills, titles and limits of the recipe, not what its steps hand to each other."""
    names = tuple(step.name for step in steps)
    outputs = [step.overrides.json_schema is not None for step in steps if isinstance(step, AgentRun)]
    if names not in (_SHAPE, _OLDER_SHAPE) or not all(outputs):
        raise RecipeError(
            f"the workflow review must have the steps {', '.join(_SHAPE)}, those of agents with outputs"
        )


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""
    return {
        "review.brief": lambda context: brief(desk, context),
        "review.place": lambda context: unplaced(desk, context),
        "review.check": lambda context: sift(desk, context),
        "review.doubts": lambda context: doubts(desk, context),
        "review.gather": lambda context: gather(desk, context),
    }


def intent(chain: ChainRow) -> str:
    """What it will do, in one sentence."""
    brief = chain.results.get("brief")
    if not brief or "files" not in brief:
        return "Reads the change. A second run checks every finding."
    parts = f" in {count(len(brief['groups']), 'part')}" if len(brief["groups"]) > 1 else ""
    what = "the new changes in " if brief["incremental"] else ""
    return f"Reads {what}{count(brief['files'], 'file')}{parts}. A second run checks every finding."


ROOM: Final = VerbRoom(
    VERB,
    answer,
    host_steps,
    report=lambda _tx, chain: report(chain),
    intent=intent,
    check=True,
    fail_on=lambda chain: facts_of(chain.plan.context, ReviewFacts).settings.fail_on,
)
