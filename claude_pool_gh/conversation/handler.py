"""A verb: one class in one file of the package `verbs`, with all that is to be known of it.

The class declares its name, its summary, where it may stand and what it takes. From that follow the grammar, the help,
the README's table, the roles that a repository may set, and what `/pool run` leaves to it; `registry` finds it.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from claude_pool_gh.commands.grammar import Flag, Verb
from claude_pool_gh.conversation.services import Answer, CommandContext, Reply, Services
from claude_pool_gh.pool.model.ports import HostStep
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import Report
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role

Place = Literal["pull", "issue"]
EVERYWHERE: Final[frozenset[Place]] = frozenset({"pull", "issue"})
_NAME: Final = re.compile(r"[a-z]{2,20}")


class VerbHandler(ABC):
    """One verb, whole: its grammar, how it answers, and what its chains do and show."""

    name: ClassVar[str]
    """The word after `/pool`."""
    summary: ClassVar[str]
    """What it does, in one sentence, for the help and the README."""
    places: ClassVar[frozenset[Place]]
    """Where it may stand."""
    role: ClassVar[Role] = Role.write
    """The least role of who may use it, where the repository's configuration says nothing."""
    arguments: ClassVar[str] = ""
    """Its free words as the help shows them, such as `[PATH]`; "": it takes none."""
    most_arguments: ClassVar[int | None] = None
    """How many words it takes at most; None: any number, where it takes any."""
    free_text: ClassVar[bool] = False
    """Whether its arguments are prose."""
    needs: ClassVar[tuple[str, ...]] = ()
    """See `grammar.Verb.needs`."""
    flags: ClassVar[tuple[Flag, ...]] = ()
    """Its own flags, besides those of its kind."""
    common_flags: ClassVar[tuple[Flag, ...]] = ()
    """The flags of its kind."""
    spends: ClassVar[bool] = False
    """Whether it lets agents work, which costs money."""
    pushes: ClassVar[bool] = False
    """Whether what it leads to needs the permission to write contents."""
    tells: ClassVar[bool] = False
    """Whether it only tells, so that a thread's author may use it too."""
    is_own_word: ClassVar[bool] = False
    """Whether it is somebody's own word on what others did, which no workflow can give for them."""
    order: ClassVar[int] = 100
    """Its place in the help: lower stands first; verbs with the same number stand by their names."""
    check: ClassVar[bool] = False
    """Whether its chains have a check run at their head."""
    replies: ClassVar[bool] = False
    """Whether its result is a comment of its own, so that nobody needs to be told where to look."""

    def __init__(self, every: Mapping[str, VerbHandler]) -> None:
        """Make the handler. `every`: all verbs by name, itself among them, once all are made."""
        self.every: Final = every
        self.verb: Final = Verb(
            name=self.name,
            summary=self.summary,
            places=frozenset(self.places),
            role=self.role,
            arguments=self.arguments,
            flags=(*self.flags, *self.common_flags),
            most_arguments=self.most_arguments if self.arguments else 0,
            spends=self.spends,
            pushes=self.pushes,
            free_text=self.free_text,
            needs=self.needs,
            tells=self.tells,
            is_own_word=self.is_own_word,
        )

    @abstractmethod
    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Answer a command that may run. It only reads. Raises ForgeError and RecipeError."""

    def host_steps(self, services: Services) -> dict[str, HostStep]:  # noqa: ARG002 - most verbs have none
        """The steps of its recipe that run without a model, by the names that recipes use."""
        return {}

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:  # noqa: ARG002 - some show nothing
        """Build what the tracking comment of a chain shows besides steps and money."""
        return None

    def ended(self, tx: Transaction, chain: ChainRow, now_ms: int) -> None:  # noqa: B027 - most leave nothing else
        """Want what else should stand on GitHub once a chain is over. Wanting it again changes nothing."""

    def intent(self, chain: ChainRow) -> str:  # noqa: ARG002 - some know more
        """Say what a chain will do, in one sentence."""
        return self.summary

    def fail_on(self, chain: ChainRow) -> str:  # noqa: ARG002 - only findings have a severity
        """Name the severity from which findings fail its check."""
        return "never"

    @classmethod
    def faults(cls) -> list[str]:
        """List what the class does not say although it must, each with how to say it."""
        found = []
        if not _NAME.fullmatch(str(getattr(cls, "name", ""))):
            found.append('its name in lower case: name = "explain"')
        if not str(getattr(cls, "summary", "")).endswith("."):
            found.append('a sentence for the help: summary = "Explains what a file does."')
        places: frozenset[str] = getattr(cls, "places", frozenset())
        if not places or not places <= EVERYWHERE:
            found.append('where it may stand: places = frozenset({"pull", "issue"})')
        found += [f"the method `{name}`" for name in sorted(cls.__abstractmethods__)]
        return found


class ControlVerb(VerbHandler):
    """A verb that decides on what is stored, such as a run, a patch or a finding. No agent works for it by itself."""

    order = 200


class TellingVerb(VerbHandler):
    """A verb that only tells, free of charge; also a thread's author may ask it."""

    places = EVERYWHERE
    role = Role.triage
    tells = True
    order = 300

    @abstractmethod
    async def tell(self, services: Services, asked: CommandContext) -> SafeMarkdown:
        """Put into words what is asked for."""

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Tell it, in place of the thread's earlier answer of the same name."""
        return Answer(await self.tell(services, asked), self.slot(asked))

    def slot(self, asked: CommandContext) -> str:  # noqa: ARG002 - most have one
        """Name the answer that this one replaces in its thread."""
        return self.name
