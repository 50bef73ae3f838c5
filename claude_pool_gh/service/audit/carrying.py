"""The store and the pool of audits in a shell, and what a chain came to, also one that was interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.audits.model import AuditResult
from claude_pool_gh.conversation.audit import going_on
from claude_pool_gh.conversation.audit.check_claims import check_claims
from claude_pool_gh.conversation.audit.gather import RESULT, gather
from claude_pool_gh.conversation.audit.host import AuditHost, Subject
from claude_pool_gh.conversation.audit.steps import host_steps
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.tables import Standing
from claude_pool_gh.pool.model.caps import Account, Caps
from claude_pool_gh.pool.model.config import PoolConfig, ScalingConfig, SlotMode
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.pool.model.ports import Ending, HostStepContext, Workspaces
from claude_pool_gh.pool.model.states import ChainState, TaskState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.dispatch_lock import StoreTaken, dispatching_from
from claude_pool_gh.pool.store import chains, ledger, listing, lookup, places, tasks
from claude_pool_gh.pool.store.chains import ChainRow, NewChain
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.service.audit.options import AuditOptions
from claude_pool_gh.service.audit.refused import AuditRefused, in_shell_words
from claude_pool_gh.service.shell import script
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.terms.severity import Severity

NAME: Final = "audit"
"""The name of the pool that carries audits."""
FILE: Final = "pool.sqlite"
_ENDED: Final = frozenset({TaskState.completed, TaskState.failed, TaskState.cancelled})


@dataclass(frozen=True, slots=True)
class Audited:
    """The audit has a result, whole or in part."""

    result: AuditResult
    stored: bool = True
    """Whether what it found and read is known to later runs; else it ended before that, and only this tells it."""
    goes_on: bool = False
    """Whether the same command goes on with what this one has left, where it is not stored."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An earlier run has read everything, and nothing has changed since."""

    reason: str
    open: Mapping[Severity, int]
    """What that run, and those before it, found and still stands."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The audit ended before it read anything."""

    reason: str


Ended = Audited | Unchanged | Failed


@asynccontextmanager
async def opened_store(state: Path) -> AsyncIterator[Database]:
    """The database in a folder, for this process alone. Raises AuditRefused where another one runs audits from it."""
    private_folder(state)
    database = Database.open(f"sqlite:///{state.absolute()}/{FILE}")
    try:
        with ExitStack() as held:
            try:
                held.enter_context(dispatching_from(database))
            except StoreTaken as error:
                raise AuditRefused(
                    f"another process runs this audit, with its state in {state}: wait for its end, or stop it; "
                    "another audit can run beside it (--audit NAME)"
                ) from error
            with in_shell_words():
                migrations.upgrade(database.engine)
            yield database
    finally:
        database.close()


@asynccontextmanager
async def opened_pool(
    options: AuditOptions,
    database: Database,
    state: Path,
    *,
    workspaces: Workspaces,
    host: AuditHost,
    slots: int,
) -> AsyncIterator[Pool]:
    """The pool that carries what is unfinished in a store, at once. Raises AuditRefused."""
    config = PoolConfig(
        model=options.settings.model,
        unattended_mode=True,
        slot_mode=SlotMode.ephemeral,
        idle_timeout_secs=options.settings.idle_timeout,
        scaling=ScalingConfig(max_slots=max(ScalingConfig().max_slots, slots)),
    )
    opening = Pool.open(
        script.agent_of(options.settings, trusted=False),
        name=NAME,
        slots=slots,
        config=config,
        state=state,
        store=database,
        workspaces=workspaces,
        host_steps=host_steps(host),
        clock=host.clock,
    )
    async with AsyncExitStack() as held:
        with in_shell_words():
            pool = await held.enter_async_context(opening)
        yield pool


def unfinished(tx: Transaction) -> list[ChainRow]:
    """The chains of a store that have not ended, oldest first."""
    return [chains.get(tx, each.chain_id) for each in listing.progress(tx, unfinished=True)]


