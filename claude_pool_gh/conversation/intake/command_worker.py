"""Carries out what was judged, in one transaction: a refusal, an answer or a chain (step 6 of the story).

Everything read before the decision can be read again: after a crash a command is either still received, and is
judged again, or handled for good.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from claude_pool_gh.conversation.caps import CONVERSATION, account_of, name_of
from claude_pool_gh.conversation.facts import ThreadFacts, chain_id_of, facts_of
from claude_pool_gh.conversation.intake import rate_limits
from claude_pool_gh.conversation.intake.command_policy import (
    CommandPolicy,
    Decision,
    Refusal,
    Silence,
)
from claude_pool_gh.conversation.services import Act, Answer, CommandContext, Services, Start
from claude_pool_gh.conversation.tracking import endings
from claude_pool_gh.conversation.tracking.progress import comment_key
from claude_pool_gh.github import command_rows, inbox, thread_rows
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects.lookups import newest_written
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import press_answered, want
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.pool.model.ports import Observer
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.pool.store.chains import ChainLabels, ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.causes import acting_for
from claude_pool_gh.terms import log_context
from claude_pool_gh.terms.ids import Trigger
from claude_pool_gh.terms.markdown import SafeMarkdown

logger = logging.getLogger(__name__)

_TRIES: Final = 8
_NOT_FOUND_TRIES: Final = 2
"""Tries in which what is not found may be so new that not all of GitHub knows of it: six seconds."""
_OUTAGE_TRIES: Final = 400
"""The same while GitHub cannot be reached: more than a day."""
_LONGEST_DELAY: Final = 256
"""Seconds."""
_TAKEN_MS: Final = 120_000
"""For so long nobody else of this process takes a command that is being handled."""
CAP_REACHED: Final = "refused: cap"
"""The answer to a command for which a cap has too little left."""
T = TypeVar("T")
Deed = Callable[[Transaction], tuple[SafeMarkdown | None, str | None]]


@dataclass(frozen=True, slots=True)
class Handled:
    """The result of a command: how it was answered, and its chain's id, `""` without a chain."""

    answer: str
    chain_id: str = ""


