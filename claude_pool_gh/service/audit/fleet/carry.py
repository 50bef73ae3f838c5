"""Carries a fleet's run: each repository is fetched, planned, given its share of the money, and audited.

Whatever goes wrong with one costs only itself, and becomes its row.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from claude_pool_gh.audits.fleet.share import Reserve, UsedUp, WaitForOthers, share
from claude_pool_gh.audits.model import AuditPlan
from claude_pool_gh.conversation.audit.brief import brief, planned
from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.conversation.recipes.recipe_terms import READING
from claude_pool_gh.local import user_recipes
from claude_pool_gh.pool.model.caps import Cap, Caps, Window
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.errors import PoolError, StepFailed
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.plan import Plan, WorkspaceSpec
from claude_pool_gh.pool.model.ports import HostStepContext
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store import cap_uses, lookup
from claude_pool_gh.service.audit import carrying, planning
from claude_pool_gh.service.audit.fleet import record
from claude_pool_gh.service.audit.fleet.options import FleetOptions, Found
from claude_pool_gh.service.audit.fleet.reader import Reader, Unreadable
from claude_pool_gh.service.audit.fleet.record import FleetRun
from claude_pool_gh.service.audit.host import Shell
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.worktrees.errors import OriginUnavailable, WorktreeError
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees

logger = logging.getLogger(__name__)

SCOPE: Final = "fleet"
"""The kind of scope that the chains of one run share a cap in."""
_KEPT_SECONDS: Final = 30 * 86_400.0
"""After this time without a fetch of it, a commit's ref goes, and a mirror that has none left."""


class NotAudited(Exception):
    """The reason why a repository is not audited in this run."""


class Later(Exception):
    """The reason why a repository is not audited now; the next command tries again."""


@dataclass(slots=True)
class FleetLogins:
    """Gives credentials for the repositories of a run."""

    reader: Reader
    repositories: dict[int, Found] = field(default_factory=dict)

    async def __call__(self, repository_id: int, _fresh: bool) -> Credentials:
        """The means to fetch one; PyGithub renews an installation's token in time. Raises WorktreeError."""
        try:
            return await asyncio.to_thread(
                self.reader.credentials, self.repositories[repository_id]
            )
        except Unreadable as error:
            kind = OriginUnavailable if error.passing else WorktreeError
            raise kind(error.reason) from error


def host_of(database: Database, worktrees: Worktrees) -> Shell:
    """The host of a fleet's audits, whose commits are fetched into mirrors."""

    async def git_dir(subject: Subject, commits: Sequence[str]) -> Path:
        refs = [f"refs/heads/{subject.branch}"]
        return await worktrees.fetch(subject.repository_id, list(commits), refs)

    return Shell(database, SystemClock(), git_dir)


