"""`/pool run`: a workflow of the repository's own, with its arguments; what it changes goes through the same gate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import changes, checks
from claude_pool_gh.conversation.ask import say
from claude_pool_gh.conversation.change_facts import ChangeFacts, decided, new_branch, with_limits
from claude_pool_gh.conversation.cookbook import EDITING, Cookbook
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
from claude_pool_gh.conversation.facts import Facts, facts_of
from claude_pool_gh.conversation.gates import gate_of, waiting_step
from claude_pool_gh.conversation.guidance import BRIEF
from claude_pool_gh.conversation.material import about_thread
from claude_pool_gh.conversation.tables import approvals_of
from claude_pool_gh.github import reads
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.recipes.workflows import bind
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.template_values import output_of
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.views import Changed, Presented, Told
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import CommentRef
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="run",
    summary="Runs a workflow of this repository, from `.github/claude-pool/workflows`.",
    places=frozenset({"pull", "issue"}),
    role=Role.write,
    arguments="WORKFLOW [KEY=VALUE…]",
    needs=("the name of a workflow in `.github/claude-pool/workflows`",),
    flags=COMMON,
    spends=True,
    pushes=True,
)
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_OWN: Final = frozenset({"ask", "fix", "implement", "review", "triage"})
"""Recipes that are verbs: their host steps belong to those."""
_CHANGING: Final = frozenset({"Edit", "Write"})


class RunFacts(ChangeFacts):
    """Which workflow, and what its arguments are."""

    workflow: str
    arguments: dict[str, Any]
    answer_to: CommentRef | None = None


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan the workflow at the head, or at the default branch as it is now."""
    words = asked.command.words
    if not words or not _NAME.fullmatch(words[0]) or words[0] in _OWN:
        return Answer(replies.needs_text("run", "the name of a workflow in `.github/claude-pool/workflows`"))
    given = dict(word.partition("=")[::2] for word in words[1:] if "=" in word)
    if len(given) != len(words) - 1:
        return Answer(replies.needs_text("run", "arguments as `KEY=VALUE`, each once"))
    pull = await pull_of(desk, asked) if asked.place == "pull" else None
    cookbook = Cookbook(desk, asked, tools=EDITING)
    file = await cookbook.workflow(words[0])
    arguments = bind(file.workflow.arguments, given, f"the workflow {words[0]}")
    steps = await cookbook.expand(file.workflow, file.written, turns=asked.config.changes.turns)
    facts = await _facts(desk, asked, pull, words[0], arguments)
    caps = caps_of(asked.config, asked.command, desk.defaults)
    plan = plan_of(desk, asked, with_limits(_ended(steps), asked.config), facts, caps)
    return Start(plan.model_copy(update={"arguments": arguments}), caps)


async def _facts(
    desk: Desk,
    asked: Asked,
    pull: reads.Pull | None,
    workflow: str,
    arguments: Mapping[str, Any],
) -> RunFacts:
    common = await facts_for(desk, asked, pull)
    base = common["head"]
    if pull is not None:
        base = await reads.merge_base(desk.forge, asked.thread.repository, pull.base, pull.head)
    fork = pull is not None and pull.head_repository_id != asked.thread.repository.id
    return RunFacts(
        **common,
        **await decided(desk, asked, common["base_ref"]),
        merge_base=base,
        branch=pull.head_ref if pull else new_branch(asked),
        into="" if pull else asked.branch,
        fork=fork,
        workflow=workflow,
        arguments=dict(arguments),
        answer_to=asked.request.comment,
    )


def _ended(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The workflow's steps, and after them those of the host that let its result out."""
    if not _changes(steps):
        return (*steps, HostCall(name="reply", call="run.reply"))
    first = next(step.name for step in steps if _changes((step,)))
    propose = HostCall(name="propose", call=checks.STEP, gate=True, again_from=first)
    return (*steps, propose, HostCall(name="open", call="change.open"))


def _changes(steps: tuple[Step, ...]) -> bool:
    """Whether any agent of these steps may change files."""
    runs: list[AgentRun] = []
    for step in steps:
        match step:
            case AgentRun():
                runs.append(step)
            case Branches():
                runs += step.branches
            case HostCall():
                pass
    return any(_CHANGING & set(run.overrides.tools or ()) for run in runs)


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The brief that every workflow may have, and the steps that the host puts after a workflow's own."""

    async def reply(context: HostStepContext) -> Done | Finish:
        facts = facts_of(context.plan.context, RunFacts)
        outcomes = [runs for runs in context.results.values() if isinstance(runs, list) and runs]
        text = output_of(outcomes[-1][-1]) if outcomes else ""
        return say(desk, context, facts, Told(text=text or "(nothing was said)"), facts.answer_to)

    async def brief(context: HostStepContext) -> Done:
        facts = facts_of(context.plan.context, Facts)
        material = await about_thread(desk, facts, "run")
        return Done(material.result | {"who": facts.requester.login, "request": facts.line})

    return {BRIEF: brief, "run.reply": reply, **changes.host_steps(desk)}


def report(tx: Transaction, chain: ChainRow) -> Changed | Presented | Told | None:
    """What the tracking comment shows: a change, what waits at the workflow's own gate, or that it was answered."""
    facts = facts_of(chain.plan.context, RunFacts)
    step = waiting_step(chain)
    if step is not None and step.name != "propose":
        return _presented(tx, chain, facts)
    said = chain.results.get("reply")
    if isinstance(said, dict):
        return Told(text=said["text"])
    return changes.report(tx, chain)


def _presented(tx: Transaction, chain: ChainRow, facts: RunFacts) -> Presented | None:
    gate = gate_of(tx, chain, head=facts.head, merge_base=facts.merge_base, config_blob=facts.config_blob)
    step = waiting_step(chain)
    if gate is None or step is None:
        return None
    runs = step.result if isinstance(step.result, list) else []
    return Presented(
        text="\n\n".join(output_of(run) for run in runs),
        gate=gate.id,
        approved_by=[each.login for each in approvals_of(tx, gate.id)],
        stale=changes.moved_on(tx, facts),
    )


ROOM: Final = VerbRoom(
    VERB,
    answer,
    host_steps,
    report=report,
    intent=lambda chain: f"Runs the workflow `{facts_of(chain.plan.context, RunFacts).workflow}`.",
    check=True,
)
