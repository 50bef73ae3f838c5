"""The records of a pool's tasks, chains, slots and money. Names and JSON as the Rust crate claude-pool has them.

Money is in microdollars, times in milliseconds since the epoch.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from claude_pool_gh.pool.model import crate
from claude_pool_gh.pool.model.config import Frozen, SlotConfig, Strings, TaskOverrides
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import SlotState, TaskState


class TaskResult(Frozen):
    """The result of a task."""

    _of_the_crate = model_validator(mode="before")(crate.task_result)

    output: str
    """What the agent answered; of a task that was stopped, what it had said so far; else why it failed."""
    success: bool
    """Whether it did what it was asked for."""
    cost_microdollars: int
    """What all its attempts cost."""
    turns_used: int
    """Turns of the last attempt."""
    elapsed_ms: int
    """How long the last attempt took."""
    model: str | None = None
    """The model that answered or, where the agent does not say, that was asked for; None where nobody named one."""
    session_id: str | None = None
    """The conversation, which another task may go on with."""
    failed_command: str | None = None
    """On failure: what was run."""
    exit_code: int | None = None
    """On failure: the exit code of the agent's process."""
    stderr: str | None = None
    """On failure: the last lines that the agent's process wrote."""
    budget_exceeded: bool = False
    """Whether the task ended because its money did."""
    ending: Ending
    """Why it ended."""
    reason: str = ""
    """For a person, when it did not complete."""
    structured: Any = None
    """The typed result, where `json_schema` asked for one."""
    upper_bound: bool = False
    """Whether the cost is only known to be no more than this."""
    commit: str | None = None
    """The commit that holds what the task changed, where it worked in a worktree or clone."""
    looked_at: dict[str, Any] = Field(default_factory=dict)
    """Files, searches and denials of the last attempt, as lists of texts."""


class TaskRecord(Frozen):
    """A task: one agent run with its attempts."""

    _of_the_crate = model_validator(mode="before")(crate.task_record)

    id: TaskId
    chain_id: ChainId
    """The chain it belongs to; a lone task is its own."""
    step: str
    """Name of the chain's step."""
    prompt: str
    """What its last attempt was sent, values filled in; of a step that has not begun the template."""
    state: TaskState
    slot_id: str | None = None
    """The slot that runs it, or ran it last."""
    result: TaskResult | None = None
    """There from the state `pending_review` on."""
    tags: tuple[str, ...] = ()
    config: TaskOverrides | None = None
    """What it decided for itself."""
    review_required: bool = False
    """Whether a success waits for approval."""
    max_rejections: int = 3
    """The rejection with this number makes it fail: with 3, it runs three times in all."""
    rejection_count: int = 0
    original_prompt: str | None = None
    """The prompt before any feedback was added to it."""
    attempts: int = 0
    """How often it was started."""
    created_at_ms: int
    started_at_ms: int | None = None
    """Start of the last attempt."""
    completed_at_ms: int | None = None


class TaskFilter(Frozen):
    """Which tasks to list; all that is given must hold."""

    state: TaskState | None = None
    slot_id: str | None = None
    tags: Strings | None = None
    """Any of these."""
    chain_id: str | None = None
    """Of this chain."""


class SlotRecord(Frozen):
    """A slot, of this or another worker on the same store."""

    _of_the_crate = model_validator(mode="before")(crate.slot_record)

    id: str
    state: SlotState
    config: SlotConfig
    current_task: str | None = None
    session_id: str | None = None
    """The newest conversation that the slot keeps."""
    tasks_completed: int
    cost_microdollars: int
    restart_count: int
    """Restarts since it last completed a task."""
    worktree_path: str | None = None
    """Where its agent works now; known only in the process that runs it."""
    worker: str
    """The process that it belongs to, as host/pid/start."""


class SlotFilter(Frozen):
    """Which slots to list; all that is given must hold."""

    state: SlotState | None = None
    """Without one: every slot that is in service, so not the `stopped` ones."""
    name: str | None = None
    role: str | None = None


class StepTask(Frozen):
    """The result of one task of a step."""

    id: TaskId
    title: str
    """Of a branch its name, of an item of `each` what the step's `title` makes of it."""
    success: bool
    ending: Ending
    output: str
    """What the agent answered; of one that failed, what it had said so far."""
    error: str = ""
    """Why it failed."""
    structured: Any = None
    """The typed result, where one was asked for."""


