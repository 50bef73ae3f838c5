"""`/pool run`: a workflow of the repository's own, with its arguments; what it changes goes through the same gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from claude_pool_gh.conversation.agent_verb import AgentVerb, VerbResult, finished
from claude_pool_gh.conversation.answers import posted
from claude_pool_gh.conversation.changes import change_report, checks
from claude_pool_gh.conversation.changes import publication as changes
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts, decided, new_branch
from claude_pool_gh.conversation.changes.gates import gate_of, waiting_step
from claude_pool_gh.conversation.changing_verb import ChangingVerb
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE
from claude_pool_gh.conversation.lookups.branch_point import merge_base
from claude_pool_gh.conversation.prompts.thread_prompt import about_thread
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.conversation.recipes.recipe_terms import (
    BRIEF,
    NAME,
    OF_THE_HOST,
    OF_THE_HOST_TOLD,
)
from claude_pool_gh.conversation.services import (
    Answer,
    CommandContext,
    Reply,
    Services,
    facts_for,
    pull_of,
)
from claude_pool_gh.github import reads
from claude_pool_gh.github.decisions import approvals_of
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.recipes.workflows import bind
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.template_values import output_of
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.views import AnswerReport, HandInReport, Report
from claude_pool_gh.storage import Transaction

_WHICH: Final = "the name of a workflow in `.github/claude-pool/workflows`"
_CHANGING: Final = frozenset({"Edit", "Write"})


class RunFacts(ChangeFacts):
    """Which workflow, and what its arguments are."""

    workflow: str
    arguments: dict[str, Any]


class Run(ChangingVerb[RunFacts]):
    """Runs what the repository has written, at the head, or at the default branch as it is now."""

    name = "run"
    summary = "Runs a workflow of this repository, from `.github/claude-pool/workflows`."
    places = EVERYWHERE
    arguments = "WORKFLOW [KEY=VALUE…]"
    needs = (_WHICH,)
    order = 60
    facts = RunFacts
    recipe = ""

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Plan the workflow that the command names."""
        words = asked.command.words
        if not words or not NAME.fullmatch(words[0]) or words[0] in self._recipes_of_verbs:
            return Answer(replies.needs_text("run", _WHICH))
        given = dict(word.partition("=")[::2] for word in words[1:] if "=" in word)
        if len(given) != len(words) - 1:
            return Answer(replies.needs_text("run", "arguments as `KEY=VALUE`, each once"))
        pull = await pull_of(services, asked) if asked.place == "pull" else None
        resolver = self.resolver(services, asked)
        file = await resolver.workflow(words[0])
        arguments = bind(file.workflow.arguments, given, f"the workflow {words[0]}")
        steps = await resolver.compile_steps(
            file.workflow, file.written, turns=self.turns(asked.config)
        )
        self.recipe_needs.check(steps, f"the workflow {words[0]}")
        facts = await _facts(services, asked, pull, words[0], arguments)
        start = self.start(services, asked, _ended(steps), facts)
        return replace(start, plan=start.plan.model_copy(update={"arguments": arguments}))

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """Nothing but fields that there are: the host puts its own steps behind the workflow's."""
        return replace(super().recipe_needs, one_of=frozenset(), gate=None)

    @property
    def _recipes_of_verbs(self) -> set[str]:
        """Recipes that are verbs: their host steps belong to those."""
        verbs = (each for each in self.every.values() if isinstance(each, AgentVerb))
        return {name for each in verbs for name in each.workflows}

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """The brief that every workflow may have, and the steps that the host puts after a workflow's own."""

        async def reply(context: HostStepContext) -> Done | Finish:
            mine = self.context(services, context)
            outcomes = [
                runs for runs in context.results.values() if isinstance(runs, list) and runs
            ]
            text = output_of(outcomes[-1][-1]) if outcomes else ""
            told = AnswerReport(text=text or "(nothing was said)")
            return finished(VerbResult(told, posted(mine, told)))

        async def brief(context: HostStepContext) -> Done:
            facts = facts_of(context.plan.context, ThreadFacts)  # it may be another verb's chain
            material = await about_thread(services, facts, self.sees)
            return Done(material.result | {"who": facts.requester.login, "request": facts.line})

        return {BRIEF: brief, "run.reply": reply, **changes.host_steps(services)}

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:
        """Show a change, what waits at the workflow's own gate, or that it was answered."""
        facts = facts_of(chain.plan.context, RunFacts)
        step = waiting_step(chain)
        if step is not None and step.name != "propose":
            return _presented(tx, chain, facts)
        said = chain.results.get("reply")
        if isinstance(said, dict):
            return AnswerReport(text=said["text"])
        return super().report(tx, chain)

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        return f"Runs the workflow `{facts_of(chain.plan.context, RunFacts).workflow}`."


async def _facts(
    services: Services,
    asked: CommandContext,
    pull: reads.Pull | None,
    workflow: str,
    arguments: Mapping[str, Any],
) -> RunFacts:
    common = await facts_for(services, asked, pull)
    base = common["head"]
    if pull is not None:
        base = await merge_base(services, asked.thread.repository, pull.base, pull.head)
    fork = pull is not None and pull.head_repository_id != asked.thread.repository.id
    return RunFacts(
        **common,
        **await decided(services, asked, common["base_ref"]),
        merge_base=base,
        branch=pull.head_ref if pull else new_branch(asked),
        into="" if pull else asked.branch,
        fork=fork,
        workflow=workflow,
        arguments=dict(arguments),
    )


def _ended(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The workflow's steps, and after them those of the host that let its result out. Raises RecipeError."""
    if taken := [step.name for step in steps if step.name in OF_THE_HOST]:
        raise RecipeError(OF_THE_HOST_TOLD.format(taken[0]))
    if not _changes(steps):
        return (*steps, HostCall(name="reply", call="run.reply"))
    first = next(step.name for step in steps if _changes((step,)))
    propose = HostCall(name="propose", call=checks.STEP, gate=True, again_from=first)
    return (*steps, propose, HostCall(name="open", call="change.open"))


def _changes(steps: tuple[Step, ...]) -> bool:
    """True where any agent of these steps may change files."""
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


def _presented(tx: Transaction, chain: ChainRow, facts: RunFacts) -> HandInReport | None:
    gate = gate_of(
        tx, chain, head=facts.head, merge_base=facts.merge_base, config_blob=facts.config_blob
    )
    step = waiting_step(chain)
    if gate is None or step is None:
        return None
    runs = step.result if isinstance(step.result, list) else []
    return HandInReport(
        text="\n\n".join(output_of(run) for run in runs),
        gate=gate.id,
        approved_by=[each.login for each in approvals_of(tx, gate.id)],
        stale=change_report.moved_on(tx, facts),
    )
