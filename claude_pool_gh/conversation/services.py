"""The services that every verb needs at hand, and the answers of a verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from claude_pool_gh.commands.grammar import Command, Verb
from claude_pool_gh.config.load import Configuration
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.caps import REPOSITORY, THREAD, USER
from claude_pool_gh.conversation.facts import ThreadFacts, thread_key
from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.github.trusted import TrustedFiles
from claude_pool_gh.pool.model.caps import Cap, Caps, Window
from claude_pool_gh.pool.model.config import microdollars
from claude_pool_gh.pool.model.plan import Limits, Plan, Step
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.sandbox.sandbox import Sandbox
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.terms.ids import Actor, Repository, Thread
from claude_pool_gh.terms.links import Links
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.roles import Role
from claude_pool_gh.worktrees.leases import Worktrees


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The server's decisions where a repository makes none."""

    model: str
    pool_cap: int | None
    idle_seconds: float
    wall_seconds: float | None
    """Overrides the configuration's `wall_minutes`; None: that holds."""

    def overrides(self) -> dict[str, Any]:
        """Keys of the configuration whose value this server decides, with what holds."""
        return (
            {} if self.wall_seconds is None else {"wall_minutes": round(self.wall_seconds / 60, 2)}
        )

    def wall(self, config: RepositoryConfig) -> float:
        """Seconds that one agent run may take."""
        return config.wall_minutes * 60.0 if self.wall_seconds is None else self.wall_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that conversation works with."""

    database: Database
    forge: Forge
    worktrees: Worktrees
    clock: Clock
    defaults: Defaults
    links: Links
    sandbox: Sandbox | None
    """Where repositories' own checks run; None where the operator wants none."""
    holds_secret: Callable[[str], bool]
    """Whether one of this server's own secrets is in a text, however it is written."""
    runs_in: str
    """`app` or `action`: the other one's repositories are not ours to answer."""
    keeps: Callable[[], bool] = lambda: True
    """Whether what waits for a person can wait here: a job's rows may end with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """A command that may run: understood, permitted, with the repository's configuration."""

    request: CommandRequest
    command: Command
    configuration: Configuration
    files: TrustedFiles
    """The default branch's files, source of every recipe."""
    role: Role
    """The live role of whoever asks."""
    issue: reads.Issue
    """The thread as it was when the command was taken up."""
    pull: reads.Pull | None = None
    """The same of a pull request, where it is known already: see `pull_of`."""

    @property
    def config(self) -> RepositoryConfig:
        """The repository's decisions."""
        return self.configuration.value

    @property
    def branch(self) -> str:
        """The name of the default branch."""
        return self.files.branch

    @property
    def thread(self) -> Thread:
        """The thread in which it was asked."""
        return self.request.thread

    @property
    def key(self) -> str:
        """Names the thread in our rows."""
        return thread_key(self.thread)

    @property
    def place(self) -> Literal["pull", "issue"]:
        """The kind of thread it is."""
        return "pull" if self.issue.is_pull else "issue"

    @property
    def text(self) -> str:
        """The command's free words as one text, as they were written."""
        return self.command.text


@dataclass(frozen=True, slots=True)
class Answer:
    """A verb's answer that runs nothing."""

    text: SafeMarkdown
    slot: str = ""
    """A thread keeps one answer of each such name, the newest: an earlier one is deleted."""


ActResult = tuple[SafeMarkdown | None, str | None]
"""What to say, or nothing where the tracking comment says enough, and the chain that goes on, if any."""


@dataclass(frozen=True, slots=True)
class Act:
    """A verb's answer that changes what is stored: done, and put into words, in the transaction that decides."""

    do: Callable[[Transaction], ActResult]


@dataclass(frozen=True, slots=True)
class Start:
    """A verb's answer that starts a chain."""

    plan: Plan
    caps: Caps
    instead: bool = False
    """End chains of this verb that run in the thread: the new one replaces them."""
    after: Callable[[Transaction, str], None] | None = None
    """What else belongs into the transaction that makes the chain, given its id."""


Reply = Answer | Act | Start


def needed_role(verb: Verb, config: RepositoryConfig) -> Role:
    """The role that a verb needs in this repository."""
    named = config.permissions.get(verb.name)
    return Role.named(named) if named else verb.role


async def role_of(
    forge: Forge, repository: Repository, actor: Actor, config: RepositoryConfig
) -> Role:
    """The role of whoever asks, by the live API. Raises ForgeError.

    GitHub gives the account of an App none: where the configuration lists it, it counts as *triage* for commands,
    and nowhere else.
    """
    if actor.is_human:
        return await reads.role_of(forge, repository, actor)
    return Role.triage if actor.id in config.bots else Role.none


def caps_of(
    config: RepositoryConfig, command: Command, defaults: Defaults, *, scheduled: bool = False
) -> Caps:
    """The caps that hold for one command, in microdollars; `--budget` replaces the chain's and each task's.

    Of what is `scheduled`: see `account_of`.
    """
    budget = config.budget
    asked = command.flags.get("budget")
    chain = microdollars(budget.chain) if asked is None else int(asked)
    persons = (
        Cap(THREAD, Window.ever, microdollars(budget.thread)),
        Cap(USER, Window.day, microdollars(budget.user_day)),
    )
    month = (Cap(REPOSITORY, Window.month, microdollars(budget.repository_month)),)
    return Caps(
        task=min(microdollars(budget.task), chain) if asked is None else chain,
        chain=chain,
        wider=month if scheduled else (*persons, *month),
        pool=defaults.pool_cap,
    )


def plan_of(
    services: Services,
    asked: CommandContext,
    steps: tuple[Step, ...],
    facts: ThreadFacts,
    caps: Caps,
) -> Plan:
    """The plan of a command's chain."""
    limits = Limits(
        task=caps.task,
        chain=caps.chain,
        wall_seconds=services.defaults.wall(asked.config),
        idle_seconds=services.defaults.idle_seconds,
    )
    return Plan(
        verb=asked.command.verb.name,
        steps=steps,
        limits=limits,
        workspace=facts.workspace,
        context=facts.model_dump(mode="json"),
    )


async def pull_of(services: Services, asked: CommandContext) -> reads.Pull:
    """The pull request as it was when the command was taken up. Raises ForgeError."""
    return asked.pull or await reads.pull(services.forge, asked.thread)


class NoCommit(Exception):
    """The default branch has no commit: there is nothing to work on."""


async def _branch_head(services: Services, asked: CommandContext) -> str:
    """The commit of the default branch. Raises NoCommit, ForgeError."""
    try:
        return await reads.branch_head(services.forge, asked.thread.repository, asked.branch)
    except ForgeRefused as error:
        if error.status in (404, 409):
            raise NoCommit(asked.branch) from error
        raise


async def facts_for(
    services: Services, asked: CommandContext, pull: reads.Pull | None
) -> dict[str, Any]:
    """The facts that every chain has, of the thread as it is now."""
    common = {
        "thread": asked.thread,
        "place": asked.place,
        "requester": asked.request.actor,
        "line": asked.request.line,
        "asked_in": asked.request.comment,
        "default_branch": asked.branch,
        "config_blob": asked.configuration.blob,
        "on_error": asked.config.on_error,
        "notify": asked.config.notify,
    }
    if pull is not None:
        return common | {"head": pull.head, "base": pull.base, "base_ref": pull.base_ref}
    head = asked.files.commit or await _branch_head(services, asked)
    return common | {"head": head, "base": head, "base_ref": asked.branch}
