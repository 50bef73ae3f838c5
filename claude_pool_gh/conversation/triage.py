"""`/pool triage`: an issue in three sentences, with labels of the repository's own and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import outputs
from claude_pool_gh.conversation.cookbook import Cookbook
from claude_pool_gh.conversation.desk import Asked, Desk, Reply, Start, VerbRoom, caps_of, facts_for, plan_of
from claude_pool_gh.conversation.facts import Facts, facts_of
from claude_pool_gh.conversation.material import about_thread, plain
from claude_pool_gh.conversation.outputs import StatedTriage
from claude_pool_gh.github import reads
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.github.intake import LABEL
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import Triaged
from claude_pool_gh.reports.visible import visible_text
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="triage",
    summary="Summarizes an issue, applies existing labels and lists missing information.",
    places=frozenset({"issue"}),
    role=Role.write,
    flags=COMMON,
    most_arguments=0,
    spends=True,
)
_TURNS: Final = 20


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan a triage of the issue as it is now."""
    cookbook = Cookbook(desk, asked, hosts=frozenset(host_steps(desk)), outputs=outputs.schemas())
    steps = await cookbook.steps("triage", turns=_TURNS)
    facts = Facts(**await facts_for(desk, asked, None))
    caps = caps_of(asked.config, asked.command, desk.defaults)
    return Start(plan_of(desk, asked, steps, facts, caps), caps)


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""

    async def brief(context: HostStepContext) -> Done:
        facts = facts_of(context.plan.context, Facts)
        own = await _labels(desk, facts)
        material = await about_thread(desk, facts, "triage")
        return Done(material.result | {"labels": material.fenced(shown(own)), "own": list(own)})

    async def apply(context: HostStepContext) -> Finish:
        facts = facts_of(context.plan.context, Facts)
        try:
            stated = StatedTriage.model_validate(context.results["sort"][0].get("structured"))
        except ValidationError as error:
            raise StepFailed("the agent's answer does not have the requested form", ours=True) from error
        chosen = tuple(label for label in stated.labels if label in context.results["brief"]["own"])

        def commit(tx: Transaction) -> None:
            if chosen:
                labels = Labels(number=facts.thread.number, names=chosen)
                want(tx, f"labels:{context.chain_id}", facts.thread.repository, labels, desk.clock.now_ms())

        outcome = Outcome(verdict=Verdict.answered)
        result = stated.model_dump(mode="json") | {"labels": list(chosen)}
        return Finish(outcome, result, commit)

    return {"triage.brief": brief, "triage.apply": apply}


def shown(labels: Mapping[str, str]) -> str:
    """Labels with what the repository says they mean, a line each. Pure."""
    lines = [
        f"- {plain(name)[:60]}" + (f": {meaning}" if (meaning := visible_text(said, 200)) else "")
        for name, said in labels.items()
    ]
    return "\n".join(" ".join(line.split()) for line in lines) or "(none)"


async def _labels(desk: Desk, facts: Facts) -> dict[str, str]:
    """The labels that an agent may choose from, with their descriptions: none that would start something."""
    try:
        own = await reads.labels(desk.forge, facts.thread.repository)
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error
    return dict([each for each in own if not each[0].startswith(LABEL)][:200])


def report(chain: ChainRow) -> Triaged | None:
    """What the tracking comment shows."""
    result = chain.results.get("apply")
    return Triaged(**result) if isinstance(result, dict) else None


ROOM: Final = VerbRoom(
    VERB,
    answer,
    host_steps,
    report=lambda _tx, chain: report(chain),
    intent=lambda _chain: "Reads the issue and the related code, summarizes the issue and labels it.",
)