@dataclass(frozen=True, slots=True)
class CommandWorker:
    """Handles commands, one at a time for each caller."""

    judge: CommandPolicy
    observer: Observer
    counts: Counter[str] = field(default_factory=Counter)
    """How many commands were handled, by how they were answered, in a word or two."""
    watched: Callable[[CommandRequest, Handled, int, int], None] = lambda *_: None
    """Hears of each, with its first and last millisecond."""

    @property
    def services(self) -> Services:
        """The services that the policy works with."""
        return self.judge.services

    async def handle_next(self) -> str | None:
        """Handle the oldest command that is due: its chain's id, `""` without a chain; None when none is due."""
        request = await self.services.database.transact(self._claim)
        if request is None:
            return None
        with log_context.named(**_names(request)):
            began = self.services.clock.now_ms()
            handled = await self._handle(request)
            if handled is None:
                return ""
            self.counts[_in_a_word(handled.answer)] += 1
            ended = self.services.clock.now_ms()
            _log(request, handled, ended - began)
            self.watched(request, handled, began, ended)
            return handled.chain_id

    async def _handle(self, request: CommandRequest) -> Handled | None:
        """The result of a command, durably; None where it is tried again later."""
        try:
            tries = await self.services.database.read(
                lambda tx: command_rows.tries(tx, request.key)
            )
            is_new = tries < _NOT_FOUND_TRIES
            heard = await self.judge.hear(request, is_new=is_new)
            if not isinstance(heard, CommandContext):
                decision: Decision = heard
            else:
                await self._take_up(heard)
                decision = await self.judge.answer(heard, is_new=is_new)
            return await self._committed(request, lambda tx: self._carry_out(tx, request, decision))
        except ForgeError as error:
            return await self._postpone(request, "GitHub could not be reached", error)
        except Exception as error:
            # around one command: whatever is wrong with it must not stop the others
            logger.exception("command failed", extra={"action": "command_failed"})
            return await self._postpone(request, "of an error on our side", error)

    async def _take_up(self, asked: CommandContext) -> None:
        """React to what runs agents before its plan is made, which can take longer than a person waits."""
        if asked.command.verb.spends:
            now = self.services.clock.now_ms()
            await self._committed(
                asked.request, lambda tx: endings.react(tx, asked.request, "eyes", now)
            )
            self.observer.committed()

    async def _committed(self, request: CommandRequest, work: Callable[[Transaction], T]) -> T:
        """One transaction because of a command."""

        def caused(tx: Transaction) -> T:
            with acting_for(f"command:{chain_id_of(request)}"):
                return work(tx)

        return await self.services.database.transact(caused)

    def _claim(self, tx: Transaction) -> CommandRequest | None:
        request = command_rows.claim(tx, self.services.clock.now_ms(), _TAKEN_MS)
        return None if request is None else _as_named_now(tx, request)

    def _carry_out(
        self, tx: Transaction, request: CommandRequest, decision: Decision
    ) -> Handled | None:
        if not command_rows.is_open(tx, request.key):  # taken again, since this took so long
            return None
        match decision:
            case Silence(why):
                return self._close(tx, request, f"silence: {why}")
            case Refusal(text, once_per, everywhere, slot):
                if slot:
                    self._show(tx, request, text, slot)
                else:
                    self._reply(tx, request, text, once_per, everywhere=everywhere)
                return self._close(tx, request, "refused")
            case Answer(text, slot):
                self._show(tx, request, text, slot)
                return self._close(tx, request, "answered")
            case Act(do):
                return self._act(tx, request, do)
            case (asked, start):
                return self._start(tx, asked, start)

    def _act(self, tx: Transaction, request: CommandRequest, do: Deed) -> Handled:
        text, chain_id = do(tx)
        if text is not None:
            self._reply(tx, request, text, "")
        else:
            endings.react(tx, request, "+1", self.services.clock.now_ms())
        if chain_id is not None:
            self.observer.changed(tx, chain_id)
        return self._close(tx, request, "done", chain_id or "")

    def _start(self, tx: Transaction, asked: CommandContext, start: Start) -> Handled:
        """Chain, reservation, first comment and reaction: all or none."""
        request, now = asked.request, self.services.clock.now_ms()
        thread, plan = request.thread, start.plan
        account = account_of(
            asked.key, request.actor, thread.repository, scheduled=request.is_scheduled
        )
        chain_id = chain_id_of(request)
        if (same := _same_request(tx, asked.key, plan)) is not None:
            where = self._stands(tx, chains.get(tx, same))
            self._reply(tx, request, replies.joined(same, plan.verb, where), "")
            endings.react(tx, request, "eyes", now)
            command_rows.begin(tx, request.key, same)
            return self._close(tx, request, "joined", same)
        if start.instead:
            self._end_others(tx, asked.key, plan.verb, now)
        savepoint = tx.begin_nested()
        try:
            chains.create(tx, chain_id, plan, account, start.caps, now, _labels(plan))
        except CapReached as refusal:
            savepoint.rollback()
            name = name_of(refusal.cap, self.services.runs_in)
            once = "" if request.comment else f"cap:{refusal.cap}:{now // rate_limits.HOUR_MS}"
            self._reply(tx, request, replies.cap_reached(refusal, request.line, cap=name), once)
            return self._close(tx, request, CAP_REACHED)
        savepoint.commit()
        command_rows.begin(tx, request.key, chain_id)
        if start.after is not None:
            start.after(tx, chain_id)
        if facts_of(plan.context, ThreadFacts).place == "pull":  # read live for this plan
            base = facts_of(plan.context, ThreadFacts).base_ref
            thread_rows.note(tx, asked.key, base=base, is_open=None)
        stands = self._stands(tx, chains.get(tx, chain_id))
        if (
            stands
            and request.comment is not None
            and not self.judge.verb_handlers[plan.verb].replies
        ):
            self._reply(tx, request, replies.again(plan.verb, stands), "")
        self.observer.changed(tx, chain_id)
        endings.react(tx, request, "eyes", now)
        return self._close(tx, request, "started", chain_id)

    def _end_others(self, tx: Transaction, thread: str, verb: str, now_ms: int) -> None:
        """End the chains of a verb that a new one replaces."""
        for chain in lookup.on_the_way_of(tx, CONVERSATION, thread, verb):
            chains.request_cancel(tx, chain.id, now_ms)
            self.observer.changed(tx, chain.id)

    def _close(
        self, tx: Transaction, request: CommandRequest, answer: str, chain_id: str = ""
    ) -> Handled:
        if not chain_id and answer != "done":
            endings.take_back_eyes(tx, request, self.services.clock.now_ms())
        command_rows.close(tx, request.key, answer)
        if isinstance(request.source, Trigger) and request.source.check:
            press_answered(
                tx, request.source.check, request.thread.repository, self.services.clock.now_ms()
            )
        return Handled(answer, chain_id)

    def _stands(self, tx: Transaction, chain: ChainRow) -> str:
        """The place of the tracking comment that shows a chain, or that it is about to take over; "" if nowhere."""
        facts = facts_of(chain.plan.context, ThreadFacts)
        return endings.comment_url(tx, self.services.links, facts, comment_key(chain, facts))

    def _show(
        self, tx: Transaction, request: CommandRequest, text: SafeMarkdown, slot: str
    ) -> None:
        """Answer below the command, and let the thread's earlier answer of that name go."""
        if not slot or request.comment is None or request.comment.root is not None:
            return self._reply(tx, request, text, "")
        thread, now = request.thread, self.services.clock.now_ms()
        name = f"shown:{thread.repository.id}:{thread.number}:{slot}:"
        reply = Reply(number=thread.number, body=text, replaces=newest_written(tx, name))
        return want(tx, f"{name}{request.key}", thread.repository, reply, now)

    def _reply(
        self,
        tx: Transaction,
        request: CommandRequest,
        text: SafeMarkdown,
        once_per: str,
        *,
        everywhere: bool = False,
    ) -> None:
        thread, comment = request.thread, request.comment
        place = (
            f"{thread.repository.id}" if everywhere else f"{thread.repository.id}:{thread.number}"
        )
        which = f"{place}:{once_per}" if once_per else request.key
        root = comment.root if comment is not None else None
        reply = Reply(number=thread.number, body=text, in_reply_to=root)
        want(tx, f"reply:{which}", thread.repository, reply, self.services.clock.now_ms())

    async def _postpone(
        self, request: CommandRequest, reason: str, error: Exception
    ) -> Handled | None:
        """Postpone a command that cannot be decided now, longer each time; at last say so where we still can."""

        def store(tx: Transaction) -> Handled | None:
            tries = command_rows.tries(tx, request.key) + 1
            if tries >= (_OUTAGE_TRIES if isinstance(error, ForgeError) else _TRIES):
                self._reply(tx, request, replies.broken(reason), "")
                return self._close(tx, request, f"given up: {error}")
            # Not a pause in this process, which `stamina` could make: the row is due later, for whoever runs then.
            due = self.services.clock.now_ms() + 1000 * min(2**tries, _LONGEST_DELAY)
            command_rows.postpone(tx, request.key, tries, due)
            return None

        do = getattr(error, "do", "")  # of what only the operator can change
        told = {"action": "command_postponed", "do": do}
        logger.log(
            logging.ERROR if do else logging.WARNING, "command postponed: %s", error, extra=told
        )
        return await self._committed(request, store)


