"""What a report shows, already decided: plain frozen values, filled by `conversation`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.ledger import CapUse
from claude_pool_gh.pool.outcomes import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step in the table of steps."""

    name: str
    state: str
    detail: str = ""
    model: str = ""
    elapsed_ms: int | None = None
    cost: int = 0
    upper_bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one agent looked at."""

    task: str
    files: Sequence[str] = ()
    searches: Sequence[str] = ()
    denied: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Money, in microdollars."""

    spent: int
    upper_bound: bool
    cap: int
    usual: tuple[int, int] | None = None
    thread: int = 0
    month: int = 0
    caps: Sequence[CapUse] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The result of a review, before it becomes words."""

    files: int = 0
    inline: Sequence[Finding] = ()
    more: Sequence[Finding] = ()
    """Confirmed in the diff, beyond the most that are posted inline."""
    outside: Sequence[Finding] = ()
    standing: Sequence[Finding] = ()
    """Posted by an earlier run and still in the code at this head."""
    known: int = 0
    refuted: int = 0
    unsure: int = 0
    dropped: Sequence[str] = ()
    left_out: Sequence[str] = ()
    unread: Sequence[str] = ()
    note: str = ""
    """What a reader must know of it, such as that the head has moved."""
    posted: bool = True
    """Whether the inline findings stand as a review; else the comment lists them."""

    @property
    def new(self) -> tuple[Finding, ...]:
        """What this run confirmed, the worst first."""
        return _worst_first((*self.inline, *self.more, *self.outside))

    @property
    def confirmed(self) -> tuple[Finding, ...]:
        """All that is known to be wrong at this head, the worst first."""
        return _worst_first((*self.new, *self.standing))


def _worst_first(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(sorted(found, key=lambda finding: -finding.severity.rank))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One chain as its tracking comment shows it."""

    chain_id: str
    verb: str
    head: str
    requester: str
    intent: str
    """What it will do, in one sentence."""
    steps: Sequence[StepLine]
    bill: Bill
    outcome: Outcome | None = None
    elapsed_ms: int = 0
    reviewed: Reviewed | None = None
    looked: Sequence[Looked] = ()
    earlier: Sequence[str] = field(default_factory=tuple)
    """Earlier runs in this thread, one line each, the newest first."""
