"""Judges a command: from its line to silence, a refusal, an answer or a plan. It only reads.

In two parts: whether it may run at all, and what it leads to. Between them whoever gave it can be told
that it is taken up, before its recipe, its guidance and whatever else its plan needs are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.commands.grammar import Mistake, Verb, parse
from claude_pool_gh.config.load import DEFAULT, PATH, Configuration, Faults
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.intake import rate_limits
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.conversation.services import (
    Act,
    Answer,
    CommandContext,
    NoCommit,
    Services,
    Start,
    needed_role,
    role_of,
)
from claude_pool_gh.github import reads
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, NotFound
from claude_pool_gh.github.overview import Overview, overview
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.reports import replies
from claude_pool_gh.terms.ids import Repository, Trigger
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

OUT_OF_REACH: Final = "GitHub refused"
"""How the reason of a silence begins where GitHub lets us read too little to answer."""
_NOT_YET: Final = "GitHub does not find yet what it has just told of"
_INDISPENSABLE: Final = frozenset({"contents", "issues", "pull_requests"})
"""Permissions without which a command that runs agents makes no sense; a check can be a status instead."""


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
    slot: str = ""
    """As of an answer: a thread keeps the newest of these."""


Decision = Silence | Refusal | Answer | Act | tuple[CommandContext, Start]


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """Decides on one command at a time."""

    services: Services
    verb_handlers: Mapping[str, VerbHandler]
    config_loader: ConfigLoader

    @property
    def verbs(self) -> dict[str, Verb]:
        """The language's verbs."""
        return {name: handler.verb for name, handler in self.verb_handlers.items()}

    async def decide(self, request: CommandRequest) -> Decision:
        """Decide about a command. Reads GitHub and our rows, and changes neither. Raises ForgeError."""
        heard = await self.hear(request)
        return await self.answer(heard) if isinstance(heard, CommandContext) else heard

    async def hear(
        self, request: CommandRequest, *, is_new: bool = False
    ) -> CommandContext | Silence | Refusal:
        """Check whether a command may run at all, before anything is read for its plan. Raises ForgeError.

        `is_new`: GitHub has told of it just now. It does so before all of its servers know of what it is about, so
        what is not found then is asked for again.
        """
        try:
            return await self._judge(request, is_new=is_new)
        except ForgeRefused as error:
            if is_new and isinstance(error, NotFound):
                raise ForgeUnavailable(_NOT_YET) from error
            return await self._out_of_reach(request, error)

    async def answer(self, asked: CommandContext, *, is_new: bool = False) -> Decision:
        """The decision on a command that may run. Raises ForgeError, ForgeRefused not among them."""
        try:
            answer = await self.verb_handlers[asked.command.verb.name].answer(self.services, asked)
        except RecipeError as error:
            return Refusal(replies.faulty_recipe(str(error)))
        except NoCommit as error:
            return Refusal(replies.no_commit(str(error)))
        except ForgeRefused as error:
            if is_new and isinstance(error, NotFound):
                raise ForgeUnavailable(_NOT_YET) from error
            return Refusal(replies.broken(f"GitHub refused what it needs to read ({error.status})"))
        return await self._vetted(asked, answer) if isinstance(answer, Start) else answer

    async def _judge(
        self, request: CommandRequest, *, is_new: bool
    ) -> CommandContext | Silence | Refusal:
        forge, repository = self.services.forge, request.thread.repository
        seen = await overview(forge, request.thread, PATH)
        found = await self.config_loader.of(repository, seen.files)
        config = found.value if isinstance(found, Configuration) else RepositoryConfig()
        if isinstance(found, Configuration) and not answers(found, self.services.runs_in):
            return Silence(
                f"the repository's commands run in {'its Action' if config.runs_in == 'action' else 'the App'}"
            )
        if (why := await self._unheard(request, config)) is not None:
            return Silence(why)
        now = self.services.clock.now_ms()
        beyond = await self.services.database.read(
            lambda tx: rate_limits.too_often(tx, request, config.limits, now)
        )
        if beyond is not None:
            return self._too_often(request, config, beyond, now)
        command = parse(request.line, self.verbs)
        role = (
            Role.admin
            if request.is_scheduled
            else await role_of(forge, repository, request.actor, config)
        )
        if isinstance(command, Mistake):
            return self._mistake(command, role, request)
        needed = needed_role(command.verb, config)
        if role < needed and not await self._tells_author(request, command.verb, found, role, seen):
            return Refusal(
                replies.not_allowed(command.verb.name, needed, role),
                f"{request.actor.id}:{command.verb.name}",
            )
        if isinstance(found, Faults):
            return Refusal(replies.faulty_config(found.file, found.faults))
        if (refusal := await self._not_as_said(request, is_new=is_new)) is not None:
            return refusal
        asked = CommandContext(
            request=request,
            command=command,
            configuration=found,
            files=seen.files,
            role=role,
            issue=await self._issue(request, seen),
            pull=seen.thread.pull if seen.thread is not None else None,
        )
        if is_new and _is_behind(request, asked.pull):
            raise ForgeUnavailable(_NOT_YET)
        if asked.place not in command.verb.places:
            return Refusal(replies.wrong_place(command.verb))
        return await self._kept_out(asked, command.verb) or asked

    async def _issue(self, request: CommandRequest, seen: Overview) -> reads.Issue:
        """The thread, as the query told of it or, where that was refused, as REST does."""
        if seen.thread is not None:
            return seen.thread.issue
        return await reads.issue(self.services.forge, request.thread)

    async def _out_of_reach(
        self, request: CommandRequest, error: ForgeRefused
    ) -> CommandContext | Silence | Refusal:
        """Decide about what cannot be read; say so where a permission is all that is missing."""
        forge, repository = self.services.forge, request.thread.repository
        if not self._lacks(repository):
            # Without a token for the repository, or without the thread, there is nobody we could speak to.
            return Silence(f"{OUT_OF_REACH}: {error}")
        if (refusal := await self._lacking(repository)) is None:  # granted in the meantime
            return await self.hear(request)
        if (
            not request.actor.is_human
            or await reads.role_of(forge, repository, request.actor) < Role.triage
        ):
            return Silence(f"{OUT_OF_REACH}: {error}")
        return refusal

    async def _tells_author(
        self,
        request: CommandRequest,
        verb: Verb,
        found: Configuration | Faults,
        role: Role,
        seen: Overview,
    ) -> bool:
        """True where somebody without the role is told all the same, as the author of the thread."""
        chosen = isinstance(found, Configuration) and verb.name in found.value.permissions
        if not verb.tells or chosen or role < Role.read:
            return False
        return (await self._issue(request, seen)).author.id == request.actor.id

    async def _unheard(self, request: CommandRequest, config: RepositoryConfig) -> str | None:
        """The reason why a command is not even answered: its cause may not command here, or is not switched on."""
        if request.is_scheduled:
            return self._unscheduled(str(request.source.id), config)
        if request.actor.id == await self.services.forge.access.own_id(request.thread.repository):
            return "the bot never obeys itself"
        if not request.actor.is_human and request.actor.id not in config.bots:
            return f"{request.actor.login} is no person, and not among `bots`"
        if isinstance(request.source, Trigger) and not is_switched_on(request.source.kind, config):
            return f"{request.source.kind} starts nothing here"
        return None

    def _unscheduled(self, source: str, config: RepositoryConfig) -> str | None:
        """The reason why a due time is for nothing. Whoever merged a schedule into the default branch permits it.

        A job's is its workflow's, and GitHub runs that of no other branch. Whom it names for such a job is asked
        nothing: that can be a merge queue's bot, or somebody who has left.
        """
        name = source.partition(":")[0]
        asked = config.audits.get(name)
        if self.services.runs_in == "action" or (asked is not None and asked.schedule is not None):
            return None
        return f"the audit {name} has no schedule any more"

    def _too_often(
        self, request: CommandRequest, config: RepositoryConfig, beyond: str, now_ms: int
    ) -> Refusal:
        most = config.limits.user_hour if beyond == "user" else config.limits.thread_hour
        # A user's limit holds in the whole repository, so it is said once there, not once in each thread.
        whose = f"user:{request.actor.id}" if beyond == "user" else f"{request.thread.number}:all"
        once = f"{whose}:often:{now_ms // rate_limits.HOUR_MS}"
        return Refusal(replies.rate_limited(beyond, most), once, everywhere=True)

    def _mistake(self, found: Mistake, role: Role, request: CommandRequest) -> Refusal:
        """A mistake is explained to those who could have meant something; a stranger is told once."""
        if role < Role.triage:
            return Refusal(replies.mistake(found), f"{request.actor.id}:mistake")
        return Refusal(replies.mistake(found), slot="mistake")

    async def _not_as_said(self, request: CommandRequest, *, is_new: bool) -> Refusal | None:
        """The refusal where the text in which a command stands does not count as one any more."""
        if (source := request.written_in) is None:
            return None
        forge, thread = self.services.forge, request.thread
        try:
            node = await reads.unchanged(forge, thread, source, request.body_sha256)
        except NotFound:
            if is_new:
                raise
            node = None
        if node is None:
            return Refusal(replies.changed_comment())
        # Below other words in a mail may stand what was answered, whatever the mail program put in between.
        if not request.leads and await reads.came_by_mail(forge, thread.repository, node):
            return Refusal(replies.below_in_mail(request.line))
        return None

    async def _kept_out(self, asked: CommandContext, verb: Verb) -> Refusal | None:
        """The refusal of a permitted command that runs nothing all the same."""
        if verb.is_own_word and _is_of_a_workflow(asked.request):
            return Refusal(replies.own_word(verb.name))
        if verb.pushes and not self.services.keeps():
            return Refusal(replies.only_app(verb.name))
        repository = asked.thread.repository
        if (
            verb.pushes
            and (unable := await self.services.forge.access.may_push(repository)) is not None
        ):
            return Refusal(replies.lacking(unable.permissions, unable.url))
        return await self._lacking(repository) if verb.spends and self._lacks(repository) else None

    def _lacks(self, repository: Repository) -> list[str]:
        """Permissions without which nothing works, as far as the last token tells."""
        lacking = self.services.forge.access.lacking(repository)
        named = () if lacking is None else lacking.permissions
        return [name for name in named if name.split(":")[0] in _INDISPENSABLE]

    async def _lacking(self, repository: Repository) -> Refusal | None:
        """The refusal where permissions are missing now: they may have been granted since the last token."""
        access = self.services.forge.access
        await access.token(repository, fresh=True)
        missing, lacking = self._lacks(repository), access.lacking(repository)
        if not missing or lacking is None:
            return None
        return Refusal(replies.lacking(missing, lacking.url), f"lacking:{','.join(missing)}")

    async def _vetted(self, asked: CommandContext, start: Start) -> Decision:
        """A chain, unless what it would read is an outsider's commit that nobody has looked at.

        Judged by the plan's own commit: one that was pushed while it was made is not let through by a word on another.
        """
        commit = facts_of(start.plan.context, ThreadFacts).head
        free = asked.place != "pull" or asked.config.outsiders == "trust"
        if free or not await rate_limits.is_unvetted(
            self.services, asked.thread, asked.issue.author, commit
        ):
            return asked, start
        once = "" if asked.request.comment else f"unvetted:{commit}"
        return Refusal(replies.unvetted(commit, asked.request.line), once)


def answers(found: Configuration, runs_in: str) -> bool:
    """True where commands of a repository run here. A job was started on purpose: it does unless a file says `app`."""
    return found.value.runs_in == runs_in or (
        runs_in == "action" and found.source("runs_in") == DEFAULT
    )


def _is_behind(request: CommandRequest, pull: reads.Pull | None) -> bool:
    """True where a push asks for it and GitHub shows another head: the one before, or a still newer one."""
    source = request.source
    if pull is None or not isinstance(source, Trigger) or source.kind != "push":
        return False
    return not source.id.endswith(f":{pull.head}")


def _is_of_a_workflow(request: CommandRequest) -> bool:
    """True where the author of an Actions workflow chose the words. Whoever caused its event may not know of them."""
    return isinstance(request.source, Trigger) and request.source.kind in ("workflow", "schedule")


def is_switched_on(kind: str, config: RepositoryConfig) -> bool:
    """True where a happening of this kind starts anything in a repository."""
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
