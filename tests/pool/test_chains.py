"""Chains, steps and tasks as rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from claude_pool_gh.pool.model.errors import (
    CapReached,
    IllegalTransition,
    Superseded,
    UnknownChain,
    UnknownTask,
)
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import AgentOutcome, CapturedChange, Ending
from claude_pool_gh.pool.model.states import ChainState, StepState, TaskEvent, TaskState
from claude_pool_gh.pool.store import cap_uses, chains, costs, ledger, queue, steps, tasks
from claude_pool_gh.pool.store.chains import NewChain
from claude_pool_gh.pool.store.queue import Claim
from claude_pool_gh.pool.store.tasks import TaskRow
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
def chain(run: Run) -> chains.ChainRow:
    assert run(lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW)) is True
    record: chains.ChainRow = run(lambda tx: chains.get(tx, "c"))
    return record


@pytest.fixture
def task(run: Run, chain: chains.ChainRow) -> TaskRow:
    """A task in its first attempt, with its money."""
    run(lambda tx: tasks.add(tx, f"{chain.id}.find.0", chain.id, "find", 0, "a.py", NOW))
    started: TaskRow = run(
        lambda tx: tasks.begin(tx, tasks.of_chain(tx, "c")[0], "slot-3", "m", NOW + 1)
    )
    run(
        lambda tx: ledger.reserve_task(
            tx, started.run_id, "c", "find", most=10, least=1, now_ms=NOW
        )
    )
    run(lambda tx: ledger.reserve_request(tx, "r1", started.run_id, "m", 4, NOW))
    return started


def test_a_chain_is_read_as_it_was_made(chain: chains.ChainRow) -> None:
    assert (chain.id, chain.state, chain.outcome, chain.parked_for) == (
        "c",
        ChainState.queued,
        None,
        None,
    )
    assert (chain.plan, chain.account, chain.caps) == (plan(), account(), caps())
    assert (chain.created_ms, chain.started_ms, chain.ended_ms, chain.generation) == (
        NOW,
        None,
        None,
        0,
    )
    assert [(step.id, step.name, step.state) for step in chain.steps] == [
        ("c.brief", "brief", StepState.pending),
        ("c.find", "find", StepState.pending),
    ]
    assert (chain.next_step, chain.results, chain.cancel_requested) == (0, {}, False)


def test_a_chain_is_made_once(run: Run, chain: chains.ChainRow) -> None:
    assert (
        run(lambda tx: chains.create(tx, "c", plan("other"), account("x"), caps(), NOW + 9))
        is False
    )
    assert run(lambda tx: chains.get(tx, "c")) == chain
    assert run(lambda tx: cap_uses.cap_uses(tx, account(), caps(), NOW))[0].used == 30


def test_a_chain_without_money_is_not_made(run: Run) -> None:
    with pytest.raises(CapReached):
        run(lambda tx: chains.create(tx, "c", plan(), account(), caps(thread=29), NOW))
    with pytest.raises(UnknownChain, match="no chain has the id 'c'"):
        run(lambda tx: chains.get(tx, "c"))


def test_steps_finish_in_order_and_keep_their_results(run: Run, chain: chains.ChainRow) -> None:
    brief = chain.steps[0]
    run(lambda tx: chains.begin(tx, chain, NOW + 5))
    run(lambda tx: steps.begin(tx, brief, NOW + 6))
    run(lambda tx: steps.complete(tx, brief, {"a": [1]}, NOW + 7))
    now = run(lambda tx: chains.get(tx, "c"))
    assert (now.state, now.started_ms, now.next_step, now.results) == (
        "running",
        NOW + 5,
        1,
        {"brief": {"a": [1]}},
    )
    assert (now.steps[0].started_ms, now.steps[0].ended_ms) == (NOW + 6, NOW + 7)
    with pytest.raises(IllegalTransition):
        run(lambda tx: steps.complete(tx, brief, {"a": [2]}, NOW + 8))
    assert run(lambda tx: chains.get(tx, "c")) == now


def test_a_step_whose_process_died_goes_on(run: Run, chain: chains.ChainRow) -> None:
    run(lambda tx: steps.begin(tx, chain.steps[0], NOW + 6))
    again = run(lambda tx: chains.get(tx, "c")).steps[0]
    run(lambda tx: steps.begin(tx, again, NOW + 9))
    assert run(lambda tx: chains.get(tx, "c")).steps[0].started_ms == NOW + 6
    run(lambda tx: steps.fail(tx, again, NOW + 9))
    assert run(lambda tx: chains.get(tx, "c")).steps[0].state is StepState.failed


def test_a_chain_ends_once_and_closes_its_money(
    run: Run, chain: chains.ChainRow, task: TaskRow
) -> None:
    run(lambda tx: ledger.settle_request(tx, "r1", 3, NOW))
    run(lambda tx: chains.begin(tx, chain, NOW))
    running = run(lambda tx: chains.get(tx, "c"))
    run(lambda tx: chains.finish(tx, running, CLEAN, NOW + 9))
    done = run(lambda tx: chains.get(tx, "c"))
    assert (done.state, done.outcome, done.ended_ms) == (ChainState.done, CLEAN, NOW + 9)
    assert run(lambda tx: cap_uses.cap_uses(tx, account(), caps(), NOW))[0].used == 3
    for stale in (running, done):
        again = partial(
            chains.finish, chain=stale, outcome=Outcome(verdict=Verdict.failed), now_ms=NOW + 10
        )
        with pytest.raises(IllegalTransition):
            run(again)
    assert run(lambda tx: chains.get(tx, "c")) == done
    assert run(lambda tx: tasks.get(tx, task.id)).state is TaskState.cancelled, (
        "nobody will end it any more"
    )


def begin(run: Run, name: str) -> None:
    run(lambda tx: chains.begin(tx, chains.get(tx, name), NOW))


def queued(run: Run, *names: str, **more: Any) -> None:
    """Chains without their money, each made a millisecond before the one named before it."""
    for age, name in enumerate(names):
        new = NewChain(id=name, plan=plan(), account=account(), caps=caps(), **more)
        assert run(partial(chains.add, new=new, now_ms=NOW - age)) is True


def claim_of(name: str, generation: int, age: int = 0) -> Claim:
    return Claim(name, generation, 0, (NOW - age, 0))


def test_the_queue_is_taken_by_priority_then_by_age_then_by_place(run: Run) -> None:
    queued(run, "last", "begun", priority=1)
    queued(run, "third", "first")
    queued(run, "fourth", place=1)
    queued(run, "second", place=-1)
    begin(run, "begun")
    order = [run(lambda tx: queue.claim(tx, "w")) for _ in range(6)]
    names = ["first", "second", "third", "fourth", "last"]
    assert [claim and claim.chain_id for claim in order] == [*names, None]
    assert sorted(order[:-1], key=lambda claim: (claim.priority, claim.since)) == order[:-1]
    assert run(lambda tx: chains.get(tx, "first")).owner == "w"


def test_one_pool_takes_nothing_of_another(run: Run) -> None:
    queued(run, "theirs", pool="other")
    assert run(lambda tx: queue.claim(tx, "w")) is None
    assert run(lambda tx: queue.claim(tx, "w", pool="other")) == claim_of("theirs", 1)
    assert run(lambda tx: queue.orphans(tx, [])) == []
    assert run(lambda tx: queue.orphans(tx, [], pool="other")) == [("theirs", 1)]


def test_no_more_are_claimed_than_all_workers_may_carry_together(run: Run) -> None:
    queued(run, "c", "b", "a")
    claims = [run(partial(queue.claim, worker=worker, at_most=2)) for worker in ("v", "w", "w")]
    assert claims == [claim_of("a", 1, age=2), claim_of("b", 1, age=1), None]
    run(lambda tx: chains.finish(tx, chains.get(tx, "a"), CLEAN, NOW))
    assert run(lambda tx: queue.claim(tx, "w", at_most=2)) == claim_of("c", 1)


def test_a_hand_over_is_claimed_by_one(run: Run, chain: chains.ChainRow) -> None:
    assert run(lambda tx: queue.take(tx, "c", 0, "v")) == Claim("c", 1)
    assert run(lambda tx: queue.take(tx, "c", 0, "w")) is None
    assert run(lambda tx: queue.take(tx, "c", 1, "w")) == Claim("c", 2)
    now = run(lambda tx: chains.get(tx, chain.id))
    assert (now.generation, now.owner) == (2, "w")


def test_only_the_newest_carrier_may_write(run: Run, chain: chains.ChainRow) -> None:
    run(lambda tx: queue.take(tx, chain.id, 0, "v"))
    run(lambda tx: chains.hold(tx, chain.id, 1))
    run(lambda tx: queue.take(tx, chain.id, 1, "w"))
    with pytest.raises(Superseded):
        run(lambda tx: chains.hold(tx, chain.id, 1))


def test_what_is_parked_or_done_is_taken_by_nobody(run: Run) -> None:
    queued(run, "parked", "done")
    for name in ("parked", "done"):
        run(
            partial(ledger.reserve_chain, chain_id=name, account=account(), caps=caps(), now_ms=NOW)
        )
        begin(run, name)
    run(lambda tx: chains.park(tx, chains.get(tx, "parked"), "approval"))
    run(lambda tx: chains.finish(tx, chains.get(tx, "done"), CLEAN, NOW))
    assert [
        run(partial(queue.take, chain_id=name, generation=0, worker="w"))
        for name in ("parked", "done")
    ] == [
        None,
        None,
    ]
    assert run(lambda tx: queue.claim(tx, "w")) is None
    assert run(lambda tx: queue.orphans(tx, [])) == []


def test_orphans_are_the_unfinished_whose_carrier_is_gone_oldest_first(run: Run) -> None:
    queued(run, "free", "alive", "young", "old", "done", "nobodys")
    for name, worker in (("alive", "v"), ("young", "w"), ("old", "w"), ("done", "w")):
        run(partial(queue.take, chain_id=name, generation=0, worker=worker))
    for name in ("old", "done", "nobodys"):
        begin(run, name)
    run(lambda tx: chains.finish(tx, chains.get(tx, "done"), CLEAN, NOW))
    assert run(lambda tx: queue.orphans(tx, ["v"])) == [("nobodys", 0), ("old", 1), ("young", 1)]
    assert run(lambda tx: queue.orphans(tx, ["v", "w"])) == [("nobodys", 0)]
    assert run(lambda tx: queue.carried_by(tx, "w")) in (
        [("old", 1), ("young", 1)],
        [("young", 1), ("old", 1)],
    )


def test_a_worker_counts_its_beats_until_it_leaves(run: Run) -> None:
    for worker in ("v", "w", "w"):
        run(partial(queue.beat, worker=worker, now_ms=NOW))
    assert run(queue.beats) == {"v": 1, "w": 2}
    run(lambda tx: queue.leave(tx, "w"))
    assert run(queue.beats) == {"v": 1}


@pytest.mark.usefixtures("chain")
def test_a_task_is_added_once_and_read_in_order(run: Run) -> None:
    for shard, title in ((1, "b"), (0, "a"), (0, "again")):
        add = partial(tasks.add, task_id=f"c.find.{shard}", chain_id="c", step="find", shard=shard)
        run(partial(add, title=title, now_ms=NOW))
    found = run(lambda tx: tasks.of_chain(tx, "c", "find"))
    assert [(one.id, one.title, one.attempt, one.state) for one in found] == [
        ("c.find.0", "a", 0, TaskState.pending),
        ("c.find.1", "b", 0, TaskState.pending),
    ]
    assert run(lambda tx: tasks.of_chain(tx, "c", "brief")) == []


def test_an_attempt_has_its_own_number_and_slot(task: TaskRow) -> None:
    assert (task.attempt, task.slot, task.state, task.started_ms) == (
        1,
        "slot-3",
        TaskState.running,
        NOW + 1,
    )
    assert (task.model, task.run_id) == ("m", "c.find.0.1")


def test_a_task_that_is_given_back_has_its_money_closed_and_starts_anew(
    run: Run, task: TaskRow
) -> None:
    run(lambda tx: tasks.give_back(tx, task, NOW + 2))
    [waiting] = run(lambda tx: tasks.of_chain(tx, "c"))
    assert (waiting.state, waiting.slot, waiting.attempt) == (TaskState.pending, None, 1)
    assert run(lambda tx: costs.cost_of(tx, task.run_id)) == (4, True)
    again = run(lambda tx: tasks.begin(tx, waiting, "slot-0", "m", NOW + 3))
    assert (again.run_id, again.started_ms) == ("c.find.0.2", NOW + 3)
    with pytest.raises(IllegalTransition):
        run(lambda tx: tasks.begin(tx, waiting, "slot-1", "m", NOW + 4))


@pytest.mark.parametrize("ending", list(Ending))
def test_every_ending_of_a_run_is_a_state_of_its_task(
    run: Run, task: TaskRow, ending: Ending
) -> None:
    outcome = AgentOutcome(
        ending=ending, reason="why", structured={"a": 1}, transcript=({"b": 2},), turns=4
    )
    run(lambda tx: tasks.end(tx, task, outcome, NOW + 5))
    [ended] = run(lambda tx: tasks.of_chain(tx, "c"))
    known = {Ending.completed: TaskState.completed, Ending.cancelled: TaskState.cancelled}
    assert ended.state is known.get(ending, TaskState.failed)
    assert (ended.outcome["ending"], ended.outcome["reason"], ended.outcome["structured"]) == (
        ending,
        "why",
        {"a": 1},
    )
    assert (ended.slot, ended.ended_ms) == ("slot-3", NOW + 5), "where it ran is still to be read"
    assert run(lambda tx: tasks.transcript(tx, task.id)) == [{"b": 2}]
    assert run(lambda tx: ledger.left_in(tx, "c")) == 26
    with pytest.raises(IllegalTransition):
        run(lambda tx: tasks.end(tx, task, outcome, NOW + 6))


def test_a_task_without_a_transcript_has_an_empty_one(run: Run, task: TaskRow) -> None:
    assert run(lambda tx: tasks.transcript(tx, task.id)) == []
    assert run(lambda tx: tasks.transcript(tx, "nobody")) == []


def test_a_success_that_waits_for_approval_is_completed_by_it(run: Run, task: TaskRow) -> None:
    done = AgentOutcome(ending=Ending.completed, text="see")
    run(lambda tx: tasks.end(tx, task, done, NOW + 5, review=True))
    assert run(lambda tx: tasks.get(tx, task.id)).state is TaskState.pending_review
    run(lambda tx: tasks.decide(tx, "c", "find", TaskEvent.approve))
    assert run(lambda tx: tasks.get(tx, task.id)).state is TaskState.completed


def test_a_failure_needs_no_approval(run: Run, task: TaskRow) -> None:
    run(lambda tx: tasks.end(tx, task, AgentOutcome(ending=Ending.failed), NOW + 5, review=True))
    assert run(lambda tx: tasks.get(tx, task.id)).state is TaskState.failed


def test_why_there_is_no_other_attempt_does_not_hide_what_the_last_one_said(
    run: Run, task: TaskRow
) -> None:
    said = AgentOutcome(ending=Ending.failed, reason="first", text="so far", session_id="s")
    run(lambda tx: tasks.give_back(tx, task, NOW + 2, said))
    waiting = run(lambda tx: tasks.get(tx, task.id))
    never = AgentOutcome(ending=Ending.failed, reason="no slot came free")
    run(lambda tx: tasks.end_unstarted(tx, waiting, never, NOW + 3))
    ended = run(lambda tx: tasks.get(tx, task.id))
    assert (ended.state, ended.ended_ms) == (TaskState.failed, NOW + 3)
    kept = {name: ended.outcome[name] for name in ("ending", "reason", "text", "session_id")}
    assert kept == {
        "ending": "failed",
        "reason": "no slot came free",
        "text": "so far",
        "session_id": "s",
    }


def test_a_task_that_is_not_there_is_an_error(run: Run) -> None:
    with pytest.raises(UnknownTask, match="no task has the id 'x'"):
        run(lambda tx: tasks.get(tx, "x"))


def test_what_a_run_changed_is_kept_once_and_read_back_whole(run: Run, task: TaskRow) -> None:
    work = CapturedChange(base="b", commit="c1", patch=b"\x00\xff", digest="d")
    for kept in (work, CapturedChange(base="b", commit="c2", patch=b"", digest="e")):
        run(partial(tasks.keep_work, run_id=task.run_id, chain_id="c", work=kept, now_ms=NOW))
    assert run(lambda tx: tasks.kept_work(tx, task.run_id)) == work
    assert run(lambda tx: tasks.kept_work(tx, "nobody.1")) is None
    assert run(lambda tx: tasks.works_of(tx, [task.run_id, "nobody.1"])) == {task.run_id: "c1"}


# steps and chains that wait for a person


def presented(run: Run, chain: chains.ChainRow) -> chains.StepRow:
    """The second step, laid before a person, with the chain parked."""
    run(lambda tx: chains.begin(tx, chain, NOW))
    for step in chain.steps:
        run(partial(steps.begin, step=step, now_ms=NOW))
    run(lambda tx: steps.complete(tx, chains.get(tx, "c").steps[0], {"a": 1}, NOW))
    run(
        lambda tx: steps.present(
            tx, chains.get(tx, "c").steps[1], [{"b": 2}], {"run": "r", "commit": "k"}
        )
    )
    run(lambda tx: chains.park(tx, chains.get(tx, "c"), "approval"))
    shown: chains.StepRow = run(lambda tx: chains.get(tx, "c")).steps[1]
    assert shown.state is StepState.pending_review
    return shown


def test_what_is_approved_counts_as_finished_with_its_work(
    run: Run, chain: chains.ChainRow
) -> None:
    step = presented(run, chain)
    waiting = run(lambda tx: chains.get(tx, "c"))
    assert (waiting.state, waiting.parked_for, waiting.next_step, waiting.work) == (
        ChainState.parked,
        "approval",
        1,
        None,
    )
    run(lambda tx: steps.approve(tx, step, "c", NOW + 4))
    now = run(lambda tx: chains.get(tx, "c"))
    assert (now.next_step, now.results["find"], now.work) == (
        None,
        [{"b": 2}],
        {"run": "r", "commit": "k"},
    )
    with pytest.raises(IllegalTransition):
        run(lambda tx: steps.approve(tx, step, "c", NOW + 5))


def test_what_is_rejected_runs_again_with_all_feedback_and_at_the_last_has_failed(
    run: Run, chain: chains.ChainRow
) -> None:
    step = presented(run, chain)
    run(lambda tx: steps.reject(tx, step, "c", "shorter", NOW, last=False))
    again = run(lambda tx: chains.get(tx, "c")).steps[1]
    assert (again.state, again.rejections, again.result, again.work) == (
        StepState.pending,
        ("shorter",),
        None,
        None,
    )
    run(lambda tx: steps.begin(tx, again, NOW))
    run(lambda tx: steps.present(tx, again, []))
    shown = run(lambda tx: chains.get(tx, "c")).steps[1]
    run(lambda tx: steps.reject(tx, shown, "c", "longer", NOW, last=True))
    end = run(lambda tx: chains.get(tx, "c")).steps[1]
    assert (end.state, end.rejections) == (StepState.failed, ("shorter", "longer"))


def test_a_skipped_step_is_finished_without_a_result(run: Run, chain: chains.ChainRow) -> None:
    run(lambda tx: steps.skip(tx, chain.steps[0], NOW))
    now = run(lambda tx: chains.get(tx, "c"))
    assert (now.next_step, now.results) == (1, {"brief": None})
    with pytest.raises(IllegalTransition):
        run(lambda tx: steps.skip(tx, chain.steps[0], NOW))


def test_a_parked_chain_lends_its_money_and_takes_it_back(run: Run, chain: chains.ChainRow) -> None:
    presented(run, chain)
    assert run(lambda tx: cap_uses.cap_uses(tx, account(), caps(), NOW))[0].used == 0
    run(lambda tx: chains.unpark(tx, chains.get(tx, "c"), NOW))
    now = run(lambda tx: chains.get(tx, "c"))
    assert (now.state, now.parked_for, now.owner) == (ChainState.queued, None, None)
    assert run(lambda tx: cap_uses.cap_uses(tx, account(), caps(), NOW))[0].used == 30


def test_a_cancel_ends_what_nobody_carries_and_asks_whoever_does(run: Run) -> None:
    queued(run, "waiting", "carried")
    run(lambda tx: queue.take(tx, "carried", 0, "w"))
    assert run(lambda tx: chains.request_cancel(tx, "waiting", NOW)) is True
    ended = run(lambda tx: chains.get(tx, "waiting"))
    assert (ended.state, ended.outcome.verdict) == (ChainState.done, Verdict.cancelled)
    assert {step.state for step in ended.steps} == {StepState.cancelled}
    assert run(lambda tx: chains.request_cancel(tx, "waiting", NOW)) is False
    assert run(lambda tx: chains.request_cancel(tx, "carried", NOW)) is False
    asked = run(lambda tx: chains.get(tx, "carried"))
    assert (asked.state, asked.cancel_requested) == (ChainState.queued, True)


def test_a_cancel_ends_a_parked_chain(run: Run, chain: chains.ChainRow) -> None:
    presented(run, chain)
    assert run(lambda tx: chains.request_cancel(tx, "c", NOW)) is True
    ended = run(lambda tx: chains.get(tx, "c"))
    assert [step.state for step in ended.steps] == [StepState.completed, StepState.cancelled]
    assert ended.outcome.verdict is Verdict.cancelled


def test_tags_are_kept_once_each_in_order(run: Run) -> None:
    queued(run, "c", tags=("z", "a", "z"))
    queued(run, "d")
    assert run(lambda tx: chains.tags_of(tx, ["c", "d"])) == {"c": ("a", "z")}
