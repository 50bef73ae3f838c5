"""With which flags a chain that ended early goes on: as much more as it lacked, and nothing that cannot help."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.tracking.extent import more
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.store.tasks import TaskRow
from tests.conversation.rows import DOLLAR, chain, ended, task

BROKE = Outcome(verdict=Verdict.out_of_budget)
TIRED = Outcome(verdict=Verdict.out_of_turns)


def run(name: str = "find", *, share: float = 1.0, **own: Any) -> AgentRun:
    return AgentRun(name=name, prompt="p", share=share, overrides=TaskOverrides(**own))


def short(by: float, step: str = "find", shard: int = 0, **fields: Any) -> TaskRow:
    """A task that would have needed so many dollars to get one request further."""
    outcome = {"ending": Ending.out_of_budget, "short": round(by * DOLLAR)}
    return task(step, shard, **{"state": TaskState.failed, "outcome": outcome} | fields)


def money(*tasks: TaskRow, steps: tuple[Step, ...] = (run(),), left: int | None = None) -> str:
    return str(more(ended(BROKE, *steps, run("one")), tasks, left))


# ---- more money


@pytest.mark.parametrize(
    ("tasks", "flags"),
    [
        pytest.param((short(4),), " --budget 5.00", id="a quarter more than it lacked"),
        pytest.param((short(4.001),), " --budget 5.01", id="whole cents, rounded up"),
        pytest.param((short(1),), " --budget 3.00", id="never less than it had"),
        pytest.param(
            (short(4), short(6, shard=1)), " --budget 15.00", id="for all beside each other"
        ),
        pytest.param((short(6), short(4, shard=1)), " --budget 15.00", id="whichever comes first"),
        pytest.param(
            (short(4), task("check", shard=1)), " --budget 5.00", id="other steps are not beside it"
        ),
        pytest.param((), " --budget 3.00", id="no task was short"),
        pytest.param((task(), short(4, "one")), " --budget 5.00", id="after one that ended well"),
        pytest.param(
            (short(9, "gone"), short(4, "one")),
            " --budget 5.00",
            id="after one that is not planned",
        ),
        pytest.param(
            (short(9, state=TaskState.completed),), " --budget 3.00", id="it has come to its end"
        ),
        pytest.param(
            (task(state=TaskState.failed, outcome={"ending": Ending.failed, "short": 9 * DOLLAR}),),
            " --budget 3.00",
            id="it ended of something else",
        ),
        pytest.param((task(state=TaskState.failed),), " --budget 3.00", id="it says nothing"),
        pytest.param((short(9, step="gone"),), " --budget 3.00", id="a step that is not planned"),
        pytest.param(
            (
                task(
                    state=TaskState.failed, outcome={"ending": Ending.out_of_budget, "short": None}
                ),
            ),
            " --budget 3.00",
            id="nobody knows by how much",
        ),
    ],
)
def test_every_task_whose_money_did_not_reach_is_given_enough(
    tasks: tuple[TaskRow, ...], flags: str
) -> None:
    assert money(*tasks) == flags


def test_a_step_that_may_use_a_part_of_the_budget_needs_a_budget_that_is_larger() -> None:
    assert money(short(4), steps=(run(share=0.5),)) == " --budget 10.00"


def test_a_branch_counts_with_its_own_share() -> None:
    beside = Branches(name="find", branches=(run("a"), run("b", share=0.5)))
    assert money(short(4, shard=1), steps=(beside,)) == " --budget 10.00"
    assert money(short(4, shard=0), steps=(beside,)) == " --budget 5.00"


def test_a_host_step_is_given_nothing() -> None:
    assert money(short(9, "host"), steps=(HostCall(name="host", call="x.y"),)) == " --budget 3.00"


@pytest.mark.parametrize(
    ("by", "cap", "flags"),
    [
        (4, 2.0, "None"),
        (0, 2.0, "None"),
        (2, 2.0, " --budget 3.00"),
        (2.000_001, 2.0, "None"),
        (4, 4.0, " --budget 5.00"),
    ],
    ids=["beyond it", "unknown", "up to it", "a microdollar beyond it", "all of it"],
)
def test_no_flag_lifts_a_cap_that_the_step_itself_sets(by: float, cap: float, flags: str) -> None:
    assert money(short(by), steps=(run(max_budget_usd=cap),)) == flags


@pytest.mark.parametrize(
    ("by", "left", "flags"),
    [
        (4, 5 * DOLLAR, " --budget 5.00"),
        (4, 5 * DOLLAR - 1, "None"),
        (800, None, " --budget 1000.00"),
        (800.01, None, "None"),
    ],
    ids=["all that is left", "more than is left", "the most that is asked for", "beyond that"],
)
def test_what_may_not_be_given_is_not_proposed(by: float, left: int | None, flags: str) -> None:
    assert money(short(by), left=left) == flags


# ---- more turns


@pytest.mark.parametrize(
    ("steps", "flags"),
    [
        ((run(max_turns=10),), " --turns 20"),
        ((run(),), " --turns 60"),
        ((run(max_turns=10), run("check", max_turns=40)), " --turns 80"),
        (
            (Branches(name="b", branches=(run("a", max_turns=7), run("b", max_turns=9))),),
            " --turns 18",
        ),
        ((HostCall(name="host", call="x.y"),), " --turns 60"),
        ((run(max_turns=250),), " --turns 500"),
        ((run(max_turns=300),), " --turns 500"),
        ((run(max_turns=499),), " --turns 500"),
        ((run(max_turns=500),), "None"),
    ],
    ids=[
        "twice as many",
        "of the usual number",
        "of the most that any step has",
        "branches are steps",
        "no agent",
        "up to the most",
        "no more than the most",
        "one more helps",
        "the most is used up",
    ],
)
def test_turns_are_doubled_up_to_the_most(steps: tuple[Step, ...], flags: str) -> None:
    assert str(more(ended(TIRED, *steps), (), None)) == flags


# ---- neither


@pytest.mark.parametrize(
    "verdict", [each for each in Verdict if each not in (BROKE.verdict, TIRED.verdict)]
)
def test_any_other_end_goes_on_as_it_was(verdict: Verdict) -> None:
    assert more(ended(Outcome(verdict=verdict)), (short(9),), 0) == ""


def test_a_chain_without_an_end_needs_no_flags() -> None:
    assert more(chain(), (), None) == ""
