"""`/pool review`: reads a pull request and posts what a second agent confirms; its steps are in `review/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from claude_pool_gh.commands.grammar import Flag
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.conversation.repository.recipe_resolver import FOLDER
from claude_pool_gh.conversation.review import gather
from claude_pool_gh.conversation.review.brief import FIELDS, brief
from claude_pool_gh.conversation.review.check_findings import check_findings
from claude_pool_gh.conversation.review.facts import ReviewFacts
from claude_pool_gh.conversation.review.unplaced import unplaced
from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.findings.model import output_schemas
from claude_pool_gh.github import reads
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Step
from claude_pool_gh.pool.model.ports import HostStep
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import Report
from claude_pool_gh.reports.words import count
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Trigger

_SHAPE: Final = (
    "brief",
    "find",
    "place",
    "restate",
    "check",
    "verify",
    "doubts",
    "reread",
    "gather",
)
_OLDER_SHAPE: Final = ("brief", "find", "check", "verify", "gather")
"""Of older recipes: what has no place or stays unsure there is only named."""


class _Shape(RecipeNeeds):
    """A repository may change skills, titles and limits of the recipe, not what its steps hand to each other."""

    def check(self, steps: Sequence[Step], where: str) -> None:
        """See `RecipeNeeds.check`."""
        names = tuple(step.name for step in steps)
        typed = [
            step.overrides.json_schema is not None for step in steps if isinstance(step, AgentRun)
        ]
        if names not in (_SHAPE, _OLDER_SHAPE) or not all(typed):
            steps_ = ", ".join(_SHAPE)
            raise RecipeError(f"{where} must have the steps {steps_}, those of agents with outputs")
        super().check(steps, where)


class Review(AgentVerb[ReviewFacts]):
    """Reads the head as it is now; whatever is pushed later is not part of it."""

    name = "review"
    summary = (
        "Reads the pull request and reports confirmed defects: inline, in a summary and as a check."
    )
    places = frozenset({"pull"})
    arguments = "[PATH…]"
    flags = (Flag("focus", "what to look at first, in quotes"),)
    order = 10
    check = True
    only_open = True
    facts = ReviewFacts

    async def make_facts(
        self,
        services: Services,
        asked: CommandContext,
        common: dict[str, Any],
        pull: reads.Pull | None,
    ) -> ReviewFacts:
        """Keep what the command and the default branch say of this review."""
        own = await asked.files.file(f"{FOLDER}/review.md")
        return ReviewFacts(
            **common,
            focus=str(asked.command.flags.get("focus", "")),
            paths=asked.command.words,
            guidance="" if own is None else own.text,
            settings=asked.config.review,
        )

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Those of findings and of judgements."""
        return output_schemas()

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """Exactly its own steps, which may ask for what its brief has."""
        return _Shape(fields={"review.brief": FIELDS})

    def turns(self, config: RepositoryConfig) -> int:
        """See `AgentVerb.turns`."""
        return config.review.turns

    def replaces(self, asked: CommandContext) -> bool:
        """A push makes what runs on the head before it useless."""
        return isinstance(asked.request.source, Trigger) and asked.request.source.kind == "push"

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """The recipe's steps that run without a model."""
        return {
            "review.brief": lambda context: brief(services, context),
            "review.place": lambda context: unplaced(services, context),
            "review.check": lambda context: check_findings(services, context),
            "review.doubts": lambda context: gather.doubts(services, context),
            "review.gather": lambda context: gather.gather(services, context),
        }

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:
        """Show what was found."""
        return gather.report(chain)

    def fail_on(self, chain: ChainRow) -> str:
        """Name the severity that the configuration had named when the review began."""
        return facts_of(chain.plan.context, ReviewFacts).settings.fail_on

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        known = chain.results.get("brief")
        if not known or "files" not in known:
            return "Reads the change. A second run checks every finding."
        parts = f" in {count(len(known['groups']), 'part')}" if len(known["groups"]) > 1 else ""
        what = "the new changes in " if known["incremental"] else ""
        return f"Reads {what}{count(known['files'], 'file')}{parts}. A second run checks every finding."
