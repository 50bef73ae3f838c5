"""Chains as records, with their steps: making them, reading them, moving them along. No running here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account, Caps
from claude_pool_gh.pool.model.config import STORED
from claude_pool_gh.pool.model.errors import Superseded, UnknownChain
from claude_pool_gh.pool.model.outcomes import FAILURES, Outcome, Verdict
from claude_pool_gh.pool.model.plan import Plan
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import (
    CHAIN,
    STEP,
    ChainEvent,
    ChainState,
    StepEvent,
    StepState,
    note,
)
from claude_pool_gh.pool.model.texts import cleaned, storable
from claude_pool_gh.pool.store import ledger, planned_steps, queue, tasks
from claude_pool_gh.pool.store.moves import move
from claude_pool_gh.pool.store.tables import chain_scopes, chains, steps, tags
from claude_pool_gh.storage import Transaction, insert_once

FINISHED = (StepState.completed, StepState.skipped)

MAIN = "main"
"""Name of a pool that was given none."""

_ENDINGS = {Verdict.out_of_budget: Ending.out_of_budget, Verdict.quota: Ending.quota}
"""Why a lone task ended that its chain's end has kept from beginning; else it failed."""

StepWork = dict[str, str]
"""The run whose captured work later steps begin with, and the commit that holds it: `run` and `commit`."""


