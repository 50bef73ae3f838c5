"""The states of an effect, and what moves it. `rows` writes them, as this table says."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from claude_pool_gh.pool.model.state_table import StateTable


class EffectState(StrEnum):
    """The state of an effect."""

    wanted = "wanted"
    """Something of it is still to be written."""
    written = "written"
    """It stands as it was last wanted."""
    gone = "gone"
    """A person has deleted it. It is not made again, whatever is wanted of it."""
    refused = "refused"
    """GitHub has said no for good, or the repository is out of reach."""


class EffectEvent(StrEnum):
    """An event in the life of an effect."""

    want = "want"
    """Something else should stand than before."""
    write = "write"
    """It stands now. Where something newer was wanted meanwhile, the state stays."""
    delete = "delete"
    """A person has deleted what stood."""
    refuse = "refuse"
    """What is wanted will not stand. Where something newer was wanted meanwhile, the state stays."""


EFFECT: Final = StateTable(
    "effect",
    EffectState.wanted,
    {
        (EffectState.wanted, EffectEvent.want): EffectState.wanted,
        (EffectState.wanted, EffectEvent.write): EffectState.written,
        (EffectState.wanted, EffectEvent.refuse): EffectState.refused,
        (EffectState.wanted, EffectEvent.delete): EffectState.gone,
        (EffectState.written, EffectEvent.want): EffectState.wanted,
        (EffectState.written, EffectEvent.delete): EffectState.gone,
        (EffectState.refused, EffectEvent.want): EffectState.wanted,
        # Given up because the repository is out of reach, while the request was on its way.
        (EffectState.refused, EffectEvent.write): EffectState.written,
        (EffectState.refused, EffectEvent.delete): EffectState.gone,
    },
)
