"""Which chains: of a scope, of a verb, in a state. Each question has a typed answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ON_THE_WAY, OPEN, ChainState
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.retention import PRUNED
from claude_pool_gh.pool.store.tables import chain_scopes, tasks
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.storage import Transaction

AT_REST: Final = (ChainState.done, ChainState.parked)
"""Nobody carries such a chain on, unless a person says so."""

_C: Final = chain_rows.c
_S: Final = chain_scopes.c
_ITSELF: Final = chain_rows.alias("itself")
_ITS: Final = chain_scopes.alias("its")
_OWN: Final = sa.select(_C.id).join(chain_scopes, _S.chain_id == _C.id).where(_C.kind != PRUNED)
_OF_SCOPE: Final = _OWN.where(_S.kind == sa.bindparam("of_kind"), _S.key == sa.bindparam("of_key"))
_NEWEST_FIRST: Final = (_C.created_ms.desc(), _C.id)
_STATE: Final = sa.select(_C.state).where(_C.id == sa.bindparam("wanted"))
_STATES: Final = sa.select(_C.id, _C.state).where(
    _C.id.in_(sa.bindparam("several", expanding=True))
)
_UNDER_WAY: Final = sa.select(_C.id).where(
    _C.id.in_(sa.bindparam("several", expanding=True)), _C.state.not_in(AT_REST)
)
_KIN: Final = (
    sa.select(_C.id, _C.created_ms, _C.verb, _C.head, _C.workflow)
    .select_from(_ITSELF)
    .join(_ITS, sa.and_(_ITS.c.chain_id == _ITSELF.c.id, _ITS.c.kind == sa.bindparam("of_kind")))
    .join(chain_scopes, sa.and_(_S.kind == _ITS.c.kind, _S.key == _ITS.c.key))
    .join(chain_rows, sa.and_(_C.id == _S.chain_id, _C.verb == _ITSELF.c.verb))
    .where(_ITSELF.c.id == sa.bindparam("wanted"))
    .order_by(_C.created_ms.desc(), _C.id.desc())
)


@dataclass(frozen=True, slots=True)
class RelatedChain:
    """A chain of the same verb in the same scope, as far as it is compared with the others."""

    id: str
    created_ms: int
    verb: str
    head: str
    workflow: str


def newest_of(tx: Transaction, kind: str, key: str, *, limit: int) -> list[ChainRow]:
    """A scope's chains, newest first."""
    ids = _ids(tx, _OF_SCOPE.order_by(*_NEWEST_FIRST).limit(limit), of_kind=kind, of_key=key)
    found = chains.several(tx, ids)
    return [found[chain_id] for chain_id in ids]


def open_of(tx: Transaction, kind: str, keys: Iterable[str]) -> list[str]:
    """The chains of these scopes that are not done."""
    own = _OWN.where(_S.kind == kind, _S.key.in_(list(keys)), _C.state.in_(OPEN))
    return _ids(tx, own)


def ended_of(
    tx: Transaction, kind: str, key: str, *, limit: int, verb: str | None = None
) -> list[str]:
    """A scope's chains that are done, of one verb or of all, newest first."""
    own = _OF_SCOPE.where(_C.state == ChainState.done).order_by(*_NEWEST_FIRST).limit(limit)
    if verb is not None:
        own = own.where(_C.verb == verb)
    return _ids(tx, own, of_kind=kind, of_key=key)


def on_the_way_of(tx: Transaction, kind: str, key: str, verb: str) -> list[ChainRow]:
    """A scope's chains of a verb that are queued or run."""
    own = _OF_SCOPE.where(_C.state.in_(ON_THE_WAY), _C.verb == verb)
    return list(chains.several(tx, _ids(tx, own, of_kind=kind, of_key=key)).values())


def related_to(tx: Transaction, chain_id: str, kind: str) -> list[RelatedChain]:
    """The chains of the same verb in a chain's scope of this kind, with itself, newest first."""
    rows = tx.execute(_KIN, {"wanted": chain_id, "of_kind": kind})
    return [
        RelatedChain(row.id, int(row.created_ms), row.verb, row.head, row.workflow) for row in rows
    ]


def on_the_way(tx: Transaction) -> list[str]:
    """Every chain that is queued or runs."""
    return _ids(tx, sa.select(_C.id).where(_C.state.in_(ON_THE_WAY)))


def running(tx: Transaction, *, limit: int) -> list[str]:
    """Chains that run."""
    return _ids(tx, sa.select(_C.id).where(_C.state == ChainState.running).limit(limit))


def chain_of_task(tx: Transaction, task_id: str) -> str:
    """The chain that a task belongs to. Raises NoResultFound."""
    return str(tx.execute(sa.select(tasks.c.chain_id).where(tasks.c.id == task_id)).scalar_one())


def state_of(tx: Transaction, chain_id: str) -> ChainState | None:
    """The state of a chain; None where there is none."""
    state = tx.execute(_STATE, {"wanted": chain_id}).scalar_one_or_none()
    return None if state is None else ChainState(state)


def states_of(tx: Transaction, chain_ids: Sequence[str]) -> dict[str, ChainState]:
    """The states of these chains. What is not there is left out."""
    rows = tx.execute(_STATES, {"several": list(chain_ids)})
    return {row.id: ChainState(row.state) for row in rows}


def under_way(tx: Transaction, chain_ids: Sequence[str]) -> set[str]:
    """Those of these chains that are neither done nor parked; what is not there any more has ended."""
    return {str(each) for each in tx.execute(_UNDER_WAY, {"several": list(chain_ids)}).scalars()}


def _ids(tx: Transaction, statement: sa.Select[Any], **values: str) -> list[str]:
    return [str(each) for each in tx.execute(statement, values).scalars()]
