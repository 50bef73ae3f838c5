"""The errors of the pool.

    PoolError
    |- IllegalTransition      a state change that the state table does not know
    |- CapReached             a reservation would pass a cap
    |- RecipeError            a workflow or skill file, or a chain's steps, cannot be run
    |- StepFailed             a step of the host's own cannot go on
    |- PoolShutdown           the pool takes no more work
    |- NoSlotAvailable        no slot came free in time, or none is left
    |- ScalingRefused         more or fewer slots than the bounds allow
    |- NotUnderReview         nothing waits for a decision here
    |- PartOfChain            the task is one of a chain's, which ends, or is decided, as a whole
    |- Superseded             another worker has taken this chain over
    |- NoWorkspace            the folder that a run was to have to itself cannot be made
    `- NotFound
       |- UnknownChain        no such chain
       |- UnknownTask         no such task
       `- UnknownSlot         no such slot

Expected ends of an agent's run are values (`AgentOutcome`), not exceptions.
"""

from __future__ import annotations

from claude_pool_gh.pool.model.money import dollars


class PoolError(Exception):
    """Root of the pool's errors."""


class IllegalTransition(PoolError):
    """Something was to happen to a record that its state table does not list there, or it had moved already."""

    def __init__(self, subject: str, state: str, event: str) -> None:
        super().__init__(f"{subject} cannot {event.replace('_', ' ')} from {state}")


class CapReached(PoolError):
    """Nothing was reserved: the cap named here leaves too little. Amounts are microdollars.

    `change`: the setting that would help, where whoever reads this can change one.
    """

    def __init__(self, cap: str, limit: int, left: int, asked: int, change: str = "") -> None:
        told = f"the cap per {cap} of {dollars(limit)} has {dollars(left)} left, asked for {dollars(asked)}"
        super().__init__(f"{told}; to change it, set {change}" if change else told)
        self.cap, self.limit, self.left, self.asked = cap, limit, left, asked


class RecipeError(PoolError):
    """A workflow or skill file says something that cannot be run; the message names file and line."""


class StepFailed(PoolError):
    """A host step ended without a result; `reason` is fit to be read by a user.

    `ours`: nothing that the user could mend. `anew`: what the chain has stored is no use any more, so that only another
    one, from the beginning, can do better.
    """

    def __init__(self, reason: str, *, ours: bool = False, anew: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.ours, self.anew = reason, ours, anew


class PoolShutdown(PoolError):
    """The pool is draining or closed. The message says what becomes of what it had not done."""


class NoSlotAvailable(PoolError):
    """A task waited in vain for a slot."""


class ScalingRefused(PoolError):
    """The number of slots asked for lies outside `ScalingConfig`."""


class NotUnderReview(PoolError):
    """Nothing waits for a decision under this id: it was decided already, or never came so far."""


class PartOfChain(PoolError):
    """Raised where what was asked for one task holds for its whole chain or step; see the message."""


class Superseded(PoolError):
    """Another worker carries the chain on, since this one was believed dead: nothing more is written for it here."""


class NoWorkspace(PoolError):
    """A run's folder could not be made; the run does not fall back to a folder that others use."""


class SpoiledWorkspace(NoWorkspace):
    """Somebody changed a folder while a run read it: its result counts for nothing, and it may be run again."""


class NotFound(PoolError):
    """Nothing has this id."""


class UnknownChain(NotFound):
    """No chain has this id."""


class UnknownTask(NotFound):
    """No task has this id."""


class UnknownSlot(NotFound):
    """No slot has this id."""
