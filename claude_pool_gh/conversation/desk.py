"""What every verb needs at hand, and what a verb answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from claude_pool_gh.commands.grammar import Command, Verb
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.intake import CommandRequest
from claude_pool_gh.pool.ledger import Caps
from claude_pool_gh.pool.plan import MICRODOLLARS, Plan
from claude_pool_gh.pool.ports import Clock, HostStep
from claude_pool_gh.storage import Database
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.worktrees.leases import Worktrees


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the server decides where a repository does not."""

    model: str
    pool_cap: int | None
    idle_seconds: float
    wall_seconds: float | None
    """Overrides the configuration's, for tests and small servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that conversation works with."""

    database: Database
    forge: Forge
    worktrees: Worktrees
    clock: Clock
    defaults: Defaults
    door: str
    """`app` or `action`: the other one's repositories are not ours to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command that may run: understood, permitted, with the repository's configuration."""

    request: CommandRequest
    command: Command
    config: RepositoryConfig
    branch: str
    """The default branch, source of every recipe."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verb's answer that runs nothing."""

    text: SafeMarkdown


@dataclass(frozen=True, slots=True)
class Start:
    """A verb's answer that starts a chain."""

    plan: Plan
    caps: Caps


@dataclass(frozen=True, slots=True)
class VerbRoom:
    """One verb, whole: its grammar, how it answers, and the host steps of its recipe."""

    verb: Verb
    answer: Callable[[Desk, Asked], Awaitable[Answer | Start]]
    host_steps: Callable[[Desk], dict[str, HostStep]] = field(default=lambda _desk: {})


def caps_of(config: RepositoryConfig, command: Command, defaults: Defaults) -> Caps:
    """The caps that hold for one command, in microdollars; `--budget` replaces the chain's."""
    budget = config.budget
    chain = int(command.flags.get("budget") or budget.chain * MICRODOLLARS)
    return Caps(
        task=min(int(budget.task * MICRODOLLARS), chain),
        chain=chain,
        thread=int(budget.thread * MICRODOLLARS),
        user_day=int(budget.user_day * MICRODOLLARS),
        repository_month=int(budget.repository_month * MICRODOLLARS),
        pool=defaults.pool_cap,
    )
