"""Audits as the server runs them: of a repository on GitHub, where the result is published."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.audits.model import AuditResult
from claude_pool_gh.commands.words import quoted
from claude_pool_gh.conversation.audit.facts import audit_facts
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.conversation.audit.paused import paused
from claude_pool_gh.conversation.audit.publish import publish
from claude_pool_gh.conversation.lookups.branch_point import bring
from claude_pool_gh.conversation.repository.guidance import guidance
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import check_output
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.model.ports import Clock, HostStepContext
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.worktrees.history import NEWEST

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Server:
    """See `AuditHost`."""

    services: Services

    @property
    def database(self) -> Database:
        """The server's."""
        return self.services.database

    @property
    def clock(self) -> Clock:
        """The server's."""
        return self.services.clock

    def subject(self, context: HostStepContext) -> Subject:
        """The commit that the default branch had when the command was accepted."""
        facts = audit_facts(context)
        repository = facts.thread.repository
        return Subject(
            repository_id=repository.id,
            repository=repository.full_name,
            commit=facts.head,
            branch=facts.base_ref,
            name=facts.name,
            kind=facts.kind,
            settings=facts.settings,
            paths=facts.paths,
            plan_only=facts.plan_only,
        )

    def again(self, context: HostStepContext, paths: Sequence[str]) -> str:
        """With the flags that decide what is found: by other rules nothing has been read yet."""
        facts = audit_facts(context)
        return " ".join(("/pool audit", facts.name, *map(quoted, paths), *facts.flags))

    async def git_dir(self, context: HostStepContext, commits: Sequence[str]) -> Path:
        """The repository's mirror, into which they are fetched."""
        facts = audit_facts(context)
        repository = facts.thread.repository.id
        return await self.services.worktrees.fetch(
            repository, list(commits), facts.refs, history=NEWEST
        )

    async def bring(self, context: HostStepContext, older: Collection[str]) -> None:
        """See `branch_point.bring`. Raises OriginUnavailable."""
        await bring(self.services, audit_facts(context), older)

    async def guidance(self, context: HostStepContext) -> str:
        """Those of the default branch. Raises ForgeError too."""
        return await guidance(self.services, audit_facts(context), [])

    async def failing(self, context: HostStepContext) -> frozenset[str]:
        """Those that check runs at the commit have annotated; where these cannot be read, only the order differs."""
        facts = audit_facts(context)
        try:
            checks = await check_output.failed(
                self.services.forge, facts.thread.repository, facts.head
            )
        except ForgeError as error:
            logger.info("failed checks not read: %s", error, extra={"action": "checks_not_read"})
            return frozenset()
        return frozenset(path for each in checks for path in each.paths)

    async def publication(
        self, context: HostStepContext, result: AuditResult
    ) -> Callable[[Transaction], None]:
        """The report issue, a comment in it, and alerts."""
        facts, services = audit_facts(context), self.services
        off = await paused(services, facts.thread.repository, facts.head)

        def commit(tx: Transaction) -> None:
            publish(tx, services, facts, result, now_ms=result.ended_ms, workflow_off=off)

        return commit
