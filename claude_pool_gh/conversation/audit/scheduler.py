"""Starts audits when they are due: reads schedules from configurations, decides, and gives the command.

Any number of processes may do this at once. What is due is decided from rows, and carried out by one update together
with the command that it leads to. A run stands in the audit's report issue, which is opened before the first one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from claude_pool_gh.audits import schedule_rows
from claude_pool_gh.audits.outputs import issue
from claude_pool_gh.audits.schedule import (
    Begin,
    NotDue,
    PassedOver,
    PassOver,
    decide,
    digest_of,
    unless_unchanged,
)
from claude_pool_gh.audits.schedule_rows import ScheduledAudit
from claude_pool_gh.commands.lines import WORD
from claude_pool_gh.config.load import Configuration
from claude_pool_gh.config.model import Audit, RepositoryConfig
from claude_pool_gh.conversation.audit.live import end_ended
from claude_pool_gh.conversation.audit.since import bring_up_to_date, waiting
from claude_pool_gh.conversation.intake.command_policy import answers
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github import inbox, reads
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects.lookups import fate
from claude_pool_gh.github.effects.rows import hold, want
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.github.trusted import TrustedFiles
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.owners import own_id
from claude_pool_gh.terms.ids import Actor, Repository, Thread, Trigger
from claude_pool_gh.terms.schedules import Schedule, parsed

logger = logging.getLogger(__name__)

READ_EVERY_MS: Final = 3_600_000
"""A configuration is read again after so long, and before each run."""
_SOON_MS: Final = 5_000
"""Until the report issue is looked for that was only just asked for."""
_LATER_MS: Final = 300_000
"""Until a due time is looked at again at which GitHub could not be reached."""
_RECIPES: Final = ".github/claude-pool"
_WILD: Final = frozenset("*?[")


def request_of(
    repository: Repository, number: int, actor: Actor, audit: str, due_ms: int
) -> CommandRequest:
    """The command that a due time leads to, in the audit's report issue."""
    return CommandRequest(
        thread=Thread(repository=repository, number=number),
        actor=actor,
        source=Trigger(kind="schedule", id=f"{audit}:{due_ms}"),
        line=f"{WORD} audit {audit}",
    )


