"""Carries out accepted commands: from a stored line to a refusal, an answer or a chain (steps 3 to 6 of the story).

Everything read before the decision can be read again, and the decision is one transaction: after a crash a command
is either still received, and is handled again, or handled for good.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.commands.grammar import Mistake, Verb, parse
from claude_pool_gh.config.load import PATH, load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.desk import Answer, Asked, Desk, Start, VerbRoom
from claude_pool_gh.github import reads
from claude_pool_gh.github.effects.kinds import Reaction, Reply
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.errors import ForgeError, ForgeRefused
from claude_pool_gh.github.intake import CommandRequest
from claude_pool_gh.github.tables import commands
from claude_pool_gh.pool import chains
from claude_pool_gh.pool.errors import CapReached, RecipeError
from claude_pool_gh.pool.ledger import Account
from claude_pool_gh.pool.ports import Observer
from claude_pool_gh.pool.tables import chains as chain_rows
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.owners import is_gone, own_id
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

logger = logging.getLogger(__name__)

_TRIES: Final = 8
_TAKEN_MS: Final = 120_000
"""For so long nobody else of this process takes a command that is being handled."""
_C: Final = commands.c


@dataclass(frozen=True, slots=True)
class Silence:
    """A command that gets no answer, and why; for the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that is refused with words; `once_per` keeps a stranger from making us repeat them."""

    text: SafeMarkdown
    once_per: str = ""


Decision = Silence | Refusal | Answer | tuple[Asked, Start]


@dataclass(frozen=True, slots=True)
class Clerk:
    """Handles commands, one at a time for each caller."""

    desk: Desk
    rooms: Mapping[str, VerbRoom]
    observer: Observer

    @property
    def verbs(self) -> dict[str, Verb]:
        """The language's verbs."""
        return {name: room.verb for name, room in self.rooms.items()}

    async def handle_next(self) -> str | None:
        """Handle the oldest command that is due: its chain's id, `""` without a chain; None when none is due."""
        request = await self.desk.database.transact(self._claim)
        if request is None:
            return None
        try:
            decision = await self._decide(request)
            return await self.desk.database.transact(lambda tx: self._carry_out(tx, request, decision))
        except ForgeError as error:
            return await self._postpone(request, "GitHub could not be reached", error)
        except Exception as error:  # around one command: whatever is wrong with it must not stop the others
            logger.exception("command failed", extra={"action": "command_failed", "key": request.key})
            return await self._postpone(request, "of an error on our side", error)

    def _claim(self, tx: Transaction) -> CommandRequest | None:
        now = self.desk.clock.now_ms()
        # Whoever takes a command puts it off for a while with that; if its process is gone, it is due at once.
        due = sa.or_(_C.due_ms <= now, _C.owner != own_id())
        waiting = sa.select(commands).where(_C.state == "received", due).order_by(_C.received_ms, _C.key)
        for row in tx.execute(waiting.limit(50)):
            if row.due_ms <= now or is_gone(row.owner):
                same = sa.and_(_C.key == row.key, _C.due_ms == row.due_ms)
                taken = commands.update().where(same).values(owner=own_id(), due_ms=now + _TAKEN_MS)
                if tx.execute(taken).rowcount:
                    return CommandRequest.model_validate(row.request)
        return None

    async def _decide(self, request: CommandRequest) -> Decision:
        forge, repository = self.desk.forge, request.thread.repository
        try:
            branch = await reads.default_branch(forge, repository)
            file = await reads.trusted_file(forge, repository, branch, PATH)
        except ForgeRefused as error:
            # Without a token for the repository there is nobody we could speak to.
            return Silence(f"GitHub refused: {error}")
        config = load("" if file is None else file.text, frozenset(self.rooms))
        if isinstance(config, RepositoryConfig) and config.door != self.desk.door:
            return Silence(f"the repository's door is {config.door}")
        command = parse(request.line, self.verbs)
        role = await reads.role_of(forge, repository, request.actor)
        if isinstance(command, Mistake):
            return self._mistake(command, role, request)
        needed = _needed(command.verb, config)
        if role < needed:
            return Refusal(
                replies.not_allowed(command.verb.name, needed, role),
                f"{request.actor.id}:{command.verb.name}",
            )
        if not isinstance(config, RepositoryConfig):
            return Refusal(replies.faulty_config(PATH, config))
        return await self._ask_verb(Asked(request=request, command=command, config=config, branch=branch))

    def _mistake(self, found: Mistake, role: Role, request: CommandRequest) -> Decision:
        """A mistake is explained to those who could have meant something; a stranger is told once."""
        return Refusal(replies.mistake(found), "" if role >= Role.triage else f"{request.actor.id}:mistake")

    async def _ask_verb(self, asked: Asked) -> Decision:
        room, request = self.rooms[asked.command.verb.name], asked.request
        forge, repository = self.desk.forge, request.thread.repository
        if not await reads.comment_unchanged(forge, repository, request.comment, request.body_sha256):
            return Refusal(replies.changed_comment())
        place = "pull" if await reads.is_pull(self.desk.forge, asked.request.thread) else "issue"
        if place not in room.verb.places:
            return Refusal(replies.wrong_place(room.verb))
        try:
            answer = await room.answer(self.desk, asked)
        except RecipeError as error:
            return Refusal(replies.faulty_recipe(str(error)))
        except ForgeRefused as error:
            return Refusal(replies.broken(f"GitHub refused what it needs to read ({error.status})"))
        return answer if isinstance(answer, Answer) else (asked, answer)

    def _carry_out(self, tx: Transaction, request: CommandRequest, decision: Decision) -> str:
        match decision:
            case Silence(why):
                return self._close(tx, request, f"silence: {why}")
            case Refusal(text, once_per):
                self._reply(tx, request, text, once_per)
                return self._close(tx, request, "refused")
            case Answer(text):
                self._reply(tx, request, text, "")
                return self._close(tx, request, "answered")
            case (asked, start):
                return self._start(tx, asked, start)

    def _start(self, tx: Transaction, asked: Asked, start: Start) -> str:
        """Chain, reservation, first comment and reaction: all or none."""
        request, now = asked.request, self.desk.clock.now_ms()
        thread = request.thread
        account = Account(
            thread=f"{thread.repository.id}:{thread.number}",
            user=str(request.actor.id),
            repository=str(thread.repository.id),
        )
        chain_id = chain_id_of(request)
        if _is_running(tx, account.thread, start.plan.verb):
            self._reply(tx, request, replies.already_running(start.plan.verb), "")
            return self._close(tx, request, "refused: already running")
        savepoint = tx.begin_nested()
        try:
            chains.create(tx, chain_id, start.plan, account, start.caps, now)
        except CapReached as refusal:
            savepoint.rollback()
            self._reply(tx, request, replies.cap_reached(refusal), "")
            return self._close(tx, request, "refused: cap")
        savepoint.commit()
        self.observer.changed(tx, chain_id)
        reaction = Reaction(comment=request.comment, content="eyes")
        want(tx, f"reaction:{request.key}:eyes", thread.repository, reaction, now)
        tx.execute(commands.update().where(_C.key == request.key).values(chain_id=chain_id))
        return self._close(tx, request, "started", chain_id)

    def _close(self, tx: Transaction, request: CommandRequest, answer: str, chain_id: str = "") -> str:
        tx.execute(
            commands.update().where(_C.key == request.key).values(state="handled", answer=answer[:2000])
        )
        logger.info(
            "%s: %s",
            request.line.split()[:2],
            answer,
            extra={"action": "command_handled", "key": request.key},
        )
        return chain_id

    def _reply(self, tx: Transaction, request: CommandRequest, text: SafeMarkdown, once_per: str) -> None:
        thread = request.thread
        which = f"{thread.repository.id}:{thread.number}:{once_per}" if once_per else request.key
        reply = Reply(number=thread.number, body=text)
        want(tx, f"reply:{which}", thread.repository, reply, self.desk.clock.now_ms())

    async def _postpone(self, request: CommandRequest, reason: str, error: Exception) -> str:
        """It cannot be decided now: try again, longer each time; at last say so where we still can."""

        def store(tx: Transaction) -> str:
            tries = int(tx.execute(sa.select(_C.tries).where(_C.key == request.key)).scalar_one()) + 1
            if tries >= _TRIES:
                self._reply(tx, request, replies.broken(reason), "")
                return self._close(tx, request, f"given up: {error}")
            due = self.desk.clock.now_ms() + 1000 * 2**tries
            tx.execute(commands.update().where(_C.key == request.key).values(tries=tries, due_ms=due))
            return ""

        logger.warning("postponed: %s", error, extra={"action": "command_postponed", "key": request.key})
        return await self.desk.database.transact(store)


def chain_id_of(request: CommandRequest) -> str:
    """The chain that a command starts: the same command, the same chain."""
    return hashlib.sha256(request.key.encode()).hexdigest()[:10]


def _is_running(tx: Transaction, thread: str, verb: str) -> bool:
    """Whether a chain of this verb is on its way in a thread: a second would pay for, and say, the same again."""
    own = sa.and_(chain_rows.c.account_thread == thread, chain_rows.c.state.in_(["queued", "running"]))
    return any(plan["verb"] == verb for plan in tx.execute(sa.select(chain_rows.c.plan).where(own)).scalars())


def _needed(verb: Verb, config: object) -> Role:
    if isinstance(config, RepositoryConfig) and verb.name in config.permissions:
        return Role.named(config.permissions[verb.name])
    return verb.role
