"""`/pool audit`: reads the whole repository in parts and reports what a second agent confirms; steps in `audit/`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.audits.stated import schemas
from claude_pool_gh.commands.grammar import Flag
from claude_pool_gh.config.model import Audit as Settings
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.audit import going_on, live, report
from claude_pool_gh.conversation.audit.control import CONTROLS, control
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.conversation.audit.server import Server
from claude_pool_gh.conversation.audit.since import bring_up_to_date
from claude_pool_gh.conversation.audit.steps import NEEDS, beside, host_steps
from claude_pool_gh.conversation.caps import REPOSITORY
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.conversation.services import (
    Answer,
    CommandContext,
    Reply,
    Services,
    facts_for,
    plan_of,
)
from claude_pool_gh.conversation.services import Start as StartChain
from claude_pool_gh.conversation.services import caps_of as caps_of_command
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.config import microdollars
from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.pool.model.ports import HostStep
from claude_pool_gh.pool.store import continuation, lookup
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import audits, replies
from claude_pool_gh.reports.views import Report
from claude_pool_gh.reports.words import count
from claude_pool_gh.storage import Transaction

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
DEFAULT: Final = "defects"
_BY_WHAT: Final = ("model", "effort", "turns")
"""Flags by which an audit is another one, of which nothing has been read yet: see `AuditRun.digest`."""


class Audit(AgentVerb[AuditFacts]):
    """Reads the default branch as it is now, wherever it is asked."""

    name = "audit"
    summary = "Reads the whole repository in parts and reports confirmed findings; `--plan` only estimates."
    places = EVERYWHERE
    arguments = "[NAME] [PATH…]"
    flags = (
        Flag("plan", "shows the plan and its estimate; reads nothing", is_switch=True),
        Flag("status", "says which audits run, and when the next ones are due", is_switch=True),
        Flag("fresh", "begins anew, whatever a run that was cancelled has read", is_switch=True),
        Flag("stop", "stops the schedule of the audit", is_switch=True),
        Flag("resume", "resumes a stopped schedule", is_switch=True),
    )
    order = 55
    facts = AuditFacts
    recipe = f"audit-{DEFAULT}"
    more_recipes = tuple(f"audit-{kind}" for kind in KINDS)

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Plan a chain of the audit that the command names, at the default branch as it is now."""
        name, paths = named(asked.command.words, asked.config.audits)
        what = next((each for each in CONTROLS if asked.command.flags.get(each)), None)
        if what is not None:
            return control(services, asked, what, name)
        settings = asked.config.audits.get(name)
        if settings is None:
            if name not in KINDS:
                return Answer(replies.needs_text("audit", "the name of an audit"))
            settings = Settings()
        kind = settings.kind or (name if name in KINDS else DEFAULT)
        common, flags = await facts_for(services, asked, None), asked.command.flags
        facts = AuditFacts(
            **common | {"place": "issue"},  # it is about the default branch, in a pull request too
            name=name,
            kind=kind,
            paths=paths,
            flags=tuple(f"--{each} {flags[each]}" for each in _BY_WHAT if each in flags),
            plan_only=bool(asked.command.flags.get("plan")),
            settings=settings,
        )
        run, repository = asked.request.key, asked.thread.repository
        if not facts.plan_only and await services.database.read(
            lambda tx: live.other(tx, repository.id, name, run)
        ):
            return Answer(audits.is_live(name))
        workflow = settings.workflow or f"audit-{kind}"
        steps = await self.resolver(services, asked).steps(workflow, turns=settings.turns)
        self.recipe_needs.check(steps, f"the workflow {workflow}")
        caps = _caps(services, asked, settings)
        plan = plan_of(services, asked, beside(steps, settings.slots), facts, caps)
        if facts.plan_only:
            return StartChain(plan, caps)

        def left(tx: Transaction) -> ChainRow | None:
            return None if flags.get("fresh") else _left_by(tx, plan, facts)

        if (before := await services.database.read(left)) is not None:
            goes_on = facts.model_copy(update={"goes_on_with": before.id})
            plan = plan.model_copy(update={"context": goes_on.model_dump(mode="json")})

        def begin(tx: Transaction, chain_id: str) -> None:
            now = services.clock.now_ms()
            live.end_ended(tx)
            live.take(tx, repository.id, name, run, now)
            bring_up_to_date(tx, repository, name, now)
            if before is not None:
                continuation.take_over(tx, before, chain_id, now)

        return StartChain(plan, caps, after=begin)

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """Those of claims by kind of audit, of judgements and of merges."""
        return schemas()

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """See `steps.NEEDS`."""
        return NEEDS

    def turns(self, config: RepositoryConfig) -> int:
        """See `AgentVerb.turns`."""
        return Settings().turns

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """The recipe's steps that run without a model."""
        return host_steps(Server(services))

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:
        """Show the plan, or what was found."""
        return report.report(tx, chain)

    def ended(self, tx: Transaction, chain: ChainRow, now_ms: int) -> None:
        """Let the report issue say so where the end brought no result, which would have brought it up to date."""
        facts = facts_of(chain.plan.context, AuditFacts)
        if "gather" not in chain.results and not facts.plan_only:
            bring_up_to_date(tx, facts.thread.repository, facts.name, now_ms)

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        facts = facts_of(chain.plan.context, AuditFacts)
        name = facts.name
        known = report.planned_in(chain)
        if known is not None and facts.goes_on_with:
            return (
                f"Goes on with run `{facts.goes_on_with}` of the audit `{name}`, which ended early: what that has read "
                f"of {count(known.files_unread, 'file')} is not read again. `/pool audit {name} --fresh` begins anew."
            )
        if known is None or not known.shards:
            return (
                f"Reads the repository for the audit `{name}`. A second run checks what is serious."
            )
        parts = count(known.shards, "part")
        files = count(known.files_unread, "file")
        return (
            f"Reads {files} in {parts} for the audit `{name}`. A second run checks what is serious."
        )


def named(words: Sequence[str], audits: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """The audit that a command means, and the paths after it. A first word that names no audit is a path. Pure.

    `audits`: those that are configured.
    """
    if words and _NAME.fullmatch(words[0]) and (words[0] in audits or words[0] in KINDS):
        return words[0], tuple(words[1:])
    return DEFAULT, tuple(words)


_MOST_LOOKED_AT: Final = 50
"""Ended audits of a repository among which the newest of one name is looked for."""


def _left_by(tx: Transaction, plan: Plan, facts: AuditFacts) -> ChainRow | None:
    """The run that a new one of these facts goes on with."""
    repository = str(facts.thread.repository.id)
    ended = lookup.ended_of(tx, REPOSITORY, repository, limit=_MOST_LOOKED_AT, verb=Audit.name)

    def is_own(chain: ChainRow) -> bool:
        before = facts_of(chain.plan.context, AuditFacts)
        return before.audit == facts.audit and not before.plan_only

    found = going_on.left_by(tx, ended, plan, is_own)
    if found is None or not facts.is_same(facts_of(found.plan.context, AuditFacts)):
        return None
    return found


def _caps(services: Services, asked: CommandContext, settings: Settings) -> Caps:
    """The caps of a command, with the audit's own budget in place of the chain's; `--budget` goes before it."""
    caps = caps_of_command(
        asked.config, asked.command, services.defaults, scheduled=asked.request.is_scheduled
    )
    if settings.budget is None or "budget" in asked.command.flags:
        return caps
    chain = microdollars(settings.budget)
    return replace(caps, chain=chain, task=min(microdollars(asked.config.budget.task), chain))