@dataclass(slots=True)
class AuditScheduler:
    """Looks for what is due, again and again; see `look`."""

    services: Services
    config_loader: ConfigLoader
    wake_writer: Callable[[], None] = lambda: None
    _read_ms: dict[int, int] = field(default_factory=dict)
    """When each repository's configuration was read last, by this process."""

    async def look(self) -> int:
        """Read schedules that may have changed, note runs that are over, and begin what is due; how many began."""
        now = self.services.clock.now_ms()
        mine = await self.services.database.transact(
            lambda tx: hold(tx, "audit schedules", own_id(), now)
        )
        if not mine:
            return 0
        await self.services.database.transact(end_ended)
        await self._read_all(now)
        begun = 0
        for due in await self.services.database.read(lambda tx: schedule_rows.to_look_at(tx, now)):
            try:
                begun += await self._carry_out(due)
            except ForgeError as error:
                logger.warning("audit not started yet: %s", error, extra=_told(due, "audit_later"))
                await self._again(due, self.services.clock.now_ms() + _LATER_MS)
        return begun

    async def _read_all(self, now_ms: int) -> None:
        """Read the configurations that were not read for a while. One that cannot be read changes nothing."""
        for repository in await self.services.database.read(inbox.active_repositories):
            since = now_ms - self._read_ms.get(repository.id, -READ_EVERY_MS)
            if 0 <= since < READ_EVERY_MS:  # below 0 the clock was set back
                continue
            self._read_ms[repository.id] = now_ms
            try:
                await self._config(repository)
            except ForgeError as error:
                logger.info(
                    "schedules of %s not read: %s",
                    repository.full_name,
                    error,
                    extra={"action": "schedules_unread"},
                )

    async def _config(self, repository: Repository) -> tuple[RepositoryConfig, str, str] | None:
        """The configuration, with the default branch and its commit; its schedules are kept. None: it is faulty."""
        forge = self.services.forge
        branch = await reads.default_branch(forge, repository)
        commit = await reads.branch_head(forge, repository, branch)
        files = TrustedFiles(forge, repository, branch=branch, commit=commit)
        found = await self.config_loader.of(repository, files)
        if not isinstance(found, Configuration):
            return None
        config = found.value
        wanted = schedules_of(config) if answers(found, self.services.runs_in) else {}
        now = self.services.clock.now_ms()

        def keep(tx: Transaction) -> None:
            for name, each in wanted.items():
                if schedule_rows.remember(tx, repository.id, name, each, now):
                    bring_up_to_date(tx, repository, name, now)
            for name in schedule_rows.forget_others(tx, repository.id, wanted):
                bring_up_to_date(tx, repository, name, now)

        await self.services.database.transact(keep)
        return config, branch, commit

    async def _carry_out(self, due: ScheduledAudit) -> bool:
        """Decide on one audit. True where a run began."""
        now = self.services.clock.now_ms()
        if due.schedule is None:
            await self._again(due, None)
            return False
        match decide(due.schedule, due.record, now, due.scatter):
            case NotDue(next_ms):
                await self._again(due, next_ms)
            case PassOver() as passed:
                await self._pass_over(due, passed)
            case Begin() as begin:
                return await self._begin(due, begin)
        return False

    async def _begin(self, due: ScheduledAudit, begin: Begin) -> bool:
        forge, database = self.services.forge, self.services.database
        repository = await database.read(lambda tx: inbox.known_repository(tx, due.repository_id))
        if repository is None:
            await self._again(due, None)
            return False
        read = await self._config(repository)
        now = await database.read(lambda tx: schedule_rows.get(tx, due.repository_id, due.audit))
        if read is None or now is None or now.schedule != due.schedule:
            await self._again(due, self.services.clock.now_ms() + _LATER_MS)
            return False
        number = await self._report_issue(due, repository, begin)
        if number is None:
            return False
        if not (await reads.issue(forge, Thread(repository=repository, number=number))).open:
            await self._pass_over(due, _passed(begin), "its report issue is closed")
            return False
        config, _, commit = read
        digest = await self._digest(repository, config.audits[due.audit], commit)
        if config.audits[due.audit].when == "changed":
            decision = unless_unchanged(begin, due.record, digest)
            if isinstance(decision, PassOver):
                await self._pass_over(due, decision)
                return False
        return await self._submit(due, begin, repository, number, digest)

    async def _submit(
        self, due: ScheduledAudit, begin: Begin, repository: Repository, number: int, digest: str
    ) -> bool:
        """The run and its command, both or neither."""
        account = await self.services.forge.access.account(repository)
        actor = Actor(id=account.id, login=account.login, is_human=False)
        request = request_of(repository, number, actor, due.audit, begin.due_ms)

        def store(tx: Transaction) -> bool:
            now = self.services.clock.now_ms()
            begun = schedule_rows.begin(tx, due, begin, request.key, digest, now)
            return begun and inbox.store(tx, request, now)

        begun = await self.services.database.transact(store)
        logger.info("audit is due", extra=_told(due, "audit_due" if begun else "audit_elsewhere"))
        return begun

    async def _report_issue(
        self, due: ScheduledAudit, repository: Repository, begin: Begin
    ) -> int | None:
        """The number of the report issue; None while it is not there, which is told where it will not be."""
        key, now = issue.key(repository.id, due.audit), self.services.clock.now_ms()
        standing = await self.services.database.read(lambda tx: fate(tx, key))
        if standing is not None and standing.remote_id is not None:
            if standing.state is not EffectState.gone:
                return standing.remote_id
            await self._pass_over(due, _passed(begin), f"its report issue was {standing.error}")
            return None
        if standing is not None and standing.state is EffectState.refused:
            why = f"GitHub refused the report issue ({standing.error})"
            await self._pass_over(due, _passed(begin), why)
        report = waiting(due.audit)
        await self.services.database.transact(lambda tx: want(tx, key, repository, report, now))
        self.wake_writer()
        if standing is None or standing.state is EffectState.wanted:
            await self._again(due, now + _SOON_MS)
        return None

    async def _digest(self, repository: Repository, audit: Audit, commit: str) -> str:
        """A digest of what the audit would read at a commit, and by which rules."""
        trees = {}
        for path in {_RECIPES, *map(_literal, audit.paths or ("",))}:
            trees[path] = await reads.object_id(self.services.forge, repository, commit, path)
        rest = f"{audit.model_dump_json()}\n{self.services.defaults.model}"
        return digest_of(trees, hashlib.sha256(rest.encode()).hexdigest())

    async def _pass_over(self, due: ScheduledAudit, passed: PassOver, words: str = "") -> None:
        now = self.services.clock.now_ms()

        def store(tx: Transaction) -> None:
            schedule_rows.pass_over(tx, due, passed, now, words=words)
            repository = inbox.known_repository(tx, due.repository_id)
            if repository is not None:
                bring_up_to_date(tx, repository, due.audit, now)

        await self.services.database.transact(store)
        self.wake_writer()
        logger.info(
            "audit passed over: %s", words or passed.why, extra=_told(due, "audit_passed_over")
        )

    async def _again(self, due: ScheduledAudit, at_ms: int | None) -> None:
        await self.services.database.transact(lambda tx: schedule_rows.look_again(tx, due, at_ms))


def schedules_of(config: RepositoryConfig) -> dict[str, Schedule]:
    """The audits that have a schedule, as they are configured."""
    return {
        name: parsed(each.schedule.cron, each.schedule.timezone)
        for name, each in config.audits.items()
        if each.schedule is not None
    }


def _passed(begin: Begin) -> PassOver:
    return PassOver(begin.due_ms, begin.missed, PassedOver.running)


def _literal(pattern: str) -> str:
    """The folder or file that a pattern lies in: its parts before the first that holds a wildcard."""
    parts: list[str] = []
    for part in pattern.strip("/").split("/"):
        if _WILD & set(part):
            break
        parts.append(part)
    return "/".join(parts)


def _told(due: ScheduledAudit, action: str) -> dict[str, str]:
    return {"action": action, "where": str(due.repository_id), "audit": due.audit}
