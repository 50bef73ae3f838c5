"""Commands as records: taken by one handler at a time, answered once, and counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.command_states import COMMAND, CommandEvent, CommandState
from claude_pool_gh.github.tables import commands
from claude_pool_gh.pool.store.moves import after
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.owners import is_gone, own_id

_C: Final = commands.c
_LOOKED_AT: Final = 50
_LONGEST_ANSWER: Final = 2_000
LONGEST_WAIT_MS: Final = 1_200_000
"""No pause is as long: a command that is due later was put off before the clock was set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """A command as stored, without the request itself."""

    key: str
    line: str
    state: CommandState
    answer: str
    """What it was answered, in a word or a sentence of our own; "" before that."""
    chain_id: str
    """The chain that it started or joined; "" for none."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The number of commands that came before one, within some time."""

    heard: int
    """Of its user in this repository, without those that were refused or not listened to."""
    refused: int
    """Of its user in this repository, refused."""
    in_thread: int
    """Of everybody in its thread, without those that were refused or not listened to."""


def claim(tx: Transaction, now_ms: int, taken_ms: int) -> CommandRequest | None:
    """Take the oldest command that is due; None where there is none.

    Whoever takes one puts it off for `taken_ms` with that; if its process is gone, it is due at
    once. However many have to wait for another, those behind them are found.
    """
    last: sa.Row[Any] | None = None
    while page := _due(tx, now_ms, last):
        behind = _behind(tx, [row.key for row in page])
        for row in page:
            waits = now_ms < row.due_ms <= now_ms + LONGEST_WAIT_MS
            if (waits and not is_gone(row.owner)) or row.key in behind:
                continue
            same = sa.and_(_C.key == row.key, _C.due_ms == row.due_ms)
            taken = commands.update().where(same).values(owner=own_id(), due_ms=now_ms + taken_ms)
            if tx.execute(taken).rowcount:
                return CommandRequest.model_validate(row.request)
        if len(page) < _LOOKED_AT:
            return None
        last = page[-1]
    return None


def _due(tx: Transaction, now_ms: int, last: sa.Row[Any] | None) -> Sequence[sa.Row[Any]]:
    """The next commands after `last`, oldest first, that are due or would be if their process were gone."""
    of_a_later_clock = _C.due_ms > now_ms + LONGEST_WAIT_MS
    due = sa.or_(_C.due_ms <= now_ms, of_a_later_clock, _C.owner != own_id())
    waiting = sa.select(commands).where(_C.state == CommandState.received, due)
    if last is not None:
        later = sa.and_(_C.received_ms == last.received_ms, _C.key > last.key)
        waiting = waiting.where(sa.or_(_C.received_ms > last.received_ms, later))
    return tx.execute(waiting.order_by(_C.received_ms, _C.key).limit(_LOOKED_AT)).all()


def _behind(tx: Transaction, keys: Sequence[str]) -> set[str]:
    """Those of the keys before which an earlier command of the same comment is still to be handled."""
    before = {key: _before(key) for key in keys}
    wanted = sorted({each for some in before.values() for each in some})
    if not wanted:
        return set()
    own = sa.and_(_C.key.in_(wanted), _C.state == CommandState.received)
    open_ = set(tx.execute(sa.select(_C.key).where(own)).scalars())
    return {key for key, some in before.items() if not open_.isdisjoint(some)}


def _before(key: str) -> list[str]:
    source, _, ordinal = key.rpartition(":")
    return [f"{source}:{number}" for number in range(int(ordinal))]


def begin(tx: Transaction, key: str, chain_id: str) -> None:
    """Note the chain that a command has started or joined."""
    tx.execute(commands.update().where(_C.key == key).values(chain_id=chain_id))


def is_open(tx: Transaction, key: str) -> bool:
    """True where a command is still to be handled, and nobody else can end it before this transaction does."""
    own = sa.select(_C.state).where(_C.key == key).with_for_update()
    return bool(tx.execute(own).scalar_one() == CommandState.received)


def close(tx: Transaction, key: str, answer: str) -> None:
    """A command is handled for good."""
    closed = {
        "state": after(COMMAND, _C.state, CommandEvent.close),
        "answer": answer[:_LONGEST_ANSWER],
    }
    tx.execute(commands.update().where(_C.key == key).values(**closed))


def tries(tx: Transaction, key: str) -> int:
    """The number of times that a command could not be decided so far."""
    return int(tx.execute(sa.select(_C.tries).where(_C.key == key)).scalar_one())


def postpone(tx: Transaction, key: str, tries: int, due_ms: int) -> None:
    """A command could not be decided: it is due again later, for whoever runs then."""
    tx.execute(commands.update().where(_C.key == key).values(tries=tries, due_ms=due_ms))


def get(tx: Transaction, key: str) -> CommandRow | None:
    """One command; None where nobody has heard of it."""
    return next(iter(several(tx, [key])), None)


def several(tx: Transaction, keys: Collection[str] | None) -> list[CommandRow]:
    """These commands in the order in which they came; None: all that there are."""
    wanted = sa.select(_C.key, _C.line, _C.state, _C.answer, _C.chain_id)
    wanted = wanted.order_by(_C.received_ms, _C.key)
    rows = tx.execute(wanted if keys is None else wanted.where(_C.key.in_(keys))).all()
    return [_row(row) for row in rows]


def are_waiting(tx: Transaction) -> bool:
    """True where any command is still to be handled."""
    return (
        tx.execute(sa.select(_C.key).where(_C.state == CommandState.received).limit(1)).first()
        is not None
    )


def requests_of(tx: Transaction, thread: str, chain_id: str) -> Sequence[CommandRequest]:
    """The commands that asked for a chain, or joined it, oldest first."""
    own = sa.select(_C.request).where(_C.thread == thread, _C.chain_id == chain_id)
    stored = tx.execute(own.order_by(_C.received_ms, _C.key)).scalars()
    return [CommandRequest.model_validate(each) for each in stored]


def rate(tx: Transaction, request: CommandRequest, thread: str, since_ms: int) -> Rate:
    """The number of commands that came before one: a flood takes nobody's turn who was there first."""
    mine = sa.select(_C.received_ms).where(_C.key == request.key).scalar_subquery()
    same_moment = sa.and_(_C.received_ms == mine, _C.key < request.key)
    before = sa.and_(_C.received_ms > since_ms, sa.or_(_C.received_ms < mine, same_moment))
    # Who may not command here, what was mistyped, and what is switched off do not take anybody's turn.
    silent, refused = _C.answer.startswith("silence"), _C.answer.startswith("refused")
    heard = sa.or_(_C.answer.is_(None), sa.not_(sa.or_(silent, refused)))
    here = _C.thread.startswith(f"{request.thread.repository.id}:")
    own = sa.and_(before, _C.actor_id == request.actor.id, here)
    return Rate(
        heard=_count(tx, own, heard),
        refused=_count(tx, own, refused),
        in_thread=_count(tx, before, _C.thread == thread, heard),
    )


def _count(tx: Transaction, *where: sa.ColumnElement[bool]) -> int:
    return int(
        tx.execute(sa.select(sa.func.count()).select_from(commands).where(*where)).scalar_one()
    )


def _row(row: sa.Row[*tuple[Any, ...]]) -> CommandRow:
    return CommandRow(
        key=row.key,
        line=row.line,
        state=CommandState(row.state),
        answer=row.answer or "",
        chain_id=row.chain_id or "",
    )
