"""Carries out accepted commands: from a stored line to a refusal, an answer or a chain (steps 3 to 6 of the story).

Everything read before the decision can be read again, and the decision is one transaction: after a crash a command
is either still received, and is handled again, or handled for good.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.commands.grammar import Command, Mistake, Verb, parse
from claude_pool_gh.config.load import Configuration, Faults
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation import strangers
from claude_pool_gh.conversation.desk import Act, Answer, Asked, Desk, Start, VerbRoom
from claude_pool_gh.conversation.setup import Setups
from claude_pool_gh.github import intake, reads
from claude_pool_gh.github.effects.kinds import Reaction, Reply
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.errors import ForgeError, ForgeRefused
from claude_pool_gh.github.intake import CommandRequest
from claude_pool_gh.github.tables import commands
from claude_pool_gh.pool import chains
from claude_pool_gh.pool.errors import CapReached, RecipeError
from claude_pool_gh.pool.ledger import Account
from claude_pool_gh.pool.plan import Plan
from claude_pool_gh.pool.ports import Observer
from claude_pool_gh.pool.tables import chains as chain_rows
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.owners import is_gone, own_id
from claude_pool_gh.terms.ids import Repository, Trigger
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

logger = logging.getLogger(__name__)

_TRIES: Final = 8
_TAKEN_MS: Final = 120_000
"""For so long nobody else of this process takes a command that is being handled."""
_C: Final = commands.c
_ON_THE_WAY: Final = ("queued", "running")
_INDISPENSABLE: Final = frozenset({"contents", "issues", "pull_requests"})
"""Permissions without which a command that runs agents makes no sense; a check can be a status instead."""

Deed = Callable[[Transaction], tuple[SafeMarkdown | None, str | None]]


@dataclass(frozen=True, slots=True)
class Silence:
    """A command that gets no answer, and why; for the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that is refused with words; `once_per` keeps a stranger from making us repeat them."""

    text: SafeMarkdown
    once_per: str = ""
    everywhere: bool = False
    """Whether once means once in the repository, not once in each thread."""


Decision = Silence | Refusal | Answer | Act | tuple[Asked, Start]


@dataclass(frozen=True, slots=True)
class Clerk:
    """Handles commands, one at a time for each caller."""

    desk: Desk
    rooms: Mapping[str, VerbRoom]
    observer: Observer
    setups: Setups

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
            if (row.due_ms <= now or is_gone(row.owner)) and not _is_behind(tx, row.key):
                same = sa.and_(_C.key == row.key, _C.due_ms == row.due_ms)
                taken = commands.update().where(same).values(owner=own_id(), due_ms=now + _TAKEN_MS)
                if tx.execute(taken).rowcount:
                    return _as_named_now(tx, CommandRequest.model_validate(row.request))
        return None

    async def _decide(self, request: CommandRequest) -> Decision:
        try:
            return await self._judge(request)
        except ForgeRefused as error:
            return await self._out_of_reach(request, error)

    async def _judge(self, request: CommandRequest) -> Decision:
        forge, repository = self.desk.forge, request.thread.repository
        branch = await reads.default_branch(forge, repository)
        found = await self.setups.of(repository, branch)
        config = found.value if isinstance(found, Configuration) else RepositoryConfig()
        if isinstance(found, Configuration) and config.door != self.desk.door:
            return Silence(f"the repository's door is {config.door}")
        if (why := await self._unheard(request, config)) is not None:
            return Silence(why)
        now = self.desk.clock.now_ms()
        beyond = await self.desk.database.read(
            lambda tx: strangers.too_often(tx, request, config.limits, now)
        )
        if beyond is not None:
            return self._too_often(request, config, beyond, now)
        command = parse(request.line, self.verbs)
        role = await reads.role_of(forge, repository, request.actor)
        if isinstance(command, Mistake):
            return self._mistake(command, role, request)
        needed = _needed(command.verb, found)
        if role < needed and not await self._tells_author(request, command.verb, found, role):
            return Refusal(
                replies.not_allowed(command.verb.name, needed, role),
                f"{request.actor.id}:{command.verb.name}",
            )
        if isinstance(found, Faults):
            return Refusal(replies.faulty_config(found.file, found.faults))
        return await self._ask_verb(request, command, found, branch, role)

    async def _out_of_reach(self, request: CommandRequest, error: ForgeRefused) -> Decision:
        """What cannot be read cannot be decided; said where a permission is all that is missing."""
        forge, repository = self.desk.forge, request.thread.repository
        if not self._lacks(repository):
            # Without a token for the repository, or without the thread, there is nobody we could speak to.
            return Silence(f"GitHub refused: {error}")
        if (refusal := await self._lacking(repository)) is None:  # granted in the meantime
            return await self._decide(request)
        if not request.actor.is_human or await reads.role_of(forge, repository, request.actor) < Role.triage:
            return Silence(f"GitHub refused: {error}")
        return refusal

    async def _tells_author(
        self, request: CommandRequest, verb: Verb, found: Configuration | Faults, role: Role
    ) -> bool:
        """Whether somebody without the role is told all the same, as the author of the thread."""
        chosen = isinstance(found, Configuration) and verb.name in found.value.permissions
        if not verb.tells or chosen or role < Role.read:
            return False
        return (await reads.issue(self.desk.forge, request.thread)).author.id == request.actor.id

    async def _unheard(self, request: CommandRequest, config: RepositoryConfig) -> str | None:
        """Why a command is not even answered: what caused it is nobody who may command here, or is not switched on."""
        if request.actor.id == await self.desk.forge.access.own_id(request.thread.repository):
            return "the bot never obeys itself"
        if not request.actor.is_human and request.actor.id not in config.bots:
            return f"{request.actor.login} is no person, and not among `bots`"
        if isinstance(request.source, Trigger) and not _is_switched_on(request.source.kind, config):
            return f"{request.source.kind} starts nothing here"
        return None

    def _too_often(
        self, request: CommandRequest, config: RepositoryConfig, beyond: str, now_ms: int
    ) -> Refusal:
        most = config.limits.user_hour if beyond == "user" else config.limits.thread_hour
        # A user's limit holds in the whole repository, so it is said once there, not once in each thread.
        whose = f"user:{request.actor.id}" if beyond == "user" else f"{request.thread.number}:all"
        once = f"{whose}:often:{now_ms // strangers.HOUR_MS}"
        return Refusal(replies.rate_limited(beyond, most), once, everywhere=True)

    def _mistake(self, found: Mistake, role: Role, request: CommandRequest) -> Decision:
        """A mistake is explained to those who could have meant something; a stranger is told once."""
        return Refusal(replies.mistake(found), "" if role >= Role.triage else f"{request.actor.id}:mistake")

    async def _ask_verb(
        self, request: CommandRequest, command: Command, found: Configuration, branch: str, role: Role
    ) -> Decision:
        room, forge, repository = self.rooms[command.verb.name], self.desk.forge, request.thread.repository
        comment = request.comment
        if comment is not None and not await reads.comment_unchanged(
            forge, repository, comment, request.body_sha256
        ):
            return Refusal(replies.changed_comment())
        issue = await reads.issue(forge, request.thread)
        asked = Asked(
            request=request, command=command, configuration=found, branch=branch, role=role, issue=issue
        )
        if asked.place not in room.verb.places:
            return Refusal(replies.wrong_place(room.verb))
        if (refusal := await self._kept_out(asked, room.verb)) is not None:
            return refusal
        try:
            answer = await room.answer(self.desk, asked)
        except RecipeError as error:
            return Refusal(replies.faulty_recipe(str(error)))
        except ForgeRefused as error:
            return Refusal(replies.broken(f"GitHub refused what it needs to read ({error.status})"))
        return await self._vetted(asked, answer) if isinstance(answer, Start) else answer

    async def _kept_out(self, asked: Asked, verb: Verb) -> Refusal | None:
        """Why a permitted command runs nothing all the same."""
        if verb.pushes and self.desk.door == "action":
            return Refusal(replies.only_app(verb.name))
        repository = asked.thread.repository
        if verb.pushes and (unable := await self.desk.forge.access.may_push(repository)) is not None:
            return Refusal(replies.lacking(unable.permissions, unable.url))
        return await self._lacking(repository) if verb.spends and self._lacks(repository) else None

    def _lacks(self, repository: Repository) -> list[str]:
        """Permissions without which nothing works, as far as the last token tells."""
        lacking = self.desk.forge.access.lacking(repository)
        named = () if lacking is None else lacking.permissions
        return [name for name in named if name.split(":")[0] in _INDISPENSABLE]

    async def _lacking(self, repository: Repository) -> Refusal | None:
        """What to say where permissions are missing now: they may have been granted since the last token."""
        access = self.desk.forge.access
        await access.token(repository, fresh=True)
        missing, lacking = self._lacks(repository), access.lacking(repository)
        if not missing or lacking is None:
            return None
        return Refusal(replies.lacking(missing, lacking.url), f"lacking:{','.join(missing)}")

    async def _vetted(self, asked: Asked, start: Start) -> Decision:
        """A chain, unless what it would read is an outsider's commit that nobody has looked at.

        Judged by the plan's own commit: one that was pushed while it was made is not let through by a word on another.
        """
        commit = str(start.plan.context["head"])
        free = asked.place != "pull" or asked.config.outsiders == "trust"
        if free or not await strangers.is_unvetted(self.desk, asked.thread, asked.issue.author, commit):
            return asked, start
        once = "" if asked.request.comment else f"unvetted:{commit}"
        return Refusal(replies.unvetted(commit, asked.request.line), once)

    def _carry_out(self, tx: Transaction, request: CommandRequest, decision: Decision) -> str:
        match decision:
            case Silence(why):
                return self._close(tx, request, f"silence: {why}")
            case Refusal(text, once_per, everywhere):
                self._reply(tx, request, text, once_per, everywhere=everywhere)
                return self._close(tx, request, "refused")
            case Answer(text):
                self._reply(tx, request, text, "")
                return self._close(tx, request, "answered")
            case Act(do):
                return self._act(tx, request, do)
            case (asked, start):
                return self._start(tx, asked, start)

    def _act(self, tx: Transaction, request: CommandRequest, do: Deed) -> str:
        text, chain_id = do(tx)
        if text is not None:
            self._reply(tx, request, text, "")
        elif request.comment is not None:
            self._react(tx, request, "+1")
        if chain_id is not None:
            self.observer.changed(tx, chain_id)
        return self._close(tx, request, "done", chain_id or "")

    def _start(self, tx: Transaction, asked: Asked, start: Start) -> str:
        """Chain, reservation, first comment and reaction: all or none."""
        request, now = asked.request, self.desk.clock.now_ms()
        thread, plan = request.thread, start.plan
        account = Account(
            thread=asked.key,
            user=str(request.actor.id),
            repository=str(thread.repository.id),
        )
        chain_id = chain_id_of(request)
        if (same := _same_request(tx, account.thread, plan)) is not None:
            self._reply(tx, request, replies.joined(same, plan.verb), "")
            self._react(tx, request, "eyes")
            return self._close(tx, request, "joined", same)
        if start.instead:
            self._end_others(tx, account.thread, plan.verb, now)
        savepoint = tx.begin_nested()
        try:
            chains.create(tx, chain_id, plan, account, start.caps, now)
        except CapReached as refusal:
            savepoint.rollback()
            once = "" if request.comment else f"cap:{refusal.cap}:{now // strangers.HOUR_MS}"
            self._reply(tx, request, replies.cap_reached(refusal, request.line), once)
            return self._close(tx, request, "refused: cap")
        savepoint.commit()
        if start.after is not None:
            start.after(tx, chain_id)
        self.observer.changed(tx, chain_id)
        self._react(tx, request, "eyes")
        tx.execute(commands.update().where(_C.key == request.key).values(chain_id=chain_id))
        return self._close(tx, request, "started", chain_id)

    def _end_others(self, tx: Transaction, thread: str, verb: str, now_ms: int) -> None:
        """End the chains of a verb that a new one replaces."""
        own = sa.and_(chain_rows.c.account_thread == thread, chain_rows.c.state.in_(_ON_THE_WAY))
        for row in tx.execute(sa.select(chain_rows.c.id, chain_rows.c.plan).where(own)).all():
            if row.plan["verb"] == verb:
                chains.request_cancel(tx, row.id, now_ms)
                self.observer.changed(tx, row.id)

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

    def _react(self, tx: Transaction, request: CommandRequest, content: Any) -> None:
        if request.comment is not None:
            reaction = Reaction(comment=request.comment, content=content)
            now = self.desk.clock.now_ms()
            want(tx, f"reaction:{request.key}:{content}", request.thread.repository, reaction, now)

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
        place = f"{thread.repository.id}" if everywhere else f"{thread.repository.id}:{thread.number}"
        which = f"{place}:{once_per}" if once_per else request.key
        root = comment.root if comment is not None else None
        reply = Reply(number=thread.number, body=text, in_reply_to=root)
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
    return request.digest[:10]


def _as_named_now(tx: Transaction, request: CommandRequest) -> CommandRequest:
    """A command in the repository as it is called by now: it may have been renamed since the delivery."""
    known = intake.known_repository(tx, request.thread.repository.id)
    thread = request.thread.model_copy(update={"repository": known or request.thread.repository})
    return request.model_copy(update={"thread": thread})


def _is_behind(tx: Transaction, key: str) -> bool:
    """Whether an earlier command of the same comment is still to be handled: they take effect in their order."""
    source, _, ordinal = key.rpartition(":")
    before = [f"{source}:{number}" for number in range(int(ordinal))]
    own = sa.and_(_C.key.in_(before), _C.state == "received")
    return bool(before) and tx.execute(sa.select(_C.key).where(own)).first() is not None


def _same_request(tx: Transaction, thread: str, plan: Plan) -> str | None:
    """A chain on its way in the thread that was asked for with the same words at the same commit, and is planned so."""
    own = sa.and_(chain_rows.c.account_thread == thread, chain_rows.c.state.in_(_ON_THE_WAY))
    for row in tx.execute(sa.select(chain_rows.c.id, chain_rows.c.plan).where(own)):
        if row.plan["verb"] == plan.verb and _identity(row.plan["context"]) == _identity(plan.context):
            return str(row.id)
    return None


def _identity(context: Mapping[str, Any]) -> tuple[str, ...]:
    return " ".join(str(context["line"]).split()), str(context["head"]), str(context["config_blob"])


def _is_switched_on(kind: str, config: RepositoryConfig) -> bool:
    match kind:
        case "label":
            return config.triggers.labels
        case "opened":
            return config.triggers.opened
        case "ready_for_review":
            return config.triggers.ready_for_review
        case "push":
            return config.review.on_push
        case _:
            return True


def _needed(verb: Verb, found: Configuration | Faults) -> Role:
    if isinstance(found, Configuration) and verb.name in found.value.permissions:
        return Role.named(found.value.permissions[verb.name])
    return verb.role
