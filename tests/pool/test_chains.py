"""Chains, steps and tasks as rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from claude_pool_gh.pool import chains, ledger
from claude_pool_gh.pool.errors import CapReached, IllegalTransition, UnknownChain
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.plan import AgentRun
from claude_pool_gh.pool.ports import AgentOutcome, Ending
from claude_pool_gh.pool.states import ChainState, TaskState
from claude_pool_gh.storage import Database, Transaction
from tests.pool.make import NOW, account, caps, plan

Run = Callable[[Callable[[Transaction], Any]], Any]
CLEAN = Outcome(verdict=Verdict.clean)


@pytest.fixture
def run(database: Database) -> Run:
    def run(work: Callable[[Transaction], Any]) -> Any:
        with database.engine.begin() as tx:
            return work(tx)

    return run


@pytest.fixture
def chain(run: Run) -> chains.ChainRecord:
    assert run(lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW)) is True
    record: chains.ChainRecord = run(lambda tx: chains.get(tx, "c"))
    return record


@pytest.fixture
def task(run: Run, chain: chains.ChainRecord) -> chains.TaskRecord:
    """A task in its first attempt, with its money."""
    run(lambda tx: chains.add_task(tx, "c", find(chain), 0, "a.py", NOW))
    started: chains.TaskRecord = run(
        lambda tx: chains.begin_task(tx, chains.tasks_of(tx, "c")[0], 3, NOW + 1)
    )
    run(lambda tx: ledger.reserve_task(tx, started.run_id, "c", "find", most=10, least=1, now_ms=NOW))
    run(lambda tx: ledger.reserve_request(tx, "r1", started.run_id, "m", 4, NOW))
    return started


def find(chain: chains.ChainRecord) -> AgentRun:
    step = chain.plan.steps[1]
    assert isinstance(step, AgentRun)
    return step


def test_a_chain_is_read_as_it_was_made(chain: chains.ChainRecord) -> None:
    assert (chain.id, chain.state, chain.outcome, chain.parked_for) == ("c", ChainState.queued, None, None)
    assert (chain.plan, chain.account, chain.caps) == (plan(), account(), caps())
    assert (chain.created_ms, chain.started_ms, chain.ended_ms, chain.generation) == (NOW, None, None, 0)
    assert [(step.id, step.name, step.state) for step in chain.steps] == [
        ("c.brief", "brief", TaskState.pending),
        ("c.find", "find", TaskState.pending),
    ]
    assert (chain.next_step, chain.results, chain.cancel_requested) == (0, {}, False)


def test_a_chain_is_made_once(run: Run, chain: chains.ChainRecord) -> None:
    assert run(lambda tx: chains.create(tx, "c", plan("other"), account("x"), caps(), NOW + 9)) is False
    assert run(lambda tx: chains.get(tx, "c")) == chain
    assert run(lambda tx: ledger.cap_uses(tx, account(), caps(), NOW))[0].used == 30


def test_a_chain_without_money_is_not_made(run: Run) -> None:
    with pytest.raises(CapReached):
        run(lambda tx: chains.create(tx, "c", plan(), account(), caps(thread=29), NOW))
    with pytest.raises(UnknownChain, match="no chain has the id 'c'"):
        run(lambda tx: chains.get(tx, "c"))


def test_steps_finish_in_order_and_keep_their_results(run: Run, chain: chains.ChainRecord) -> None:
    brief = chain.steps[0]
    run(lambda tx: chains.begin(tx, chain, NOW + 5))
    run(lambda tx: chains.begin_step(tx, brief, NOW + 6))
    run(lambda tx: chains.complete_step(tx, brief, {"a": [1]}, NOW + 7))
    now = run(lambda tx: chains.get(tx, "c"))
    assert (now.state, now.started_ms, now.next_step, now.results) == (
        "running",
        NOW + 5,
        1,
        {"brief": {"a": [1]}},
    )
    assert (now.steps[0].started_ms, now.steps[0].ended_ms) == (NOW + 6, NOW + 7)
    with pytest.raises(IllegalTransition):
        run(lambda tx: chains.complete_step(tx, brief, {"a": [2]}, NOW + 8))
    assert run(lambda tx: chains.get(tx, "c")) == now


def test_a_step_whose_process_died_goes_on(run: Run, chain: chains.ChainRecord) -> None:
    run(lambda tx: chains.begin_step(tx, chain.steps[0], NOW + 6))
    again = run(lambda tx: chains.get(tx, "c")).steps[0]
    run(lambda tx: chains.begin_step(tx, again, NOW + 9))
    assert run(lambda tx: chains.get(tx, "c")).steps[0].started_ms == NOW + 6
    run(lambda tx: chains.fail_step(tx, again, NOW + 9))
    assert run(lambda tx: chains.get(tx, "c")).steps[0].state is TaskState.failed


def test_a_chain_ends_once_and_closes_its_money(
    run: Run, chain: chains.ChainRecord, task: chains.TaskRecord
) -> None:
    run(lambda tx: ledger.settle_request(tx, "r1", 3, NOW))
    run(lambda tx: chains.begin(tx, chain, NOW))
    running = run(lambda tx: chains.get(tx, "c"))
    run(lambda tx: chains.finish(tx, running, CLEAN, NOW + 9))
    done = run(lambda tx: chains.get(tx, "c"))
    assert (done.state, done.outcome, done.ended_ms) == (ChainState.done, CLEAN, NOW + 9)
    assert run(lambda tx: ledger.cap_uses(tx, account(), caps(), NOW))[0].used == 3
    for stale in (running, done):
        again = partial(chains.finish, chain=stale, outcome=Outcome(verdict=Verdict.failed), now_ms=NOW + 10)
        with pytest.raises(IllegalTransition):
            run(again)
    assert run(lambda tx: chains.get(tx, "c")) == done
    assert task.run_id == "c.find.0.1"


def test_unfinished_chains_are_those_queued_and_running_oldest_first(run: Run) -> None:
    for number, name in enumerate(["new", "old", "done"]):
        new: dict[str, Any] = {
            "chain_id": name,
            "plan": plan(),
            "account": account(),
            "caps": caps(),
            "now_ms": NOW - number,
        }
        run(partial(chains.create, **new))
    run(lambda tx: chains.begin(tx, chains.get(tx, "old"), NOW))
    run(lambda tx: chains.finish(tx, chains.get(tx, "done"), CLEAN, NOW))
    assert run(chains.unfinished) == [("old", 0), ("new", 0)]


def test_a_hand_over_is_claimed_by_one(run: Run, chain: chains.ChainRecord) -> None:
    assert run(lambda tx: chains.next_generation(tx, "c", 0)) is True
    assert run(lambda tx: chains.next_generation(tx, "c", 0)) is False
    assert run(lambda tx: chains.next_generation(tx, "c", 1)) is True
    assert run(lambda tx: chains.get(tx, chain.id)).generation == 2


def test_a_task_is_added_once_and_read_in_order(run: Run, chain: chains.ChainRecord) -> None:
    for shard, title in ((1, "b"), (0, "a"), (0, "again")):
        run(partial(chains.add_task, chain_id="c", step=find(chain), shard=shard, title=title, now_ms=NOW))
    found = run(lambda tx: chains.tasks_of(tx, "c", "find"))
    assert [(one.id, one.title, one.attempt, one.state) for one in found] == [
        ("c.find.0", "a", 0, TaskState.pending),
        ("c.find.1", "b", 0, TaskState.pending),
    ]
    assert run(lambda tx: chains.tasks_of(tx, "c", "brief")) == []


def test_an_attempt_has_its_own_number_and_slot(task: chains.TaskRecord) -> None:
    assert (task.attempt, task.slot, task.state, task.started_ms) == (1, 3, TaskState.running, NOW + 1)


def test_a_task_that_is_given_back_has_its_money_closed_and_starts_anew(
    run: Run, task: chains.TaskRecord
) -> None:
    run(lambda tx: chains.return_task(tx, task, NOW + 2))
    [waiting] = run(lambda tx: chains.tasks_of(tx, "c"))
    assert (waiting.state, waiting.slot, waiting.attempt) == (TaskState.pending, None, 1)
    assert run(lambda tx: ledger.cost_of(tx, task.run_id)) == (4, True)
    again = run(lambda tx: chains.begin_task(tx, waiting, 0, NOW + 3))
    assert (again.run_id, again.started_ms) == ("c.find.0.2", NOW + 3)
    with pytest.raises(IllegalTransition):
        run(lambda tx: chains.begin_task(tx, waiting, 1, NOW + 4))


@pytest.mark.parametrize("ending", list(Ending))
def test_every_ending_of_a_run_is_a_state_of_its_task(
    run: Run, task: chains.TaskRecord, ending: Ending
) -> None:
    outcome = AgentOutcome(ending=ending, reason="why", structured={"a": 1}, transcript=({"b": 2},), turns=4)
    run(lambda tx: chains.end_task(tx, task, outcome, NOW + 5))
    [ended] = run(lambda tx: chains.tasks_of(tx, "c"))
    known = {Ending.completed: TaskState.completed, Ending.cancelled: TaskState.cancelled}
    assert ended.state is known.get(ending, TaskState.failed)
    assert (ended.outcome["ending"], ended.outcome["reason"], ended.outcome["structured"]) == (
        ending,
        "why",
        {"a": 1},
    )
    assert (ended.slot, ended.ended_ms) == (None, NOW + 5)
    assert run(lambda tx: chains.transcript(tx, task.id)) == [{"b": 2}]
    assert run(lambda tx: ledger.left_in(tx, "c")) == 26
    with pytest.raises(IllegalTransition):
        run(lambda tx: chains.end_task(tx, task, outcome, NOW + 6))


def test_a_task_without_a_transcript_has_an_empty_one(run: Run, task: chains.TaskRecord) -> None:
    assert run(lambda tx: chains.transcript(tx, task.id)) == []
    assert run(lambda tx: chains.transcript(tx, "nobody")) == []
