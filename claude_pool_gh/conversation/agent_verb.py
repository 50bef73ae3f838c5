"""Verbs that let agents work: what is the same for all of them on the way from a command to a chain."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Final, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.prompts.thread_prompt import (
    ON_A_PULL,
    ThreadPart,
    ThreadPrompt,
    about_thread,
)
from claude_pool_gh.conversation.recipes import outputs
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.conversation.recipes.recipe_terms import BRIEF, BRIEF_RESULT, READING
from claude_pool_gh.conversation.repository.recipe_resolver import RecipeResolver
from claude_pool_gh.conversation.services import (
    Answer,
    CommandContext,
    Reply,
    Services,
    Start,
    caps_of,
    facts_for,
    plan_of,
    pull_of,
)
from claude_pool_gh.github import reads
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import HostCall, Step
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.views import AnswerReport, Report
from claude_pool_gh.storage import Transaction

F = TypeVar("F", bound=ThreadFacts)
Output = TypeVar("Output", bound=BaseModel)
M = TypeVar("M", bound=BaseModel)

_THREAD: Final = frozenset(
    ThreadPrompt(head="", title="", description="", parts={}, fence="").result
)
"""Names of what every brief of a thread hands on."""


@dataclass(frozen=True, slots=True)
class StepContext(Generic[F]):
    """A host step of a verb: the chain that it belongs to, and the results so far."""

    services: Services
    chain_id: str
    facts: F
    results: Mapping[str, Any]

    def stated(self, step: str, model: type[M]) -> M:
        """Read what the agent of an earlier step answered. Raises StepFailed where it has another form."""
        try:
            return model.model_validate(self.results[step][0].get("structured"))
        except ValidationError as error:
            raise StepFailed(
                "the agent's answer does not have the requested form", ours=True
            ) from error


@dataclass(frozen=True, slots=True)
class VerbResult:
    """The result of a chain that was answered."""

    report: Report
    """What its tracking comment shows."""
    commit: Callable[[Transaction], None] | None = None
    """What is wanted on GitHub, in the transaction that ends the chain."""


class AgentVerb(VerbHandler, Generic[F]):
    """A verb that starts a chain: a recipe, the facts that its plan is frozen with, and the steps of the host."""

    facts: type[F]
    """What a chain knows from the start."""
    recipe: ClassVar[str | None] = None
    """The workflow that it runs; None: the one of its own name."""
    more_recipes: ClassVar[tuple[str, ...]] = ()
    """The other workflows that it may run, where its commands name one."""
    only_open: ClassVar[bool] = False
    """Whether a closed thread is refused."""
    sees: ClassVar[frozenset[ThreadPart]] = ON_A_PULL
    """The parts of the thread that its agents are told, besides title and description."""
    brief_fields: ClassVar[frozenset[str]] = frozenset()
    """Names of what `brief` adds to the thread's own parts, for `{steps.brief.NAME}` in the recipe."""
    tools: ClassVar[frozenset[str]] = READING
    """All tools that its agents may have."""
    spends = True
    common_flags = COMMON

    @property
    def workflow(self) -> str:
        """The name of its workflow; "" for a verb whose command names it."""
        return self.name if self.recipe is None else self.recipe

    @property
    def workflows(self) -> tuple[str, ...]:
        """The names of all its workflows."""
        return tuple(dict.fromkeys(filter(None, (self.workflow, *self.more_recipes))))

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """The JSON Schemas that its recipe may name as an `output`."""
        return outputs.schemas()

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """The parts that its recipe must have so that the verb can read its results."""
        return RecipeNeeds(
            fields={
                BRIEF: BRIEF_RESULT,
                f"{self.name}.brief": _THREAD | self.brief_fields,
            }
        )

    @abstractmethod
    def turns(self, config: RepositoryConfig) -> int:
        """Most turns of each agent whose step says nothing."""

    async def make_facts(
        self,
        services: Services,  # noqa: ARG002 - most need none of these
        asked: CommandContext,  # noqa: ARG002
        common: dict[str, Any],
        pull: reads.Pull | None,  # noqa: ARG002
    ) -> F | Answer:
        """Make the facts of a chain, or an answer in its place. `common`: what every verb's facts have."""
        return self.facts(**common)

    async def brief(self, context: StepContext[F], material: ThreadPrompt) -> Mapping[str, Any]:  # noqa: ARG002
        """Gather what the agents are told beside the thread: the values of `brief_fields`."""
        return {}

    def replaces(self, asked: CommandContext) -> bool:  # noqa: ARG002 - few do
        """True where the new chain ends those of this verb that run in the thread."""
        return False

    def prepared(self, steps: tuple[Step, ...], config: RepositoryConfig) -> tuple[Step, ...]:  # noqa: ARG002
        """The recipe's steps as they are planned."""
        return steps

    # ---- the way that is the same for all

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Plan a chain at the head, or at the default branch as it is now; what is pushed later is no part of it."""
        pull = await pull_of(services, asked) if asked.place == "pull" else None
        if self.only_open and not (asked.issue.open if pull is None else pull.open):
            return Answer(replies.closed("issue") if pull is None else replies.closed())
        facts = await self.make_facts(services, asked, await facts_for(services, asked, pull), pull)
        if isinstance(facts, Answer):
            return facts
        steps = await self.resolver(services, asked).steps(
            self.workflow, turns=self.turns(asked.config)
        )
        self.recipe_needs.check(steps, f"the workflow {self.workflow}")
        return self.start(services, asked, steps, facts)

    def resolver(self, services: Services, asked: CommandContext) -> RecipeResolver:
        """Open the recipes as this verb may use them."""
        hosts = frozenset(self.host_steps(services))
        return RecipeResolver(services, asked, hosts=hosts, outputs=self.schemas, tools=self.tools)

    def start(
        self, services: Services, asked: CommandContext, steps: tuple[Step, ...], facts: F
    ) -> Start:
        """Make the plan of these steps, under the caps that hold."""
        caps = caps_of(
            asked.config,
            asked.command,
            services.defaults,
            scheduled=asked.request.is_scheduled,
        )
        plan = plan_of(services, asked, self.prepared(steps, asked.config), facts, caps)
        return Start(plan, caps, instead=self.replaces(asked))

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """The brief; kinds of verbs add what else they have."""

        async def brief(context: HostStepContext) -> Done:
            mine = self.context(services, context)
            material = await about_thread(services, mine.facts, self.sees)
            more = await self.brief(mine, material)
            if lacking := self.brief_fields - more.keys():
                raise StepFailed(f"the brief lacks {', '.join(sorted(lacking))}", ours=True)
            return Done(material.result | dict(more))

        return {f"{self.name}.brief": brief}

    def context(self, services: Services, context: HostStepContext) -> StepContext[F]:
        """Give a host step the chain's facts."""
        facts = facts_of(context.plan.context, self.facts)
        return StepContext(services, context.chain_id, facts, context.results)

    @classmethod
    def faults(cls) -> list[str]:
        """See `VerbHandler.faults`."""
        found = super().faults()
        facts = getattr(cls, "facts", None)
        if not (isinstance(facts, type) and issubclass(facts, ThreadFacts)):
            found.append(
                "what its chains know from the start: facts = Facts, or a class of its own made of that"
            )
        return found