def ended_last(tx: Transaction) -> list[str]:
    """The newest chain of a store, where it has ended. One that ended before it had a plan hides none before it."""
    for each in reversed(listing.progress(tx)):
        if lookup.state_of(tx, each.chain_id) is not ChainState.done:
            return []
        if chains.get(tx, each.chain_id).results.get("plan") is not None:
            return [each.chain_id]
    return []


def drop(tx: Transaction, chain: ChainRow, now_ms: int) -> None:
    """End a chain that nobody carries."""
    chains.finish(tx, chain, Outcome(verdict=Verdict.cancelled), now_ms)


def add(
    tx: Transaction,
    chain_id: str,
    plan: Plan,
    caps: Caps,
    now_ms: int,
    *,
    folder: Path | None = None,
    account: Account | None = None,
) -> None:
    """Queue a chain with all its money set aside. Raises CapReached; the caller must then roll back."""
    queue = places.queue_of(NAME, folder)
    new = NewChain(id=chain_id, plan=plan, caps=caps, pool=queue, account=account or {})
    if chains.add(tx, new, now_ms):
        ledger.reserve_chain(tx, chain_id, new.account, caps, now_ms)


def _open(tx: Transaction, subject: Subject) -> Mapping[Severity, int]:
    """The open findings of an audit, whichever run found them."""
    every = tables.every(tx, subject.audit)
    return Counter(each.finding.severity for each in every if each.state is Standing.open)


async def ended(host: AuditHost, chain_id: str, *, interrupted: bool = False) -> Ended:
    """The outcome of a chain by now. `interrupted`: it goes on later, and what it has so far is told."""

    def read(tx: Transaction) -> tuple[ChainRow, list[TaskRow], bool]:
        chain = chains.get(tx, chain_id)
        goes_on = interrupted or going_on.can_go_on(tx, chain)
        return chain, tasks.of_chain(tx, chain_id), goes_on

    chain, own, goes_on = await host.database.read(read)
    if (gathered := chain.results.get("gather")) is not None:
        return Audited(RESULT.validate_python(gathered))
    outcome = chain.outcome or Outcome(verdict=Verdict.cancelled, reason="it was interrupted")
    planned = chain.results.get("plan") or {}
    if "shards" in planned:
        reason = (
            "the audit was interrupted" if interrupted else f"the audit ended: {outcome.reason}"
        )
        so_far = await _so_far(host, chain, own, reason)
        return Audited(so_far, stored=False, goes_on=goes_on)
    if "unchanged_since" in planned:
        subject = Subject.model_validate(chain.plan.context)
        return Unchanged(outcome.reason, await host.database.read(lambda tx: _open(tx, subject)))
    return Failed(outcome.reason or outcome.verdict.value)


async def _so_far(
    host: AuditHost, chain: ChainRow, own: Sequence[TaskRow], reason: str
) -> AuditResult:
    """The result of the tasks that have ended, through the steps that would make the whole one; nothing is stored."""
    known: dict[str, Any] = dict(chain.results)

    def outcomes(step: str, number: int) -> list[Any]:
        ran = {task.shard: task for task in own if task.step == step and task.state in _ENDED}
        missing = {"ending": Ending.cancelled.value, "reason": reason}
        return [(ran[at].outcome if at in ran else None) or missing for at in range(number)]

    def context() -> HostStepContext:
        return HostStepContext(chain.id, chain.plan, known)

    known.setdefault("find", outcomes("find", len(known["plan"]["shards"])))
    if "check" not in known:
        known["check"] = (await check_claims(host, context())).result
    known.setdefault("verify", outcomes("verify", len(known["check"]["candidates"])))
    known.setdefault("alike", {"groups": []})
    known.setdefault("merge", outcomes("merge", len(known["alike"]["groups"])))
    return RESULT.validate_python((await gather(host, context())).result)
