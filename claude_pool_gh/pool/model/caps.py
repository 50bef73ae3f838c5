"""The caps that a chain counts against, and whose they are. Amounts are microdollars."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits in microdollars, from the narrowest to the widest; None is no limit. `pool` counts per calendar month."""

    task: int
    chain: int
    thread: int | None = None
    user_day: int | None = None
    repository_month: int | None = None
    pool: int | None = None
    least: int | None = None
    """A chain may begin with as little as this where its own cap is more than is left; its money then grows as it is
    needed, see `extend`. None: it begins with all that its cap allows, or not at all."""

    @property
    def to_begin(self) -> int:
        """What must be left of the wider caps for the chain to begin."""
        return self.chain if self.least is None else min(self.least, self.chain)

    @property
    def change(self) -> str:
        """The setting that raises the pool's cap, where a script made the chain."""
        return "" if self.least is None else "PoolConfig.budget_microdollars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose caps a chain counts against; the pool only compares these texts."""

    thread: str
    user: str
    repository: str


@dataclass(frozen=True, slots=True)
class CapUse:
    """One cap and what of it is spent or set aside."""

    name: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """What may still be reserved."""
        return max(0, self.limit - self.used)
