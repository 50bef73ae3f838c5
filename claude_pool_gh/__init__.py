"""Pools of Claude agents, for GitHub repositories and for programs.

For scripts: `from claude_pool_gh import ClaudeAgent, Pool`. The names below are the library's whole surface; what
stands behind them is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from claude_pool_gh.agent.claude import ClaudeAgent
    from claude_pool_gh.local import Pool, usual_state
    from claude_pool_gh.pool.model.conditions import Condition
    from claude_pool_gh.pool.model.config import (
        Effort,
        Isolation,
        PermissionMode,
        PoolConfig,
        ScalingConfig,
        SlotConfig,
        SlotMode,
        TaskOverrides,
    )
    from claude_pool_gh.pool.model.errors import (
        CapReached,
        IllegalTransition,
        NoSlotAvailable,
        NotFound,
        NotUnderReview,
        NoWorkspace,
        PartOfChain,
        PoolError,
        PoolShutdown,
        RecipeError,
        ScalingRefused,
        StepFailed,
        Superseded,
        UnknownChain,
        UnknownSlot,
        UnknownTask,
    )
    from claude_pool_gh.pool.model.events import (
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
    from claude_pool_gh.pool.model.ids import ChainId, TaskId
    from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
    from claude_pool_gh.pool.model.plan import OnFailure, OnRestart, WorkspaceSpec
    from claude_pool_gh.pool.model.ports import (
        Agent,
        AgentChannel,
        AgentOutcome,
        AgentTask,
        AtWork,
        BudgetAware,
        CapturedChange,
        Clock,
        Conversation,
        Done,
        Ending,
        Finish,
        HostStep,
        HostStepContext,
        Observer,
        RunBudget,
        Spending,
        Workspace,
        WorkspaceRequest,
        Workspaces,
    )
    from claude_pool_gh.pool.model.records import (
        ChainProgress,
        ChainResult,
        ChainStatus,
        DrainSummary,
        Load,
        PoolStatus,
        SlotFilter,
        SlotRecord,
        StepResult,
        StepTask,
        TaskFilter,
        TaskRecord,
        TaskResult,
    )
    from claude_pool_gh.pool.model.states import SlotState, TaskState
    from claude_pool_gh.pool.recipes.library import RecipeLibrary
    from claude_pool_gh.pool.recipes.skills import Argument, Skill
    from claude_pool_gh.pool.recipes.workflows import ChainStep, Workflow
    from claude_pool_gh.pool.run.chain_factory import ChainOptions
    from claude_pool_gh.pool.run.feed import Subscription
    from claude_pool_gh.pool.store.metrics import MetricsFilter, ModelMetrics, SessionMetrics
    from claude_pool_gh.storage import Database, Retries, Transaction

_HOMES: Final = {
    "agent.claude": ("ClaudeAgent",),
    "local": (
        "Pool",
        "usual_state",
    ),
    "pool.model.conditions": ("Condition",),
    "pool.model.config": (
        "Effort",
        "Isolation",
        "PermissionMode",
        "PoolConfig",
        "ScalingConfig",
        "SlotConfig",
        "SlotMode",
        "TaskOverrides",
    ),
    "pool.model.errors": (
        "CapReached",
        "IllegalTransition",
        "NoSlotAvailable",
        "NoWorkspace",
        "NotFound",
        "NotUnderReview",
        "PartOfChain",
        "PoolError",
        "PoolShutdown",
        "RecipeError",
        "ScalingRefused",
        "StepFailed",
        "Superseded",
        "UnknownChain",
        "UnknownSlot",
        "UnknownTask",
    ),
    "pool.model.events": (
        "ChainFinished",
        "ChainParked",
        "ChainQueued",
        "ChainStarted",
        "Event",
        "Missed",
        "PartialOutput",
        "StepFinished",
        "StepStarted",
        "TaskFinished",
        "TaskStarted",
    ),
    "pool.run.feed": ("Subscription",),
    "pool.model.ids": (
        "ChainId",
        "TaskId",
    ),
    "pool.store.metrics": (
        "MetricsFilter",
        "ModelMetrics",
        "SessionMetrics",
    ),
    "pool.run.chain_factory": ("ChainOptions",),
    "pool.model.outcomes": (
        "Outcome",
        "Verdict",
    ),
    "pool.model.plan": (
        "OnFailure",
        "OnRestart",
        "WorkspaceSpec",
    ),
    "pool.model.ports": (
        "Agent",
        "AgentOutcome",
        "AgentTask",
        "AtWork",
        "Clock",
        "Conversation",
        "Done",
        "Ending",
        "Finish",
        "BudgetAware",
        "HostStep",
        "HostStepContext",
        "AgentChannel",
        "Observer",
        "RunBudget",
        "Spending",
        "WorkspaceRequest",
        "CapturedChange",
        "Workspace",
        "Workspaces",
    ),
    "pool.model.records": (
        "ChainProgress",
        "ChainResult",
        "ChainStatus",
        "DrainSummary",
        "Load",
        "PoolStatus",
        "SlotFilter",
        "SlotRecord",
        "StepResult",
        "StepTask",
        "TaskFilter",
        "TaskRecord",
        "TaskResult",
    ),
    "pool.recipes.library": ("RecipeLibrary",),
    "pool.recipes.skills": (
        "Argument",
        "Skill",
    ),
    "pool.model.states": (
        "SlotState",
        "TaskState",
    ),
    "pool.recipes.workflows": (
        "ChainStep",
        "Workflow",
    ),
    "storage": (
        "Database",
        "Retries",
        "Transaction",
    ),
}
_HOME_OF: Final = {
    name: f"claude_pool_gh.{home}" for home, names in _HOMES.items() for name in names
}

__all__ = [
    "Agent",
    "AgentChannel",
    "AgentOutcome",
    "AgentTask",
    "Argument",
    "AtWork",
    "BudgetAware",
    "CapReached",
    "CapturedChange",
    "ChainFinished",
    "ChainId",
    "ChainOptions",
    "ChainParked",
    "ChainProgress",
    "ChainQueued",
    "ChainResult",
    "ChainStarted",
    "ChainStatus",
    "ChainStep",
    "ClaudeAgent",
    "Clock",
    "Condition",
    "Conversation",
    "Database",
    "Done",
    "DrainSummary",
    "Effort",
    "Ending",
    "Event",
    "Finish",
    "HostStep",
    "HostStepContext",
    "IllegalTransition",
    "Isolation",
    "Load",
    "MetricsFilter",
    "Missed",
    "ModelMetrics",
    "NoSlotAvailable",
    "NoWorkspace",
    "NotFound",
    "NotUnderReview",
    "Observer",
    "OnFailure",
    "OnRestart",
    "Outcome",
    "PartOfChain",
    "PartialOutput",
    "PermissionMode",
    "Pool",
    "PoolConfig",
    "PoolError",
    "PoolShutdown",
    "PoolStatus",
    "RecipeError",
    "RecipeLibrary",
    "Retries",
    "RunBudget",
    "ScalingConfig",
    "ScalingRefused",
    "SessionMetrics",
    "Skill",
    "SlotConfig",
    "SlotFilter",
    "SlotMode",
    "SlotRecord",
    "SlotState",
    "Spending",
    "StepFailed",
    "StepFinished",
    "StepResult",
    "StepStarted",
    "StepTask",
    "Subscription",
    "Superseded",
    "TaskFilter",
    "TaskFinished",
    "TaskId",
    "TaskOverrides",
    "TaskRecord",
    "TaskResult",
    "TaskStarted",
    "TaskState",
    "Transaction",
    "UnknownChain",
    "UnknownSlot",
    "UnknownTask",
    "Verdict",
    "Workflow",
    "Workspace",
    "WorkspaceRequest",
    "WorkspaceSpec",
    "Workspaces",
    "usual_state",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # else a type checker would believe in any name

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"claude_pool_gh has no {name!r}")
        return getattr(import_module(_HOME_OF[name]), name)