class StepResult(Frozen):
    """The result of one step of a chain."""

    name: str
    output: str
    """What its agents answered; of one that failed, what it had said so far, else why it failed."""
    success: bool
    """Whether every task of it succeeded, also where `on_failure: continue` let the chain go on without that."""
    ending: Ending | None = None
    """Why it ended: of several tasks, how the first that failed did. None for a step without tasks."""
    error: str = ""
    """What went wrong, task by task; empty for a success."""
    structured: Any = None
    """The typed result: of one agent its own, of several a list of theirs, of a host step what it returned."""
    tasks: tuple[StepTask, ...] = ()
    """In the order of the branches, or of the items of `each`."""
    cost_microdollars: int
    upper_bound: bool = False
    """Whether the cost is only known to be no more than this."""
    retries_used: int
    """Attempts beyond the first, of all the step's tasks together."""
    skipped: bool = False
    """Its condition did not hold, or the chain ended before it."""


class ChainResult(Frozen):
    """The result of a chain."""

    _of_the_crate = model_validator(mode="before")(crate.chain_result)

    steps: tuple[StepResult, ...]
    """In the order of their running; also those that were skipped."""
    final_output: str
    """What the last agent answered; of a chain that ended early, why."""
    total_cost_microdollars: int
    upper_bound: bool = False
    """Whether the cost is only known to be no more than this."""
    success: bool
    """Whether it came to its end and every step that ran succeeded. A step that failed makes this False also where
    `on_failure: continue` let the chain go on: then `verdict` says how the chain ended, and `reason` which failed."""
    commit: str | None = None
    """The commit that holds the files as the chain left them, where it worked in worktrees and changed any."""
    verdict: str
    """`answered`, `failed`, `cancelled`, `out_of_budget`, ... or what the chain's own last step said."""
    reason: str = ""
    """Why it ended early, or which steps failed."""


class ChainStatus(StrEnum):
    """The status of a chain, as its caller sees it."""

    queued = "queued"
    running = "running"
    parked = "parked"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


class ChainProgress(Frozen):
    """The progress of a chain."""

    _of_the_crate = model_validator(mode="before")(crate.chain_progress)

    chain_id: ChainId
    status: ChainStatus
    total_steps: int
    completed_steps: int
    """Finished ones, skipped ones among them."""
    current_step: int | None = None
    """Counted from 0."""
    current_step_name: str | None = None
    current_step_partial_output: str | None = None
    """What its agents have said so far; known only in the process that runs them."""
    current_step_started_at: int | None = None
    """Seconds since the epoch."""
    waits_for: str | None = None
    """Of a parked chain: `approval`, or `restart` where a run's process died and it asks before it spends again."""
    cost_microdollars: int = 0
    review_output: str | None = None
    """What waits for approval, as its agents said it."""
    review_commit: str | None = None
    """The commit that holds the files as they would be approved, where any were changed."""


class PoolStatus(Frozen):
    """The pool at a glance; tasks and money of every worker on the store."""

    _of_the_crate = model_validator(mode="before")(crate.pool_status)

    total_slots: int
    idle_slots: int
    busy_slots: int
    errored_slots: int
    running_tasks: int
    pending_tasks: int
    """Laid out, or in chains that have not begun."""
    pending_review_tasks: int
    completed_tasks: int
    failed_tasks: int
    cancelled_tasks: int
    total_spend_microdollars: int
    budget_microdollars: int | None
    reserved_microdollars: int
    """Set aside for what runs now, and not spent."""
    shutdown: bool
    """Whether this pool takes no more work."""


class Load(Frozen):
    """The load of one process of the pool at a moment."""

    slots: int
    busy: int
    tasks_waiting: int
    """Tasks of begun chains that wait for a slot."""
    chains_running: int


class DrainSummary(Frozen):
    """The summary of what a drain leaves."""

    _of_the_crate = model_validator(mode="before")(crate.drain_summary)

    total_cost_microdollars: int
    """Spent since the pool was opened."""
    total_tasks_completed: int
    """Completed since the pool was opened."""
    cancelled: tuple[str, ...]
    """Chains that still ran at the deadline, and were ended."""
    left_queued: int
    """Chains that had not begun, or stopped between two steps; they stay in the store for its next pool."""
    lost: int = 0
    """Chains that had not ended, and are gone, since the pool was opened without `state` and `store`."""
    known: bool = True
    """False where the store did not answer: then all but `cancelled` is 0, whatever it is in the store."""
