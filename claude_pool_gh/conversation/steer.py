"""`/pool cancel`, `retry` and `continue`: what becomes of a chain that runs, waits or has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Command, Flag, Verb, parse
from claude_pool_gh.conversation.candidates import NotOne, meant
from claude_pool_gh.conversation.change_facts import as_decided_now
from claude_pool_gh.conversation.desk import (
    Act,
    Answer,
    Asked,
    Desk,
    Reply,
    Start,
    VerbRoom,
    caps_of,
    needed_role,
    pull_of,
)
from claude_pool_gh.conversation.facts import Facts, facts_of
from claude_pool_gh.conversation.progress import CONTINUABLE, Progress
from claude_pool_gh.pool.model.plan import AgentRun, Branches, Plan, Step
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, continuation
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

_PLACES: Final = frozenset({"pull", "issue"})
_FLAGS: Final[Mapping[str, Flag]] = {flag.name: flag for flag in COMMON}

CANCEL: Final = Verb(
    name="cancel", summary="Cancels what runs or waits here; work and cost are kept.", places=_PLACES,
    role=Role.write, arguments="[ID]", most_arguments=1,
)  # fmt: skip
RETRY: Final = Verb(
    name="retry", summary="Runs an earlier command again, as things are now.", places=_PLACES, role=Role.write,
    arguments="[ID]", most_arguments=1, spends=True,
)  # fmt: skip
CONTINUE: Final = Verb(
    name="continue", summary="Resumes a run that ended early, from where it stopped.", places=_PLACES,
    role=Role.write, arguments="[ID]", flags=(_FLAGS["budget"], _FLAGS["turns"]), most_arguments=1, spends=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Steering:
    """The three verbs, over the chains of `others`."""

    others: Mapping[str, VerbRoom]
    progress: Progress

    @property
    def rooms(self) -> tuple[VerbRoom, ...]:
        """The verbs' rooms."""
        return VerbRoom(CANCEL, self.cancel), VerbRoom(RETRY, self.retry), VerbRoom(CONTINUE, self.go_on)

    async def cancel(self, desk: Desk, asked: Asked) -> Reply:
        """End a chain."""

        def do(tx: Transaction) -> tuple[SafeMarkdown | None, str | None]:
            found = meant(tx, asked, _is_open, what="cancel", title=self._titles(tx))
            if isinstance(found, NotOne):
                return found.text, None
            chains.request_cancel(tx, found.id, desk.clock.now_ms())
            facts = facts_of(found.plan.context, Facts)
            other = facts.requester.id != asked.request.actor.id and facts.requester.is_human and facts.notify
            return replies.cancelled(
                found.id, found.plan.verb, facts.requester.login if other else ""
            ), found.id

        return Act(do)

    async def retry(self, desk: Desk, asked: Asked) -> Reply:
        """Ask for the same again, as things are now; whoever retries needs what the command itself needs."""
        found = await self._meant(desk, asked, lambda _tx, chain: _is_over(chain), "run again")
        if isinstance(found, NotOne):
            return Answer(found.text)
        line = facts_of(found.plan.context, Facts).line
        command = parse(line, {name: room.verb for name, room in self.others.items()})
        if not isinstance(command, Command):
            return Answer(replies.no_candidate("run again"))
        if (refusal := _not_allowed(asked, command.verb)) is not None:
            return refusal
        request = asked.request.model_copy(update={"line": line})
        return await self.others[command.verb.name].answer(
            desk, replace(asked, command=command, request=request)
        )

    async def go_on(self, desk: Desk, asked: Asked) -> Reply:
        """Go on where a chain ended early; whoever does needs what the command itself needs."""
        found = await self._meant(desk, asked, _ended_early, "continue")
        if isinstance(found, NotOne):
            return Answer(found.text)
        verb = self.others[found.plan.verb].verb
        if (refusal := _not_allowed(asked, verb)) is not None:
            return refusal
        if (moved := await _has_moved(desk, asked, facts_of(found.plan.context, Facts))) is not None:
            return moved
        caps = caps_of(asked.config, asked.command, desk.defaults)
        limits = found.plan.limits.model_copy(update={"task": caps.task, "chain": caps.chain})
        as_verb = replace(asked, command=replace(asked.command, verb=verb))
        context = await as_decided_now(desk, as_verb, found.plan.context)
        plan = _with_more(found.plan, asked).model_copy(update={"limits": limits, "context": context})

        def after(tx: Transaction, chain_id: str) -> None:
            continuation.take_over(tx, chains.get(tx, found.id), chain_id, desk.clock.now_ms())

        return Start(plan, caps, after=after)

    async def _meant(
        self, desk: Desk, asked: Asked, fits: Callable[[Transaction, ChainRow], bool], what: str
    ) -> ChainRow | NotOne:
        return await desk.database.read(
            lambda tx: meant(
                tx, asked, lambda chain: fits(tx, chain), what=what, newest=True, title=self._titles(tx)
            )
        )

    def _titles(self, tx: Transaction) -> Callable[[ChainRow], str]:
        return lambda chain: self.progress.title_of(tx, chain)


async def _has_moved(desk: Desk, asked: Asked, facts: Facts) -> Answer | None:
    """What to say where a pull request is not what it was any more."""
    if facts.place != "pull":
        return None
    pull = await pull_of(desk, asked)
    if not pull.open:
        return Answer(replies.closed())
    return None if pull.head == facts.head else Answer(replies.moved_on(facts.head, pull.head, facts.line))


def _not_allowed(asked: Asked, verb: Verb) -> Answer | None:
    """What to say to somebody who may steer, but may not give the command that is steered."""
    needed = needed_role(verb, asked.config)
    return Answer(replies.not_allowed(verb.name, needed, asked.role)) if asked.role < needed else None


def _is_open(chain: ChainRow) -> bool:
    return chain.state is not ChainState.done and not chain.cancel_requested


def _is_over(chain: ChainRow) -> bool:
    """A chain that has ended, or waits with something that nobody can approve any more."""
    return chain.state in (ChainState.done, ChainState.parked)


def _ended_early(tx: Transaction, chain: ChainRow) -> bool:
    return (
        chain.outcome is not None
        and chain.outcome.verdict in CONTINUABLE
        and continuation.can_go_on(tx, chain)
    )


def _with_more(plan: Plan, asked: Asked) -> Plan:
    """The plan with as many turns as were asked for."""
    turns = asked.command.flags.get("turns")
    if turns is None:
        return plan
    return plan.model_copy(update={"steps": tuple(_with_turns(step, int(turns)) for step in plan.steps)})


def _with_turns(step: Step, turns: int) -> Step:
    match step:
        case AgentRun():
            return _run_with(step, turns)
        case Branches():
            return step.model_copy(update={"branches": tuple(_run_with(run, turns) for run in step.branches)})
        case _:
            return step


def _run_with(run: AgentRun, turns: int) -> AgentRun:
    more: dict[str, Any] = {"max_turns": max(turns, run.overrides.max_turns or 0)}
    return run.model_copy(update={"overrides": run.overrides.model_copy(update=more)})
