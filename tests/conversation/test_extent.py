"""Going on is offered only where it can end otherwise: with so much more money or so many more turns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from claude_pool_gh.conversation.extent import more
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import TaskState

DOLLAR = 1_000_000


def chain(verdict: Verdict, **overrides: Any) -> Any:
    run = AgentRun.model_validate({"name": "find", "prompt": "p", "overrides": overrides})
    plan = SimpleNamespace(steps=(run,), limits=SimpleNamespace(chain=3 * DOLLAR))
    return cast(Any, SimpleNamespace(plan=plan, outcome=SimpleNamespace(verdict=verdict)))


def short_of(dollars: float) -> list[Any]:
    """A task that would have needed so much for its next request."""
    outcome = {"ending": Ending.out_of_budget, "short": int(dollars * DOLLAR)}
    return [SimpleNamespace(state=TaskState.failed, step="find", shard=0, outcome=outcome)]


def test_the_budget_that_is_named_reaches_for_what_was_refused() -> None:
    flags = more(chain(Verdict.out_of_budget), short_of(4), left=None)
    assert flags is not None
    assert flags.startswith(" --budget ")
    assert float(flags.split()[1]) >= 4


@pytest.mark.parametrize(
    ("dollars", "left", "overrides"),
    [
        (4, 3 * DOLLAR, {}),  # another cap has less
        (2_000, None, {}),  # more than a command may ask for
        (4, None, {"max_budget_usd": 2}),  # the step's own cap, which no flag lifts
    ],
)
def test_no_budget_is_named_with_which_it_would_end_the_same_way(
    dollars: float, left: int | None, overrides: dict[str, Any]
) -> None:
    assert more(chain(Verdict.out_of_budget, **overrides), short_of(dollars), left) is None


def test_turns_are_doubled_up_to_the_most_that_may_be_asked_for() -> None:
    assert more(chain(Verdict.out_of_turns, max_turns=40), [], None) == " --turns 80"
    assert more(chain(Verdict.out_of_turns, max_turns=500), [], None) is None
    assert more(chain(Verdict.failed), [], None) == ""