@dataclass(slots=True)
class Fleet:
    """A run that is carried."""

    options: FleetOptions
    state: Path
    run: FleetRun
    budget: int
    """Microdollars for all together."""
    reader: Reader
    host: Shell
    worktrees: Worktrees
    postponed: dict[str, str] = field(default_factory=dict)
    """Repositories that the next command tries again, with what went wrong."""
    _ended: asyncio.Condition = field(default_factory=asyncio.Condition)

    def chains(self) -> list[str]:
        """The chains of what is left, begun or not."""
        return [self.run.chain_of(each) for each in self.left()]

    def left(self) -> list[Found]:
        """The repositories that are audited, or still may be."""
        return [each for each in self.run.repositories if each.full_name not in self.run.settled]

    async def begun(self) -> frozenset[str]:
        """The repositories whose audit has a chain."""

        def read(tx: Transaction) -> frozenset[str]:
            return frozenset(
                each.full_name
                for each in self.left()
                if lookup.state_of(tx, self.run.chain_of(each)) is not None
            )

        return await self.host.database.read(read)

    async def carry(self, pool: Pool, beside: int) -> None:
        """Audit what is left, up to `beside` repositories at a time."""
        begun = await self.begun()
        # What holds money already goes first: others may wait for it.
        queue = deque(sorted(self.left(), key=lambda found: found.full_name not in begun))

        async def work() -> None:
            while queue:
                found = queue.popleft()
                await self._carry_one(pool, found)

        async with asyncio.TaskGroup() as group:
            for _ in range(beside):
                group.create_task(work())

    async def _carry_one(self, pool: Pool, found: Found) -> None:
        chain_id = self.run.chain_of(found)
        try:
            known = await self.host.database.read(lambda tx: lookup.state_of(tx, chain_id))
            if known is None:
                await self._begin(found)
                pool.wake()
            if known is not ChainState.done:
                await pool.wait_chain(ChainId(chain_id))
                await self._remove_checkouts(found)
        except NotAudited as why:
            self.settle(found, str(why))
        except Later as why:
            self.postponed[found.full_name] = str(why)
        except (
            OSError
        ) as error:  # of this machine, such as a full disk: the repository is as it was
            self.postponed[found.full_name] = str(error)
        finally:
            async with self._ended:
                self._ended.notify_all()

    async def _remove_checkouts(self, found: Found) -> None:
        """Make room; what cannot be removed changes nothing of what was found."""
        try:
            await self.worktrees.remove_checkouts(found.id)
        except OSError as error:
            logger.warning(
                "checkouts of %s not removed: %s",
                found.full_name,
                error,
                extra={"action": "checkouts_not_removed"},
            )

    async def remove_unused_mirrors(self) -> None:
        """Make room: of repositories that this run does not have, and of commits, nothing is kept for ever."""
        try:
            await self.worktrees.prune(_KEPT_SECONDS)
            await self.worktrees.remove_unused({each.id for each in self.run.repositories})
        except (OSError, WorktreeError) as error:
            logger.warning("mirrors not pruned: %s", error, extra={"action": "mirrors_not_pruned"})

    def settle(self, found: Found, reason: str) -> None:
        """Note that a repository is not audited in this run."""
        self.run = self.run.settle(found, reason)
        record.write(self.state, self.run)

    async def _begin(self, found: Found) -> None:
        """Queue the audit of a repository. Raises NotAudited and Later."""
        decided, plan = await self.prepared(found, plan_only=False)
        chain_id, account = self.run.chain_of(found), {SCOPE: self.run.id}
        whole = Caps(
            task=decided.task,
            chain=decided.budget,
            wider=(Cap(SCOPE, Window.ever, self.budget),),
        )

        def reserve(tx: Transaction) -> Reserve | WaitForOthers | UsedUp:
            now = self.host.clock.now_ms()
            (use,) = cap_uses.cap_uses(tx, account, whole, now)
            hold = bool(lookup.open_of(tx, SCOPE, [self.run.id]))
            given = share(use.left, decided.budget, others_hold=hold)
            if isinstance(given, Reserve):
                task = min(decided.task, given.amount)
                caps = replace(whole, task=task, chain=given.amount)
                limits = plan.limits.model_copy(update={"task": task, "chain": given.amount})
                own = plan.model_copy(update={"limits": limits})
                carrying.add(tx, chain_id, own, caps, now, account=account)
            return given

        async with self._ended:
            while True:
                match await self.host.database.transact(reserve):
                    case Reserve():
                        return
                    case WaitForOthers():
                        await self._ended.wait()
                    case UsedUp():
                        raise NotAudited("the budget of the fleet is used up")

    async def prepared(self, found: Found, *, plan_only: bool) -> tuple[planning.Decided, Plan]:
        """The plan for the commit of its default branch, and what was decided. Raises NotAudited and Later."""
        try:
            commit = await asyncio.to_thread(self.reader.head, found)
            refs = [f"refs/heads/{found.default_branch}"]
            mirror = await self.worktrees.fetch(found.id, [commit], refs)
            defaults = await asyncio.to_thread(self.reader.defaults, found)
            config = await planning.config_at(mirror, commit, defaults)
            options = self.options.each
            decided = planning.decided(options, config)
            library = replace(user_recipes(), skill_tools=READING)
            steps = planning.steps_of(library, options, decided)
            subject = Subject(
                repository_id=found.id,
                repository=found.full_name,
                commit=commit,
                branch=found.default_branch,
                name=options.audit,
                kind=decided.kind,
                settings=decided.settings,
                paths=options.only,
                plan_only=plan_only,
            )
            place = WorkspaceSpec(repository_id=found.id, commit=commit, refs=tuple(refs))
            return decided, planning.plan_of(options, decided, steps, subject, place)
        except Unreadable as error:
            raise (Later if error.passing else NotAudited)(error.reason) from error
        except OriginUnavailable as error:
            raise Later(error.what) from error
        except WorktreeError as error:
            raise NotAudited(error.what) from error
        except AuditRefused as error:
            raise NotAudited(error.message) from error
        except PoolError as error:
            raise NotAudited(str(error)) from error

    async def planned(self, found: Found) -> AuditPlan:
        """The plan of one repository; nothing is spent. Raises NotAudited and Later."""
        _, plan = await self.prepared(found, plan_only=True)
        try:
            made = planned(await brief(self.host, HostStepContext("plan", plan, {})))
        except StepFailed as error:
            raise NotAudited(error.reason) from error
        if isinstance(made, str):
            raise NotAudited(made)
        return made
