"""A pool of Claude agents at a GitHub repository's service, and at a script's.

For scripts: `from claude_pool_gh import ClaudeAgent, Pool`. The names below are the library's whole surface; what
stands behind them is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from claude_pool_gh.agent.claude import ClaudeAgent
    from claude_pool_gh.local import Pool
    from claude_pool_gh.pool.config import (
        Effort,
        Isolation,
        PermissionMode,
        PoolConfig,
        ScalingConfig,
        SlotConfig,
        SlotMode,
        TaskOverrides,
    )
    from claude_pool_gh.pool.errors import (
        CapReached,
        NoSlotAvailable,
        NotUnderReview,
        NoWorkspace,
        PartOfChain,
        PoolError,
        PoolShutdown,
        RecipeError,
        ScalingRefused,
    )
    from claude_pool_gh.pool.events import (
        ChainFinished,
        ChainParked,
        ChainQueued,
        ChainStarted,
        Event,
        Missed,
        PartialOutput,
        StepFinished,
        StepStarted,
        TaskFinished,
        TaskStarted,
    )
    from claude_pool_gh.pool.feed import Subscription
    from claude_pool_gh.pool.ids import ChainId, TaskId
    from claude_pool_gh.pool.metrics import MetricsFilter, SessionMetrics
    from claude_pool_gh.pool.orders import ChainOptions
    from claude_pool_gh.pool.plan import OnFailure, OnRestart
    from claude_pool_gh.pool.ports import Agent, AgentOutcome, AgentTask, Ending, Line
    from claude_pool_gh.pool.records import (
        ChainProgress,
        ChainResult,
        DrainSummary,
        PoolStatus,
        SlotFilter,
        SlotRecord,
        StepResult,
        StepTask,
        TaskFilter,
        TaskRecord,
        TaskResult,
    )
    from claude_pool_gh.pool.shelf import Shelf
    from claude_pool_gh.pool.states import SlotState, TaskState
    from claude_pool_gh.pool.workflows import ChainStep, Workflow

_HOMES: Final = {
    "agent.claude": ("ClaudeAgent",),
    "local": ("Pool",),
    "pool.config": (
        "Effort", "Isolation", "PermissionMode", "PoolConfig", "ScalingConfig", "SlotConfig", "SlotMode",
        "TaskOverrides",
    ),
    "pool.errors": (
        "CapReached", "NoSlotAvailable", "NotUnderReview", "NoWorkspace", "PartOfChain", "PoolError", "PoolShutdown",
        "RecipeError", "ScalingRefused",
    ),
    "pool.events": (
        "ChainFinished", "ChainParked", "ChainQueued", "ChainStarted", "Event", "Missed", "PartialOutput",
        "StepFinished", "StepStarted", "TaskFinished", "TaskStarted",
    ),
    "pool.feed": ("Subscription",),
    "pool.ids": ("ChainId", "TaskId"),
    "pool.metrics": ("MetricsFilter", "SessionMetrics"),
    "pool.orders": ("ChainOptions",),
    "pool.plan": ("OnFailure", "OnRestart"),
    "pool.ports": ("Agent", "AgentOutcome", "AgentTask", "Ending", "Line"),
    "pool.records": (
        "ChainProgress", "ChainResult", "DrainSummary", "PoolStatus", "SlotFilter", "SlotRecord", "StepResult",
        "StepTask", "TaskFilter", "TaskRecord", "TaskResult",
    ),
    "pool.shelf": ("Shelf",),
    "pool.states": ("SlotState", "TaskState"),
    "pool.workflows": ("ChainStep", "Workflow"),
}  # fmt: skip
_HOME_OF: Final = {name: f"claude_pool_gh.{home}" for home, names in _HOMES.items() for name in names}

__all__ = [
    "Agent",
    "AgentOutcome",
    "AgentTask",
    "CapReached",
    "ChainFinished",
    "ChainId",
    "ChainOptions",
    "ChainParked",
    "ChainProgress",
    "ChainQueued",
    "ChainResult",
    "ChainStarted",
    "ChainStep",
    "ClaudeAgent",
    "DrainSummary",
    "Effort",
    "Ending",
    "Event",
    "Isolation",
    "Line",
    "MetricsFilter",
    "Missed",
    "NoSlotAvailable",
    "NoWorkspace",
    "NotUnderReview",
    "OnFailure",
    "OnRestart",
    "PartOfChain",
    "PartialOutput",
    "PermissionMode",
    "Pool",
    "PoolConfig",
    "PoolError",
    "PoolShutdown",
    "PoolStatus",
    "RecipeError",
    "ScalingConfig",
    "ScalingRefused",
    "SessionMetrics",
    "Shelf",
    "SlotConfig",
    "SlotFilter",
    "SlotMode",
    "SlotRecord",
    "SlotState",
    "StepFinished",
    "StepResult",
    "StepStarted",
    "StepTask",
    "Subscription",
    "TaskFilter",
    "TaskFinished",
    "TaskId",
    "TaskOverrides",
    "TaskRecord",
    "TaskResult",
    "TaskStarted",
    "TaskState",
    "Workflow",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"claude_pool_gh has no {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
