"""The means that an audit's steps have, whoever runs them: the server for a repository on GitHub, or a shell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from claude_pool_gh.audits.model import AuditResult
from claude_pool_gh.audits.rows import audit_key
from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit.going_on import what_is_read
from claude_pool_gh.pool.model.ports import Clock, HostStepContext
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.terms.ids import Term


class Subject(Term):
    """One commit of one repository, and the audit that reads it."""

    repository_id: int
    """GitHub's id; 0 of a checkout that is audited without GitHub."""
    repository: str
    """Its name for people, such as `owner/name`."""
    commit: str
    branch: str
    name: str
    kind: str
    """Which list of rules it reports by; see `audits.rules.KINDS`."""
    settings: Audit
    paths: tuple[str, ...] = ()
    plan_only: bool = False

    @property
    def audit(self) -> str:
        """Names the audit in our rows."""
        return audit_key(self.repository_id, self.name)

    def is_same(self, other: Subject) -> bool:
        """True where two runs read the same commit for the same."""
        return self._what() == other._what()

    def _what(self) -> tuple[object, ...]:
        where = (self.audit, self.repository, self.commit, self.branch)
        return (*where, self.kind, self.paths, what_is_read(self.settings))

    @property
    def continues(self) -> bool:
        """True where only what no run has read yet is read."""
        return self.settings.when == "changed" and not self.paths


class AuditHost(Protocol):
    """Runs audits. `context` is that of the step that asks."""

    @property
    def database(self) -> Database:
        """The database with the rows of runs and findings."""
        ...

    @property
    def clock(self) -> Clock:
        """The present time."""
        ...

    def subject(self, context: HostStepContext) -> Subject:
        """The subject of the chain that a step belongs to."""
        ...

    def again(self, context: HostStepContext, paths: Sequence[str]) -> str:
        """The command that was given, with these paths; "" where only whoever waits for the result knows it."""
        ...

    async def git_dir(self, context: HostStepContext, commits: Sequence[str]) -> Path:
        """A git directory that has these commits. Raises WorktreeError where one cannot be had."""
        ...

    async def bring(self, context: HostStepContext, older: Collection[str]) -> None:
        """Have the commits at which earlier runs placed their findings there too, as far as they still exist."""
        ...

    async def guidance(self, context: HostStepContext) -> str:
        """The rules of the repository's maintainers for whoever works on it; "" where there are none."""
        ...

    async def failing(self, context: HostStepContext) -> frozenset[str]:
        """The files that failed checks of the commit speak of, as far as that is known. Raises nothing."""
        ...

    async def publication(
        self, context: HostStepContext, result: AuditResult
    ) -> Callable[[Transaction], None]:
        """Everything that is to be stored with the end of the audit besides its own rows."""
        ...
