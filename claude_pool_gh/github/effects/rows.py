"""Says what should stand or happen on GitHub: rows, written in the transaction that decides it.

A row holds the newest wanted content and its version, and the version that was last written.
Whoever decides calls `want` and is done; one writer for each installation takes the most urgent row
that is due, notes the attempt before its first request, makes the request, and notes what came of
it. Since the decision is committed before the request is made, a process may die anywhere between
the two:

- Before the attempt was noted, nothing was sent: the row is simply due again.
- After it, nobody knows: the writer looks for what it may have made, by the mark hidden in it,
  before it makes more.
- Where something newer was wanted meanwhile, the row stays due: what was written for it was only an
  earlier version.

So there is never a second comment, and never an older text over a newer one. The states and what
moves them are the table in `states`; no other module writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.effects.pauses import LONGEST_WAIT_MS
from claude_pool_gh.github.effects.registry import kinds, read
from claude_pool_gh.github.effects.states import EFFECT, EffectEvent, EffectState
from claude_pool_gh.github.tables import effects, leases, repositories
from claude_pool_gh.pool.store.moves import after
from claude_pool_gh.storage import Transaction, insert_once, inserting
from claude_pool_gh.storage.causes import cause
from claude_pool_gh.storage.owners import is_gone
from claude_pool_gh.terms.ids import Repository

PROGRESS: Final = 5
"""Priority of an update to something that already stands."""
_LONG_PAUSES: Final = 6
"""Tries after which the pauses between them are as long as they get at first."""

_CLOCKS_DIFFER_MS: Final = 600_000
"""By how much the clocks of two servers may differ: GitHub takes no token of one that is ahead by a minute."""

_E: Final = effects.c
_REACHED_BY: Final = repositories.c.installation_id.label("reached_by")
"""The installation by now. The effect's own is the one that it was wanted under, and says whose
turn it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """An effect that is due."""

    key: str
    effect: Effect
    repository: Repository
    version: int
    first: bool
    attempted: bool
    remote_id: int | None
    tries: int
    chain_id: str | None = None
    error: str = ""
    """Why the last try did not write it, for people."""
    note: str = ""
    """See `Making.note`."""
    cause: str | None = None
    """The chain or command that it was last wanted for."""

    @property
    def kind(self) -> str:
        """The kind of effect."""
        return self.effect.kind

    @property
    def making(self) -> Making:
        """The facts that the effect's own class needs."""
        return Making(
            key=self.key,
            repository=self.repository,
            marker=marker(self.key),
            attempted=self.attempted,
            remote_id=self.remote_id,
            tries=self.tries,
            note=self.note,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An effect that is due, and that this version cannot read."""

    key: str
    kind: str
    version: int
    chain_id: str | None
    why: Exception


def want(
    tx: Transaction,
    key: str,
    repository: Repository,
    effect: Effect,
    now_ms: int,
    *,
    chain_id: str | None = None,
) -> None:
    """Let `effect` stand or happen. Wanting the same again changes nothing; a once effect is wanted only once.

    `chain_id`: the chain that shows what became of it, from now on.
    """
    fresh = _fresh(key, repository, effect, now_ms, chain_id)
    if effect.once:
        insert_once(tx, effects, fresh)
    else:
        tx.execute(_wanting(tx.dialect.name), _standing([fresh]))


def want_all(
    tx: Transaction, repository: Repository, wanted: Mapping[str, Effect], now_ms: int
) -> None:
    """Let all of these stand, by key, in one statement. Raises ValueError for a once effect."""
    if once := [key for key, effect in wanted.items() if effect.once]:
        raise ValueError(f"{once[0]} happens once: want it by itself")
    fresh = [_fresh(key, repository, effect, now_ms) for key, effect in wanted.items()]
    if fresh:
        tx.execute(_wanting(tx.dialect.name), _standing(fresh))


def _fresh(
    key: str, repository: Repository, effect: Effect, now_ms: int, chain_id: str | None = None
) -> dict[str, Any]:
    """The row of an effect that nobody has wanted before."""
    return {
        "key": key,
        "kind": effect.kind,
        "chain_id": chain_id,
        "cause": cause(),
        "repository_id": repository.id,
        "installation_id": repository.installation_id,
        "state": EFFECT.first,
        "priority": effect.priority,
        "wanted": effect.model_dump(mode="json"),
        "wanted_version": 1,
        "written_version": 0,
        "attempted": False,
        "tries": 0,
        "due_ms": now_ms,
        "changed_ms": now_ms,
    }


def _standing(fresh: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parameters of `_wanting`."""
    return [{**row, "final": row["wanted"].get("status") == "completed"} for row in fresh]


@cache
def _wanting(dialect: str) -> sa.Insert:
    """Insert an effect, or let the one that is there want what the new one does, unless it does already."""
    insert = inserting(effects, dialect)
    updates_what_stands = sa.and_(
        _E.written_version > 0, sa.not_(sa.bindparam("final", type_=sa.Boolean))
    )
    return insert.on_conflict_do_update(
        index_elements=[_E.key],
        set_={
            "wanted": insert.excluded.wanted,
            "wanted_version": _E.wanted_version + 1,
            "state": after(EFFECT, _E.state, EffectEvent.want),
            "priority": sa.case((updates_what_stands, PROGRESS), else_=insert.excluded.priority),
            "tries": sa.case((_E.state == EffectState.refused, 0), else_=_E.tries),
            "changed_ms": insert.excluded.changed_ms,
            "trimmed_ms": None,
            "cause": sa.func.coalesce(insert.excluded.cause, _E.cause),
            "chain_id": sa.func.coalesce(insert.excluded.chain_id, _E.chain_id),
        },
        # The same fields in the same order are the same text.
        where=sa.cast(_E.wanted, sa.Text) != sa.cast(insert.excluded.wanted, sa.Text),
    )


def press_answered(tx: Transaction, key: str, repository: Repository, now_ms: int) -> None:
    """Let a check run say that a press under it was answered, or the next press could not be told from that one."""
    stored = tx.execute(
        sa.select(_E.wanted).where(_E.key == key, _E.kind == "check").with_for_update()
    ).scalar_one_or_none()
    if stored is not None and stored["status"] == "completed":
        want(tx, key, repository, read(stored).model_copy(update={"answered_ms": now_ms}), now_ms)


def change_part(
    tx: Transaction, key: str, repository: Repository, kind: str, now_ms: int, **parts: object
) -> None:
    """Let parts of what is wanted be other ones, whoever wants another whole meanwhile. Nothing where there is none."""
    own = sa.and_(_E.key == key, _E.kind == kind)
    stored = tx.execute(sa.select(_E.wanted).where(own).with_for_update()).scalar_one_or_none()
    if stored:  # else its text is not kept any more
        want(tx, key, repository, read(stored).model_copy(update=parts), now_ms)


def hold(tx: Transaction, name: str, owner: str, now_ms: int, lifetime_ms: int = 30_000) -> bool:
    """Take or renew a lease; False while a living owner has it. One that is still fresh costs no write.

    One that would last longer than any lease was taken before the clock was set back: it is over.
    """
    values = {"name": name, "owner": owner, "expires_ms": now_ms + lifetime_ms}
    row = tx.execute(sa.select(leases).where(leases.c.name == name).with_for_update()).one_or_none()
    if row is None:
        return insert_once(tx, leases, values)
    if row.owner == owner and lifetime_ms // 2 < row.expires_ms - now_ms <= lifetime_ms:
        return True
    kept = now_ms < row.expires_ms <= now_ms + lifetime_ms + _CLOCKS_DIFFER_MS
    if row.owner != owner and kept and not is_gone(row.owner):
        return False
    tx.execute(leases.update().where(leases.c.name == name).values(**values))
    return True


def installations_due(tx: Transaction, now_ms: int) -> list[int]:
    """Installations that have something to write now."""
    due = sa.select(_E.installation_id).where(writable(), _due(now_ms)).distinct()
    return [int(each) for each in tx.execute(due).scalars()]


def earliest_due(tx: Transaction) -> int | None:
    """The time at which the next effect is to be written; None when there is none."""
    return tx.execute(sa.select(sa.func.min(_E.due_ms)).where(writable())).scalar_one_or_none()


def writable() -> sa.ColumnElement[bool]:
    """The effects of repositories that can be reached. The rest waits until it can be written, if it ever can."""
    reached = sa.select(repositories.c.id).where(repositories.c.state == "active")
    return sa.and_(_E.state == EffectState.wanted, _E.repository_id.in_(reached))


def _due(now_ms: int) -> sa.ColumnElement[bool]:
    """True for what is to be written now, or was put off before the clock was set back."""
    return sa.or_(_E.due_ms <= now_ms, _E.due_ms > now_ms + LONGEST_WAIT_MS)


def next_due(tx: Transaction, installation_id: int, now_ms: int) -> EffectRow | Unreadable | None:
    """The most urgent effect of an installation. One that cannot be read is no error here: others come after it."""
    row = tx.execute(
        sa.select(effects, repositories.c.owner, repositories.c.name, _REACHED_BY)
        .join(repositories, repositories.c.id == _E.repository_id)
        .where(writable(), _E.installation_id == installation_id, _due(now_ms))
        .order_by(_urgency(), _E.due_ms, _E.key)
        .limit(1)
    ).one_or_none()
    return None if row is None else _read(row)


def _urgency() -> sa.ColumnElement[int]:
    """Its kind's priority. What fails again and again waits for the others: a few slow failures would hold up all."""
    return sa.case((_E.tries >= _LONG_PAUSES, PROGRESS), else_=_E.priority)


def attempt(tx: Transaction, row: EffectRow) -> None:
    """Note, before the first request, that the outcome may become unknown."""
    if not row.attempted:
        tx.execute(effects.update().where(_E.key == row.key).values(attempted=True))


def written(tx: Transaction, row: EffectRow, remote_id: int | None, now_ms: int) -> None:
    """The row's version stands. A newer one wanted meanwhile stays due."""
    newer = _E.wanted_version > row.version
    tx.execute(
        effects.update()
        .where(_E.key == row.key)
        .values(
            written_version=row.version,
            remote_id=remote_id,
            tries=0,
            error=None,
            changed_ms=now_ms,
            note=None,
            state=sa.case((newer, _E.state), else_=after(EFFECT, _E.state, EffectEvent.write)),
        )
    )


def gone(tx: Transaction, row: EffectRow, error: str) -> None:
    """A person has deleted what stood. It is not made again, whatever is wanted of it."""
    deleted = {"state": after(EFFECT, _E.state, EffectEvent.delete), "error": error[:1000]}
    tx.execute(effects.update().where(_E.key == row.key).values(**deleted))


def refused(tx: Transaction, row: EffectRow | Unreadable, error: str) -> bool:
    """The row's version will not stand.

    False where a newer one was wanted meanwhile, which is due with fresh tries, or a person has
    deleted what stood.
    """
    newer = _E.wanted_version > row.version
    values = {
        "state": sa.case((newer, _E.state), else_=after(EFFECT, _E.state, EffectEvent.refuse)),
        "tries": sa.case((newer, 0), else_=_E.tries),
        "error": error[:1000],
    }
    tx.execute(effects.update().where(_E.key == row.key).values(**values))
    state = tx.execute(sa.select(_E.state).where(_E.key == row.key)).scalar_one()
    return bool(state == EffectState.refused)


def postpone(tx: Transaction, row: EffectRow, due_ms: int, error: str) -> None:
    """Try again later. The tries of another cause do not count, but for the length of the pauses."""
    tries = row.tries + 1 if row.error == error else min(row.tries + 1, _LONG_PAUSES)
    values = {"due_ms": due_ms, "tries": tries, "error": error[:1000]}
    tx.execute(effects.update().where(_E.key == row.key).values(**values))


def unfinished(tx: Transaction, row: EffectRow, note: str, due_ms: int) -> None:
    """GitHub has taken it and works on it: ask for it by that note later."""
    tries = 1 if row.error else row.tries + 1
    values = {"due_ms": due_ms, "tries": tries, "note": note[:200], "error": None}
    tx.execute(effects.update().where(_E.key == row.key).values(**values))


def postpone_all(tx: Transaction, installation_id: int, due_ms: int) -> None:
    """GitHub asked the whole installation to wait."""
    waiting = sa.and_(
        _E.state == EffectState.wanted, _E.installation_id == installation_id, _E.due_ms < due_ms
    )
    tx.execute(effects.update().where(waiting).values(due_ms=due_ms))


def comment_deleted(tx: Transaction, comment_id: int) -> None:
    """A person has deleted a comment of ours: no later edit brings it back."""
    own = sa.and_(_E.remote_id == comment_id, _E.kind == "comment")
    tx.execute(
        effects.update().where(own).values(state=after(EFFECT, _E.state, EffectEvent.delete))
    )


def give_up(tx: Transaction, repository_ids: Collection[int], why: str) -> None:
    """Give up the effects in repositories that are out of reach which were to happen once: they do not happen late.

    What stands there, comments and checks, is brought up to date if they can ever be reached again.
    """
    lasting = [name for name, kind in kinds().items() if kind.lasting]
    own = sa.and_(_E.repository_id.in_(repository_ids), _E.kind.not_in(lasting))
    _give_up(tx, own, why)


def want_last(
    tx: Transaction, about: str, key: str, repository: Repository, effect: Effect, now_ms: int
) -> None:
    """Want the last word about one thing, and give up those that still wait: they would be written after it.

    `about`: the beginning of the keys of all of them.
    """
    earlier = sa.and_(_E.key.startswith(about, autoescape=True), _E.key != key)
    _give_up(tx, earlier, "something later was said of the same")
    want(tx, key, repository, effect, now_ms)


def _give_up(tx: Transaction, which: sa.ColumnElement[bool], why: str) -> None:
    given_up = {"state": after(EFFECT, _E.state, EffectEvent.refuse), "error": why}
    tx.execute(effects.update().where(which, _E.state == EffectState.wanted).values(**given_up))


def _read(row: sa.Row[Any]) -> EffectRow | Unreadable:
    try:
        return _row(row)
    except Exception as error:  # noqa: BLE001 - the writer logs it; whatever is wrong is wrong with this row alone
        return Unreadable(
            key=row.key,
            kind=row.kind,
            version=row.wanted_version,
            chain_id=row.chain_id,
            why=error,
        )


def _row(row: sa.Row[Any]) -> EffectRow:
    return EffectRow(
        key=row.key,
        effect=read(row.wanted),
        repository=Repository(
            id=row.repository_id, owner=row.owner, name=row.name, installation_id=row.reached_by
        ),
        version=row.wanted_version,
        first=row.written_version == 0,
        attempted=row.attempted,
        remote_id=row.remote_id,
        tries=row.tries,
        chain_id=row.chain_id,
        error=row.error or "",
        note=row.note or "",
        cause=row.cause,
    )
