"""What can go wrong in the pool.

    PoolError
    |- IllegalTransition      a state change that the state table does not know
    |- CapReached             a reservation would pass a cap
    |- RecipeError            a workflow or skill file is wrong
    |- StepFailed             a step of the host's own cannot go on
    `- UnknownChain           no such chain

Expected ends of an agent's run are values (`AgentOutcome`), not exceptions.
"""

from __future__ import annotations


class PoolError(Exception):
    """Root of the pool's errors."""


class IllegalTransition(PoolError):
    """A record was asked to move along an edge that its state table does not have, or had moved already."""

    def __init__(self, subject: str, old: str, new: str) -> None:
        super().__init__(f"{subject} cannot go from {old} to {new}")


class CapReached(PoolError):
    """Nothing was reserved: the cap named here leaves too little. Amounts are microdollars."""

    def __init__(self, cap: str, limit: int, left: int, asked: int) -> None:
        super().__init__(
            f"the cap per {cap} of ${limit / 1e6:.2f} has ${left / 1e6:.2f} left, asked for ${asked / 1e6:.2f}"
        )
        self.cap, self.limit, self.left, self.asked = cap, limit, left, asked


class RecipeError(PoolError):
    """A workflow or skill file says something that cannot be run; the message names file and line."""


class StepFailed(PoolError):
    """A host step ended without a result; `reason` is fit to be read by a user.

    `ours`: nothing that the user could mend.
    """

    def __init__(self, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.ours = reason, ours


class UnknownChain(PoolError):
    """No chain has this id."""
