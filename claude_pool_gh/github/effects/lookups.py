"""Answers what stands on GitHub and what is still to be written there: questions to the rows that change nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.registry import read
from claude_pool_gh.github.effects.rows import writable
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.tables import effects
from claude_pool_gh.storage import Transaction

_E: Final = effects.c


@dataclass(frozen=True, slots=True)
class EffectStatus:
    """The status of an effect: its state, its id on GitHub, and why it was refused or is not written yet."""

    state: EffectState
    remote_id: int | None
    error: str


def unwritten(tx: Transaction) -> int:
    """The number of effects that are still to be written."""
    return int(
        tx.execute(sa.select(sa.func.count()).select_from(effects).where(writable())).scalar_one()
    )


def fate(tx: Transaction, key: str) -> EffectStatus | None:
    """The status of an effect; None where nobody wanted it."""
    columns = (_E.state, _E.remote_id, _E.error)
    row = tx.execute(sa.select(*columns).where(_E.key == key)).one_or_none()
    return (
        None
        if row is None
        else EffectStatus(EffectState(row.state), row.remote_id, row.error or "")
    )


def wanted_of(tx: Transaction, key: str) -> Effect | None:
    """The effect that is wanted under a key; None where nobody wanted any, or its text is not kept any more."""
    stored = tx.execute(sa.select(_E.wanted).where(_E.key == key)).scalar_one_or_none()
    return read(stored) if stored else None


def wanted_below(tx: Transaction, prefix: str, kind: str) -> list[Effect]:
    """The effects that are wanted under the keys that begin so, the one that is due last first."""
    own = sa.and_(_E.key.startswith(prefix, autoescape=True), _E.kind == kind)
    stored = tx.execute(sa.select(_E.wanted).where(own).order_by(_E.due_ms.desc())).scalars()
    return [read(each) for each in stored]


def checks_at(tx: Transaction, repository_id: int, verb: str, head: str) -> dict[int, CheckRun]:
    """The checks of a verb that are wanted at a commit, by the numbers of the pull requests they are for."""
    own = sa.and_(
        _E.key.startswith(f"check:{repository_id}:", autoescape=True),
        _E.key.endswith(f":{verb}:{head}", autoescape=True),
        _E.kind == "check",
    )
    found: dict[int, CheckRun] = {}
    for row in tx.execute(sa.select(_E.key, _E.wanted).where(own)):
        key, check = CheckKey.parse(row.key), read(row.wanted)
        if key is not None and isinstance(check, CheckRun):
            found[key.number] = check
    return found


def everything_of(tx: Transaction, kinds: Collection[str]) -> list[Effect]:
    """Everything of these kinds that was ever wanted, by kind and key."""
    own = sa.select(_E.wanted).where(_E.kind.in_(kinds)).order_by(_E.kind, _E.key)
    return [read(each) for each in tx.execute(own).scalars()]


def newest_written(tx: Transaction, prefix: str) -> int | None:
    """The highest id on GitHub of what stands under keys that begin so; None for nothing."""
    own = sa.and_(_E.key.startswith(prefix, autoescape=True), _E.state == EffectState.written)
    found = tx.execute(sa.select(sa.func.max(_E.remote_id)).where(own)).scalar_one()
    return None if found is None else int(found)


def versions_wanted(tx: Transaction, kinds: Collection[str]) -> dict[str, int]:
    """Of these kinds, the effects that are still to be written, by key, with the version wanted now."""
    unwritten = sa.and_(_E.kind.in_(kinds), _E.state == EffectState.wanted)
    found = tx.execute(sa.select(_E.key, _E.wanted_version).where(unwritten))
    return {row.key: int(row.wanted_version) for row in found}


def stand(tx: Transaction, versions: Mapping[str, int]) -> bool:
    """True where GitHub has taken all of these versions, or later ones, and no person has deleted them."""
    own = sa.and_(_E.key.in_(versions), _E.state != EffectState.gone)
    found = tx.execute(sa.select(_E.key, _E.written_version).where(own))
    return all(row.written_version >= versions[row.key] for row in found)


def writes(tx: Transaction) -> tuple[int, int]:
    """The number of effects, and how often any was written."""
    counts = sa.select(sa.func.count(), sa.func.sum(_E.written_version)).select_from(effects)
    number, versions = tx.execute(counts).one()
    return int(number), int(versions or 0)
