"""The work that waits between GitHub and this bot: commands that are not handled, and effects not written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.github.command_states import CommandState
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.tables import commands, effects, repositories
from claude_pool_gh.storage import Transaction

_C: Final = commands.c
_E: Final = effects.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """The amount that waits, and since when; in milliseconds since the epoch, None where nothing does."""

    commands: int
    oldest_command_ms: int | None
    effects: int
    """Of repositories that can be reached."""
    oldest_effect_ms: int | None
    """When the one that is due longest became due: those that are put off for later are not late."""
    refused: int
    """Effects that GitHub refused for good."""


def backlog(tx: Transaction) -> Backlog:
    """The commands and effects that wait now."""
    heard, oldest = tx.execute(
        sa.select(sa.func.count(), sa.func.min(_C.received_ms)).where(
            _C.state == CommandState.received
        )
    ).one()
    reached = sa.select(repositories.c.id).where(repositories.c.state == "active")
    wanted = sa.and_(_E.state == EffectState.wanted, _E.repository_id.in_(reached))
    waiting, due = tx.execute(
        sa.select(sa.func.count(), sa.func.min(_E.due_ms)).where(wanted)
    ).one()
    refused = sa.select(sa.func.count()).where(_E.state == EffectState.refused)
    return Backlog(
        commands=int(heard),
        oldest_command_ms=None if oldest is None else int(oldest),
        effects=int(waiting),
        oldest_effect_ms=None if due is None else int(due),
        refused=int(tx.execute(refused).scalar_one()),
    )
