"""Deletes what came in and what was written long ago, a few rows at a time.

Each step returns the count; 0 when none are left.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.github.command_states import CommandState
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.tables import commands, deliveries, effects, repositories, whole
from claude_pool_gh.storage import Transaction

_AT_ONCE: Final = 500
_C: Final = commands.c
_D: Final = deliveries.c
_E: Final = effects.c


def forget_deliveries(tx: Transaction, before_ms: int) -> int:
    """Deliveries that came before a moment: GitHub delivers none again after three days."""
    some = sa.select(_D.guid).where(_D.received_ms < before_ms).limit(_AT_ONCE)
    return tx.execute(deliveries.delete().where(_D.guid.in_(some))).rowcount


def forget_answered(tx: Transaction, before_ms: int) -> int:
    """Commands that were handled without a chain: what was refused, answered at once, or not listened to."""
    return _forget_commands(tx, before_ms, _C.chain_id.is_(None))


def forget_commands(tx: Transaction, before_ms: int) -> int:
    """Every command that was handled."""
    return _forget_commands(tx, before_ms, sa.true())


def forget_effects(tx: Transaction, before_ms: int) -> int:
    """Effects that came to rest, and were neither wanted nor written since: what stands on GitHub stays there.

    Report issues are known as long as their repository is: an audit that runs once a year has one, and not one a year.
    """
    rests = sa.and_(_E.state != EffectState.wanted, _E.changed_ms < before_ms)
    own = sa.and_(rests, _E.kind != "report_issue")
    some = sa.select(_E.key).where(own).limit(_AT_ONCE)
    return tx.execute(effects.delete().where(_E.key.in_(some))).rowcount


def forget_texts(tx: Transaction, before_ms: int) -> int:
    """The texts of what was written to GitHub and not changed since: the key says what stands there.

    Checks and report issues keep theirs: a press under a check, and what happens between two audits, changes a part of
    it. What else is wanted again brings all of its text.
    """
    own = sa.and_(whole(), _E.state == EffectState.written, _E.changed_ms < before_ms)
    keys = tx.execute(sa.select(_E.key).where(own).order_by(_E.changed_ms).limit(_AT_ONCE))
    some = _E.key.in_(list(keys.scalars()))
    texts = sa.and_(some, _E.kind.not_in(("check", "report_issue")))
    tx.execute(effects.update().where(texts).values(wanted={}))
    return tx.execute(effects.update().where(some).values(trimmed_ms=before_ms)).rowcount


def unreachable(tx: Transaction) -> list[int]:
    """The ids of the repositories that the App has been removed from."""
    own = sa.select(repositories.c.id).where(repositories.c.state == "removed")
    return [int(each) for each in tx.execute(own).scalars()]


def _forget_commands(tx: Transaction, before_ms: int, more: sa.ColumnElement[bool]) -> int:
    own = sa.and_(_C.state == CommandState.handled, _C.received_ms < before_ms, more)
    some = sa.select(_C.key).where(own).limit(_AT_ONCE)
    return tx.execute(commands.delete().where(_C.key.in_(some))).rowcount