class ReadingVerb(AgentVerb[F], Generic[F, Output]):
    """A verb whose agent reads and answers in a form; the host makes of the answer what people see."""

    output: type[Output]
    """The form of the answer; recipes name its JSON Schema by the verb's name."""
    answers_in: ClassVar[str] = "answer"
    """The recipe's step whose agent answers."""
    ends_in: ClassVar[str] = "reply"
    """The host step `VERB.reply` that ends the chain, by the word after the dot."""
    reads_brief: ClassVar[bool] = False
    """Whether `finish` reads the result of its brief, so that the recipe's step `brief` must be that."""
    shows: ClassVar[type] = AnswerReport
    """The form of what its tracking comment shows."""
    most_turns: ClassVar[int] = 30

    @abstractmethod
    async def finish(self, context: StepContext[F], result: Output) -> VerbResult:
        """Make of the agent's answer what people see. It acts only in the result's `commit`. Raises StepFailed."""

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """The shared ones, and the verb's own form under its name."""
        return super().schemas | {self.name: self.output.model_json_schema()}

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """The agent's step, and behind it the host's that reads it."""
        call = f"{self.name}.{self.ends_in}"
        steps: dict[str, type[BaseModel] | str] = {self.answers_in: self.output}
        if self.reads_brief:
            steps["brief"] = f"{self.name}.brief"
        return replace(super().recipe_needs, one_of=frozenset({call}), reads={call: steps})

    def turns(self, config: RepositoryConfig) -> int:  # noqa: ARG002 - a reader needs about the same everywhere
        """See `AgentVerb.turns`."""
        return self.most_turns

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """The brief, and the step that ends the chain."""

        async def finish(context: HostStepContext) -> Finish:
            mine = self.context(services, context)
            result = await self.finish(mine, mine.stated(self.answers_in, self.output))
            if not isinstance(result.report, self.shows):
                raise TypeError(
                    f"{self.name} shows {self.shows.__name__}, not {type(result.report).__name__}"
                )
            return finished(result)

        return super().host_steps(services) | {f"{self.name}.{self.ends_in}": finish}

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:  # noqa: ARG002 - it is all in the row
        """Read back what `finish` reported."""
        call = f"{self.name}.{self.ends_in}"
        last = next(
            (each for each in chain.plan.steps if isinstance(each, HostCall) and each.call == call),
            None,
        )
        stored = None if last is None else chain.results.get(last.name)
        found: Report | None = (
            _form(self.shows).validate_python(stored) if isinstance(stored, dict) else None
        )
        return found

    @classmethod
    def faults(cls) -> list[str]:
        """See `VerbHandler.faults`."""
        found = super().faults()
        output = getattr(cls, "output", None)
        if not (isinstance(output, type) and issubclass(output, BaseModel)):
            found.append(
                "the form of its agent's answer: output = StatedAnswer, or a model of its own"
            )
        return found


def finished(result: VerbResult) -> Finish:
    """End a chain with an answer."""
    outcome = Outcome(verdict=Verdict.answered)
    view: type = type(result.report)
    stored = _form(view).dump_python(result.report, mode="json")
    return Finish(outcome, stored, result.commit)


@cache
def _form(view: type) -> TypeAdapter[Any]:
    return TypeAdapter(view)
