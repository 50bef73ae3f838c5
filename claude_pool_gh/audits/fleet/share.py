"""Decides how much of a fleet's budget the next repository gets. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LEAST: Final = 20_000
"""Microdollars with which it is worth to begin; less reaches no part of any repository."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set so much aside for it."""

    amount: int


@dataclass(frozen=True, slots=True)
class WaitForOthers:
    """Others hold money that they may not need: ask again when one of them has ended."""


@dataclass(frozen=True, slots=True)
class UsedUp:
    """Nothing is left, and nothing will be."""


Share = Reserve | WaitForOthers | UsedUp


def share(left: int, wanted: int, *, others_hold: bool) -> Share:
    """The share of a repository that wants so much: all of it, or what is left where nobody gives any back."""
    if left >= wanted:
        return Reserve(wanted)
    if others_hold:
        return WaitForOthers()
    return Reserve(left) if left >= LEAST else UsedUp()