def _names(request: CommandRequest) -> dict[str, str]:
    """The fields that every log line in the course of a command says of it."""
    thread = request.thread
    return {
        "where": f"{thread.repository.full_name}#{thread.number}",
        "command": " ".join(request.line.split()[:2]),
        "user": request.actor.login,
        "key": request.key,
        "delivery": request.delivery,
    }


def _log(request: CommandRequest, handled: Handled, ms: int) -> None:
    outcome = handled.answer.partition("\n")[0]
    told = {"action": "command_handled", "chain": handled.chain_id, "outcome": outcome, "ms": ms}
    level = logging.WARNING if outcome.startswith("given up") else logging.INFO
    logger.log(level, "command: %s", outcome, extra={**_names(request), **told})


def _in_a_word(answer: str) -> str:
    """The way in which a command was answered, without the reason: of reasons there are any number."""
    if answer == CAP_REACHED:
        return answer
    return answer.partition("\n")[0].partition(":")[0]


def _as_named_now(tx: Transaction, request: CommandRequest) -> CommandRequest:
    """A command in the repository as it is called by now: it may have been renamed since the delivery."""
    known = inbox.known_repository(tx, request.thread.repository.id)
    thread = request.thread.model_copy(update={"repository": known or request.thread.repository})
    return request.model_copy(update={"thread": thread})


def _same_request(tx: Transaction, thread: str, plan: Plan) -> str | None:
    """A chain on its way in the thread that was asked for with the same words at the same commit, and is planned so."""
    there = lookup.on_the_way_of(tx, CONVERSATION, thread, plan.verb)
    same = (chain.id for chain in there if _identity(chain.plan) == _identity(plan))
    return next(same, None)


def _labels(plan: Plan) -> ChainLabels:
    facts = facts_of(plan.context, ThreadFacts)
    workflow = str(plan.context.get("name" if plan.verb == "audit" else "workflow", ""))
    return ChainLabels(head=facts.head, workflow=workflow, requester=facts.requester.login)


def _identity(plan: Plan) -> tuple[str, ...]:
    facts = facts_of(plan.context, ThreadFacts)
    # Under other lines of the diff the same words mean something else.
    place = "" if facts.asked_in is None else str(facts.asked_in.root or "")
    return " ".join(facts.line.split()), facts.head, facts.base_ref, facts.config_blob, place