# Built once: a statement costs more to build than to run, and these run several times for each task.
_WANTED: sa.BindParameter[str] = sa.bindparam("wanted")
_WITH_STEPS = sa.select(chains, planned_steps.SHARED).select_from(planned_steps.WITH_STEPS)
_CHAIN = _WITH_STEPS.where(chains.c.id == _WANTED)
_STEPS = sa.select(steps).where(steps.c.chain_id == _WANTED).order_by(steps.c.position)
_SEVERAL: sa.BindParameter[list[str]] = sa.bindparam("several", expanding=True)
_NEW_STEPS = steps.insert()
_CHAINS = _WITH_STEPS.where(chains.c.id.in_(_SEVERAL))
_THEIR_STEPS = sa.select(steps).where(steps.c.chain_id.in_(_SEVERAL)).order_by(steps.c.position)
# Not a lock of the key: rows that refer to the chain, such as a request's money, are inserted meanwhile.
_HELD = (
    sa.select(chains.c.generation, chains.c.cancel_requested)
    .where(chains.c.id == _WANTED)
    .with_for_update(key_share=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step of a chain as stored."""

    id: str
    name: str
    state: StepState
    result: Any
    rejections: tuple[str, ...]
    work: Any
    started_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLabels:
    """By what a chain is found and listed, besides its verb and its account."""

    head: str = ""
    """The commit that it is about."""
    workflow: str = ""
    """The workflow or the audit that was asked for by its name."""
    requester: str = ""
    """Who asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRow:
    """A chain with its steps, as stored."""

    id: str
    kind: str
    state: ChainState
    parked_for: str | None
    outcome: Outcome | None
    plan: Plan
    labels: ChainLabels
    account: Account
    caps: Caps
    priority: int
    place: int
    deadline_ms: int | None
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    cancel_requested: bool
    owner: str | None
    generation: int
    steps: tuple[StepRow, ...]

    @property
    def next_step(self) -> int | None:
        """Position of the first step that is not finished."""
        return next((i for i, step in enumerate(self.steps) if step.state not in FINISHED), None)

    @property
    def results(self) -> dict[str, Any]:
        """Results of the finished steps by name; None for one that was skipped."""
        return {step.name: step.result for step in self.steps if step.state in FINISHED}

    @property
    def work(self) -> Any:
        """The state of the files after the finished steps: the newest captured work, if any."""
        found = [step.work for step in self.steps if step.state in FINISHED and step.work]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChain:
    """A chain about to be made."""

    id: str
    plan: Plan
    account: Account = field(default_factory=dict)
    caps: Caps
    labels: ChainLabels = ChainLabels()
    pool: str = MAIN
    """Name of the pool that takes it up."""
    kind: str = "chain"
    priority: int = 0
    """Lower goes first."""
    place: int = 0
    """Order among those made in the same millisecond."""
    patience_ms: int | None = None
    """A chain that no worker has taken up for so long ends as failed."""
    tags: tuple[str, ...] = field(default=())


def create(
    tx: Transaction,
    chain_id: str,
    plan: Plan,
    account: Account,
    caps: Caps,
    now_ms: int,
    labels: ChainLabels = ChainLabels(),
) -> bool:
    """Store a new chain, queued, with its steps and its money. False when the id exists: then nothing changed.

    Raises CapReached when its money cannot be set aside; the caller must then roll back.
    """
    new = NewChain(id=chain_id, plan=plan, account=account, caps=caps, labels=labels)
    if not add(tx, new, now_ms):
        return False
    ledger.reserve_chain(tx, chain_id, account, caps, now_ms)
    return True


def add(tx: Transaction, new: NewChain, now_ms: int) -> bool:
    """Store a new chain without its money, which is set aside when it starts. False when the id exists."""
    values = {
        "id": new.id,
        "pool": new.pool,
        "kind": new.kind,
        "state": CHAIN.first,
        **planned_steps.keep(tx, storable(new.plan.model_dump(mode="json")), now_ms),
        "verb": cleaned(new.plan.verb),
        "head": cleaned(new.labels.head),
        "workflow": cleaned(new.labels.workflow),
        "requester": cleaned(new.labels.requester),
        "account": dict(new.account),
        "caps": new.caps.to_json(),
        "priority": new.priority,
        "place": new.place,
        "deadline_ms": None if new.patience_ms is None else now_ms + new.patience_ms,
        "created_ms": now_ms,
        "cancel_requested": False,
        "generation": 0,
    }
    if not insert_once(tx, chains, values):
        return False
    note("chains", new.id, "", ChainState.queued, {})
    rows = [
        {
            "id": f"{new.id}.{step.name}",
            "chain_id": new.id,
            "position": position,
            "name": step.name,
            "state": STEP.first,
            "rejections": [],
        }
        for position, step in enumerate(new.plan.steps)
    ]
    if rows:
        tx.execute(_NEW_STEPS, rows)
    if new.account:
        own = [{"chain_id": new.id, "kind": kind, "key": key} for kind, key in new.account.items()]
        tx.execute(chain_scopes.insert(), own)
    if new.tags:
        tx.execute(
            tags.insert(), [{"chain_id": new.id, "tag": tag} for tag in dict.fromkeys(new.tags)]
        )
    if new.kind == "task":
        _add_lone_task(tx, new.id, new.plan, now_ms)
    return True


def _add_lone_task(tx: Transaction, chain_id: str, plan: Plan, now_ms: int) -> None:
    """Store a lone task's own row with its chain, so that it is a task like any other from its submission on."""
    (step,) = plan.steps
    tasks.add(tx, chain_id, chain_id, step.name, 0, step.name, now_ms)


def get(tx: Transaction, chain_id: str) -> ChainRow:
    """Read a chain. Raises UnknownChain."""
    row = tx.execute(_CHAIN, {"wanted": chain_id}).one_or_none()
    if row is None:
        raise UnknownChain(f"no chain has the id {chain_id!r}")
    return _chain(row, tx.execute(_STEPS, {"wanted": chain_id}).all())


def claimed(tx: Transaction, claim: queue.Claim) -> ChainRow:
    """The chain that this transaction has taken up."""
    # What a claim returns is the row alone, without the steps that its plan shares with others.
    if claim.row is None or claim.row.steps_digest is not None:
        return get(tx, claim.chain_id)
    return _chain(claim.row, tx.execute(_STEPS, {"wanted": claim.chain_id}).all())


def pool_of(tx: Transaction, chain_id: str) -> str:
    """The name under which a chain is queued. Raises UnknownChain."""
    found = tx.execute(sa.select(chains.c.pool).where(chains.c.id == chain_id)).scalar()
    if found is None:
        raise UnknownChain(f"no chain has the id {chain_id!r}")
    return str(found)


def several(tx: Transaction, chain_ids: Iterable[str]) -> dict[str, ChainRow]:
    """Read these chains, in two statements. What is not there is left out."""
    wanted = {"several": list(chain_ids)}
    rows = tx.execute(_CHAINS, wanted).all()
    own: dict[str, list[sa.Row[Any]]] = {}
    for step in tx.execute(_THEIR_STEPS, wanted):
        own.setdefault(step.chain_id, []).append(step)
    return {row.id: _chain(row, own.get(row.id, [])) for row in rows}


def hold(tx: Transaction, chain_id: str, generation: int) -> bool:
    """Go on only as the newest worker that took the chain up; whether its cancel was asked for.

    Raises Superseded for every earlier worker.
    """
    row = tx.execute(_HELD, {"wanted": chain_id}).one()
    if row.generation != generation:
        raise Superseded(f"chain {chain_id} is carried on by another worker")
    return bool(row.cancel_requested)


def lock(tx: Transaction, chain_id: str) -> None:
    """Let nobody else decide about the chain until this transaction ends; what is read from now on holds."""
    tx.execute(
        sa.select(chains.c.id).where(chains.c.id == chain_id).with_for_update(key_share=True)
    )


def begin(tx: Transaction, chain: ChainRow, now_ms: int) -> ChainRow:
    """A queued chain starts to run; returns it as it is then."""
    also: dict[str, Any] = {"started_ms": chain.started_ms or now_ms, "parked_for": None}
    begun = move(tx, CHAIN, chain.id, chain.state, ChainEvent.begin, **also)
    return replace(chain, state=begun, **also)


def park(tx: Transaction, chain: ChainRow, reason: str) -> None:
    """A running chain waits, as a row, for what `reason` names. Its unused money goes back meanwhile."""
    ledger.release(tx, chain.id)
    move(tx, CHAIN, chain.id, chain.state, ChainEvent.park, parked_for=reason, owner=None)


def unpark(tx: Transaction, chain: ChainRow, now_ms: int) -> None:
    """A parked chain queues again, with its money. Raises CapReached."""
    ledger.reacquire(tx, chain.id, chain.account, chain.caps, now_ms)
    also = {"parked_for": None, "owner": None, "deadline_ms": None}
    move(tx, CHAIN, chain.id, ChainState.parked, ChainEvent.resume, **also)


def complete(tx: Transaction, chain: ChainRow, now_ms: int) -> None:
    """Write the end of a chain whose steps have all ended, and their tasks with them, and close its reservation."""
    _end(tx, chain, Outcome(verdict=Verdict.answered), now_ms)


def finish(tx: Transaction, chain: ChainRow, outcome: Outcome, now_ms: int) -> None:
    """Write the chain's one terminal state and close its reservation, and whatever of it is still open."""
    # Nobody has cancelled what its chain's failure ends.
    is_failure = outcome.verdict in FAILURES and outcome.verdict is not Verdict.cancelled
    failed = outcome.reason if is_failure else None
    ending = _ENDINGS.get(outcome.verdict, Ending.failed) if chain.kind == "task" else Ending.failed
    if chain.kind == "task" and chain.started_ms is None:
        # A worker of an earlier version, on the same store, may have submitted it without its row.
        _add_lone_task(tx, chain.id, chain.plan, chain.created_ms)
    tasks.end_open(tx, chain.id, now_ms, failed=failed, ending=ending)
    _end(tx, chain, outcome, now_ms)
    if outcome.verdict is not Verdict.cancelled:
        return
    for step in get(tx, chain.id).steps:
        if step.state in (StepState.pending, StepState.running, StepState.pending_review):
            move(tx, STEP, step.id, step.state, StepEvent.cancel, ended_ms=now_ms)


def _end(tx: Transaction, chain: ChainRow, outcome: Outcome, now_ms: int) -> None:
    ledger.settle(tx, chain.id, now_ms)
    stored = outcome.model_dump(mode="json")
    also = {"outcome": stored, "ended_ms": now_ms, "parked_for": None}
    move(tx, CHAIN, chain.id, chain.state, ChainEvent.end, **also)


def request_cancel(tx: Transaction, chain_id: str, now_ms: int) -> bool:
    """Ask for a chain's end. True where that was the end already: nobody was carrying it."""
    lock(tx, chain_id)
    chain = get(tx, chain_id)
    if chain.state is ChainState.done:
        return False
    tx.execute(chains.update().where(chains.c.id == chain_id).values(cancel_requested=True))
    if chain.owner is not None:
        return False
    # A worker may take it up in this moment; then that worker finds the request.
    if chain.state is ChainState.parked or queue.take(tx, chain_id, chain.generation, "cancel"):
        finish(tx, chain, Outcome(verdict=Verdict.cancelled), now_ms)
        return True
    return False


def tags_of(tx: Transaction, chain_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The tags of these chains."""
    found: dict[str, tuple[str, ...]] = {}
    wanted = tags.c.chain_id.in_(list(chain_ids))
    for row in tx.execute(sa.select(tags).where(wanted).order_by(tags.c.tag)):
        found[row.chain_id] = (*found.get(row.chain_id, ()), row.tag)
    return found


def _step(row: sa.Row[Any]) -> StepRow:
    return StepRow(
        id=row.id,
        name=row.name,
        state=StepState(row.state),
        result=row.result,
        rejections=tuple(row.rejections or ()),
        work=row.work,
        started_ms=row.started_ms,
        ended_ms=row.ended_ms,
    )


def _chain(row: sa.Row[Any], found: Iterable[sa.Row[Any]]) -> ChainRow:
    return ChainRow(
        id=row.id,
        kind=row.kind,
        state=ChainState(row.state),
        parked_for=row.parked_for,
        outcome=None if row.outcome is None else Outcome.model_validate(row.outcome),
        plan=Plan.model_validate(planned_steps.whole(row), context=STORED),
        labels=ChainLabels(head=row.head, workflow=row.workflow, requester=row.requester),
        account=row.account,
        caps=Caps.from_json(row.caps),
        priority=row.priority,
        place=row.place,
        deadline_ms=row.deadline_ms,
        created_ms=row.created_ms,
        started_ms=row.started_ms,
        ended_ms=row.ended_ms,
        cancel_requested=row.cancel_requested,
        owner=row.owner,
        generation=row.generation,
        steps=tuple(_step(step) for step in found),
    )
