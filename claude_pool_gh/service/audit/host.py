"""Audits as a shell runs them: nothing is published, reports are files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.audits.model import AuditResult
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.conversation.repository.guidance import guidance_at
from claude_pool_gh.pool.model.ports import Clock, HostStepContext
from claude_pool_gh.storage import Database, Transaction

GitDirs = Callable[[Subject, Sequence[str]], Awaitable[Path]]
"""Gives a git directory that has these commits. Raises WorktreeError."""


@dataclass(frozen=True, slots=True)
class Shell:
    """See `AuditHost`. A chain's context is its `Subject`."""

    database: Database
    clock: Clock
    git_dirs: GitDirs

    def subject(self, context: HostStepContext) -> Subject:
        """The subject that the plan was made for."""
        return Subject.model_validate(context.plan.context)

    def again(self, context: HostStepContext, paths: Sequence[str]) -> str:  # noqa: ARG002 - the signature of `AuditHost`
        """Nothing: only the command knows the flags that it was given."""
        return ""

    async def git_dir(self, context: HostStepContext, commits: Sequence[str]) -> Path:
        """The checkout's own objects, or a mirror."""
        return await self.git_dirs(self.subject(context), commits)

    async def bring(self, context: HostStepContext, older: Collection[str]) -> None:
        """Nothing: they came with the history."""

    async def guidance(self, context: HostStepContext) -> str:
        """The rules that stand at the commit itself: whoever runs the command chose that."""
        subject = self.subject(context)
        git_dir = await self.git_dirs(subject, [subject.commit])
        return await guidance_at(git_dir, subject.commit)

    async def failing(self, context: HostStepContext) -> frozenset[str]:  # noqa: ARG002 - the same
        """None: checks are GitHub's."""
        return frozenset()

    async def publication(
        self,
        context: HostStepContext,  # noqa: ARG002 - the signature of `AuditHost`
        result: AuditResult,  # noqa: ARG002
    ) -> Callable[[Transaction], None]:
        """Nothing: the command that waits for the result writes its reports."""
        return _nothing


def _nothing(_tx: Transaction) -> None:
    """Store nothing more."""
