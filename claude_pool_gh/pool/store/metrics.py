"""Sums over tasks: how many, how long, how dear. A chain's cost is its tasks', counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from claude_pool_gh.pool.model.config import Frozen, Strings
from claude_pool_gh.pool.model.states import TaskState


class MetricsFilter(Frozen):
    """Which tasks count; all that is given must hold."""

    since_ms: int | None = None
    """Made at or after this."""
    until_ms: int | None = None
    """Made at or before this."""
    tags: Strings | None = None
    """Any of these."""
    model: str | None = None
    """Run on this model."""


class ModelMetrics(Frozen):
    """The tasks of one model."""

    model: str
    """Empty: the agent's own choice."""
    task_count: int
    total_cost_microdollars: int
    avg_cost_microdollars: int
    avg_elapsed_ms: int
    """Of completed tasks."""
    total_turns: int


class SessionMetrics(Frozen):
    """All tasks that a filter lets through. Averages are of completed tasks unless they say otherwise."""

    total_tasks: int
    completed_tasks: int
    """Those that wait for approval count too: their work is done."""
    failed_tasks: int
    cancelled_tasks: int
    running_tasks: int
    pending_tasks: int
    total_spend_microdollars: int
    """Of all tasks, whatever became of them."""
    avg_cost_microdollars: int
    """What completed tasks cost on average."""
    max_cost_microdollars: int
    """The dearest task, whatever became of it."""
    avg_elapsed_ms: int
    median_elapsed_ms: int
    max_elapsed_ms: int
    min_elapsed_ms: int
    avg_turns: float
    tasks_by_model: dict[str, int]
    model_breakdown: tuple[ModelMetrics, ...]
    """Dearest first."""
    session_start_ms: int
    session_duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredTask:
    """One task, as far as metrics go."""

    state: TaskState
    model: str
    cost: int
    elapsed_ms: int
    turns: int

    @property
    def done(self) -> bool:
        """True where its work is done."""
        return self.state in (TaskState.completed, TaskState.pending_review)


def measure(tasks: Sequence[MeasuredTask], *, started_ms: int, now_ms: int) -> SessionMetrics:
    """Sum up."""
    done = [task for task in tasks if task.done]
    elapsed = [task.elapsed_ms for task in done if task.elapsed_ms > 0]
    models = {task.model for task in tasks}
    by_model = [
        _of_model(model, [task for task in tasks if task.model == model]) for model in models
    ]

    def count(state: TaskState) -> int:
        return sum(task.state is state for task in tasks)

    return SessionMetrics(
        total_tasks=len(tasks),
        completed_tasks=len(done),
        failed_tasks=count(TaskState.failed),
        cancelled_tasks=count(TaskState.cancelled),
        running_tasks=count(TaskState.running),
        pending_tasks=count(TaskState.pending),
        total_spend_microdollars=sum(task.cost for task in tasks),
        avg_cost_microdollars=_average([task.cost for task in done]),
        max_cost_microdollars=max((task.cost for task in tasks), default=0),
        avg_elapsed_ms=_average(elapsed),
        median_elapsed_ms=round(median(elapsed)) if elapsed else 0,
        max_elapsed_ms=max(elapsed, default=0),
        min_elapsed_ms=min(elapsed, default=0),
        avg_turns=fmean([task.turns for task in done]) if done else 0.0,
        tasks_by_model={
            each.model: each.task_count for each in sorted(by_model, key=lambda m: m.model)
        },
        model_breakdown=tuple(
            sorted(by_model, key=lambda m: (-m.total_cost_microdollars, m.model))
        ),
        session_start_ms=started_ms,
        session_duration_ms=now_ms - started_ms,
    )


def _of_model(model: str, tasks: Sequence[MeasuredTask]) -> ModelMetrics:
    return ModelMetrics(
        model=model,
        task_count=len(tasks),
        total_cost_microdollars=sum(task.cost for task in tasks),
        avg_cost_microdollars=_average([task.cost for task in tasks]),
        avg_elapsed_ms=_average(
            [task.elapsed_ms for task in tasks if task.done and task.elapsed_ms > 0]
        ),
        total_turns=sum(task.turns for task in tasks),
    )


def _average(numbers: Sequence[int]) -> int:
    return round(fmean(numbers)) if numbers else 0
