"""The verb: what it takes, and the plan it makes of a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Flag, Verb
from claude_pool_gh.conversation.cookbook import FOLDER, steps_for
from claude_pool_gh.conversation.desk import Answer, Asked, Desk, Start, VerbRoom, caps_of
from claude_pool_gh.conversation.review.brief import brief
from claude_pool_gh.conversation.review.facts import Facts
from claude_pool_gh.conversation.review.gather import gather
from claude_pool_gh.conversation.review.sift import sift
from claude_pool_gh.findings.model import output_schemas
from claude_pool_gh.github import reads
from claude_pool_gh.pool.errors import RecipeError
from claude_pool_gh.pool.plan import AgentRun, Limits, Plan, Step
from claude_pool_gh.pool.ports import HostStep
from claude_pool_gh.reports import replies
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="review",
    summary="Reads the pull request and reports confirmed defects: inline, in a summary and as a check.",
    places=frozenset({"pull"}),
    role=Role.write,
    arguments="[PATH…]",
    flags=(Flag("focus", "what to look at first, in quotes"), *COMMON),
)


async def answer(desk: Desk, asked: Asked) -> Answer | Start:
    """Plan a review of the head as it is now; whatever is pushed later is not part of it."""
    thread = asked.request.thread
    pull = await reads.pull(desk.forge, thread)
    if not pull.open:
        return Answer(replies.closed())
    hosts = frozenset(host_steps(desk))
    steps = await steps_for(
        desk, asked, "review", outputs=output_schemas(), hosts=hosts, turns=asked.config.review.turns
    )
    _check_shape(steps)
    guidance = await reads.trusted_file(desk.forge, thread.repository, asked.branch, f"{FOLDER}/review.md")
    facts = Facts(
        thread=thread,
        requester=asked.request.actor.login,
        head=pull.head,
        base=pull.base,
        base_ref=pull.base_ref,
        default_branch=asked.branch,
        focus=str(asked.command.flags.get("focus", "")),
        paths=asked.command.words,
        guidance="" if guidance is None else guidance.text,
        settings=asked.config.review,
        on_error=asked.config.on_error,
    )
    caps = caps_of(asked.config, asked.command, desk.defaults)
    limits = Limits(
        task=caps.task,
        chain=caps.chain,
        wall_seconds=desk.defaults.wall_seconds or asked.config.wall_minutes * 60,
        idle_seconds=desk.defaults.idle_seconds,
    )
    workspace = {"repository_id": thread.repository.id, "commit": pull.head, "refs": facts.refs}
    plan = Plan(
        verb=VERB.name, steps=steps, limits=limits, workspace=workspace, context=facts.model_dump(mode="json")
    )
    return Start(plan, caps)


_SHAPE: Final = ("brief", "find", "check", "verify", "gather")


def _check_shape(steps: Sequence[Step]) -> None:
    """A repository may change the skills, titles and limits of the recipe, not what its steps hand to each other."""
    names = tuple(step.name for step in steps)
    outputs = [step.overrides.json_schema is not None for step in steps if isinstance(step, AgentRun)]
    if names != _SHAPE or outputs != [True, True]:
        raise RecipeError(
            f"the workflow review must have the steps {', '.join(_SHAPE)}, find and verify with outputs"
        )


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""
    return {
        "review.brief": lambda context: brief(desk, context),
        "review.check": lambda context: sift(desk, context),
        "review.gather": lambda context: gather(desk, context),
    }


ROOM: Final = VerbRoom(VERB, answer, host_steps)
