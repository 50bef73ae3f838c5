"""The extension of a chain that ended early, so that it comes further: more money, more turns, or nothing more.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final

from claude_pool_gh.pool.model.config import MICRODOLLARS, microdollars
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Branches, Step
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow

_ROOM: Final = Decimal("1.25")
"""By how much more a run is given than it needed to get as far as it came, and one request further."""
_MOST_DOLLARS: Final = 1000
_MOST_TURNS: Final = 500
_USUAL_TURNS: Final = 30


def more(chain: ChainRow, tasks: Sequence[TaskRow], left: int | None) -> str | None:
    """The flags of the command that goes on; None where none that may be given would bring it further.

    `left`: microdollars that the narrowest of the other caps still has.
    """
    match chain.outcome.verdict if chain.outcome else None:
        case Verdict.out_of_budget:
            budget = _budget(chain, tasks)
            if (
                budget is None
                or budget > _MOST_DOLLARS
                or (left is not None and budget * MICRODOLLARS > left)
            ):
                return None
            return f" --budget {budget:.2f}"
        case Verdict.out_of_turns:
            turns = max(
                (run.overrides.max_turns or _USUAL_TURNS for run in _runs(chain)),
                default=_USUAL_TURNS,
            )
            return None if turns >= _MOST_TURNS else f" --turns {min(2 * turns, _MOST_TURNS)}"
        case _:
            return ""


def _budget(chain: ChainRow, tasks: Sequence[TaskRow]) -> Decimal | None:
    """Dollars with which every task whose money did not reach has enough, in whole cents."""
    steps = {step.name: step for step in chain.plan.steps}
    wanted = Decimal(chain.plan.limits.chain)
    for task in tasks:
        outcome, step = task.outcome or {}, steps.get(task.step)
        if task.state is TaskState.completed or outcome.get("ending") != Ending.out_of_budget:
            continue
        run = step.branches[task.shard] if isinstance(step, Branches) else step
        if not isinstance(run, AgentRun):
            continue
        short = int(outcome.get("short") or 0)
        own = run.overrides.max_budget_usd
        if own is not None and (not short or short > microdollars(own)):
            return None  # the step's own cap, which no flag lifts
        beside = sum(1 for other in tasks if other.step == task.step)
        wanted = max(wanted, short * _ROOM * beside / Decimal(str(run.share)))
    return (wanted / MICRODOLLARS).quantize(Decimal("0.01"), ROUND_CEILING)


def _runs(chain: ChainRow) -> Iterable[AgentRun]:
    def of(step: Step) -> Iterable[AgentRun]:
        match step:
            case AgentRun():
                return (step,)
            case Branches():
                return step.branches
            case _:
                return ()

    return (run for step in chain.plan.steps for run in of(step))
