"""Goes on where a chain ended early: a new chain that begins with what the old one finished.

A chain that has ended stays ended, with its outcome and its bill. What goes on is another one, with money of its own:
finished steps and completed tasks are taken over, the first unfinished step begins with the work that its last run
left and is told how that ended.
"""

from __future__ import annotations

from claude_pool_gh.pool.model.plan import HostCall
from claude_pool_gh.pool.model.states import STEP, StepEvent, StepState, TaskState
from claude_pool_gh.pool.store import chains, tasks
from claude_pool_gh.pool.store.chains import FINISHED, ChainRow, StepRow, StepWork
from claude_pool_gh.pool.store.incomplete import is_told_less
from claude_pool_gh.pool.store.moves import moved
from claude_pool_gh.pool.store.tables import steps
from claude_pool_gh.storage import Transaction


def can_go_on(tx: Transaction, chain: ChainRow) -> bool:
    """True where a chain that has ended left something that another attempt may bring to its end.

    A step of the host's own that refused something refuses it again, unless what failed was on our side.
    """
    if chain.outcome is not None and chain.outcome.anew:
        return False
    position = _unfinished(tx, chain)
    if position is None or any(is_told_less(chain, step) for step in chain.plan.steps[position:]):
        return False
    ours = chain.outcome is not None and chain.outcome.ours
    return ours or not isinstance(chain.plan.steps[position], HostCall)


def take_over(tx: Transaction, old: ChainRow, new_id: str, now_ms: int) -> None:
    """Give a chain that was just made, with the old one's steps, everything that the old one finished."""
    new = chains.get(tx, new_id)
    first = _unfinished(tx, old)
    if first is None:
        raise ValueError(f"nothing of {old.id} is unfinished")
    for before, here in zip(old.steps[:first], new.steps, strict=False):
        _take_step(tx, before, here, now_ms)
        for task in tasks.of_chain(tx, old.id, before.name):
            tasks.take_over(tx, task, _own_id(task.id, old.id, new_id), new_id, now_ms)
    if first < len(old.steps):
        for task in tasks.of_chain(tx, old.id, old.steps[first].name):
            tasks.take_over(tx, task, _own_id(task.id, old.id, new_id), new_id, now_ms)
        work = _work_of(tx, old, first)
        if work is not None and first:
            tx.execute(
                steps.update().where(steps.c.id == new.steps[first - 1].id).values(work=work)
            )


def _unfinished(tx: Transaction, chain: ChainRow) -> int | None:
    """Position of the first step that is not done, or some of whose tasks failed although the chain went on."""
    failed = {
        task.step for task in tasks.of_chain(tx, chain.id) if task.state is not TaskState.completed
    }
    for position, step in enumerate(chain.steps):
        if step.state not in FINISHED or (
            step.name in failed and step.state is StepState.completed
        ):
            return position
    return None


def _take_step(tx: Transaction, old: StepRow, new: StepRow, now_ms: int) -> None:
    event = StepEvent.skip if old.state is StepState.skipped else StepEvent.take_over
    taken = {"result": old.result, "work": old.work, "rejections": list(old.rejections)}
    moved(tx, STEP, new.id, new.state, event, **taken, started_ms=now_ms, ended_ms=now_ms)


def _work_of(tx: Transaction, old: ChainRow, position: int) -> StepWork | None:
    """The changes of the unfinished step's only run, else what the steps before it had."""
    own = tasks.of_chain(tx, old.id, old.steps[position].name)
    works = tasks.works_of(tx, [task.run_id for task in own])
    if len(works) == 1:
        ((run_id, commit),) = works.items()
        return {"run": run_id, "commit": commit}
    return old.work  # type: ignore[no-any-return]  # as it was stored


def _own_id(task_id: str, old_id: str, new_id: str) -> str:
    return new_id + task_id.removeprefix(old_id)
