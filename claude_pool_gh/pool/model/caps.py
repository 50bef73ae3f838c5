"""The caps that a chain counts against, and whose they are. Amounts are microdollars.

A scope is whatever several chains share a cap in: the caller names its kind, such as `thread`, and
says for each chain which one of that kind it belongs to. The pool compares these texts and knows
nothing else of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

POOL: Final = "pool"
"""The scope to which every chain of the store belongs, without saying so."""

Account = Mapping[str, str]
"""Whose caps a chain counts against: for each kind of scope, which one of that kind; empty for a
script's chains."""


class Window(StrEnum):
    """Since when what was spent counts; days and months are those of the calendar, in UTC."""

    ever = "ever"
    day = "day"
    month = "month"


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit for all chains of one scope together."""

    scope: str
    """The kind of scope."""
    window: Window
    limit: int

    @property
    def name(self) -> str:
        """The name by which people read of it, such as `user and day`."""
        return self.scope if self.window is Window.ever else f"{self.scope} and {self.window}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Every limit that holds for a chain."""

    task: int
    chain: int
    wider: tuple[Cap, ...] = ()
    """Those that the chain shares with others of its scopes, from the narrowest to the widest."""
    pool: int | None = None
    """For all chains of the store, per calendar month; None is no limit."""
    least: int | None = None
    """A chain may begin with as little as this where its own cap is more than is left; its money
    then grows as it is needed, see `extend`. None: it begins with all that its cap allows, or not
    at all."""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Caps:
        """The caps that `to_json` has put into a row."""
        wider = tuple(
            Cap(each["scope"], Window(each["window"]), each["limit"])
            for each in stored.get("wider", ())
        )
        return cls(**{**stored, "wider": wider})

    def to_json(self) -> dict[str, Any]:
        """The caps as a chain's row has them."""
        return asdict(self)

    @property
    def shared(self) -> tuple[Cap, ...]:
        """The caps that hold for several chains together, from the narrowest to the widest."""
        return (
            self.wider if self.pool is None else (*self.wider, Cap(POOL, Window.month, self.pool))
        )

    @property
    def to_begin(self) -> int:
        """The money that must be left of the wider caps for the chain to begin."""
        return self.chain if self.least is None else min(self.least, self.chain)

    @property
    def change(self) -> str:
        """The setting that raises the pool's cap, where a script made the chain."""
        return "" if self.least is None else "PoolConfig.budget_microdollars"


@dataclass(frozen=True, slots=True)
class CapUse:
    """One cap and what of it is spent or set aside."""

    name: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """The money that may still be reserved."""
        return max(0, self.limit - self.used)
