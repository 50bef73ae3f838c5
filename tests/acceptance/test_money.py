"""Money in the open: every cap, who may raise it, and what was spent on what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World, world

CONFIG = ".github/claude-pool.yml"


@pytest.mark.parametrize(
    ("config", "server", "says"),
    [
        (
            "budget: {chain: 2, thread: 1}",
            {},
            (
                "the cap per thread of $1.00 has $1.00 left. Anyone who can change the "
                "default branch can raise it: `budget.thread` in `.github/claude-pool.yml`, in dollars."
            ),
        ),
        (
            "budget: {chain: 2, user_day: 1}",
            {},
            (
                "the cap per user and day of $1.00 has $1.00 left. Anyone who can "
                "change the default branch can raise it: `budget.user_day` in"
            ),
        ),
        (
            "budget: {chain: 2, repository_month: 1}",
            {},
            (
                "the cap per repository and month of $1.00 has $1.00 left. "
                "Anyone who can change the default branch can raise it: `budget.repository_month` in"
            ),
        ),
        (
            "budget: {chain: 2}",
            {"CLAUDE_POOL_BUDGET_USD": "1"},
            (
                "the cap per pool and month of $1.00 has $1.00 left. "
                "Only the server's operator can raise it, with `CLAUDE_POOL_BUDGET_USD`."
            ),
        ),
    ],
    ids=["thread", "user", "repository", "pool"],
)
async def test_a_refusal_says_which_cap_who_may_raise_it_and_how(
    tmp_path: Path, config: str, server: dict[str, str], says: str
) -> None:
    async with world(tmp_path, more=server) as here:
        here.repository.commit("main", {CONFIG: f"{config}\n"}, author=here.maintainer)
        await here.say("/pool ask why?")
        said = await here.said("Nothing was run: it would need $2.00")
        assert says in said
        assert "To run within what is left: `/pool ask why? --budget 1.00`" in said
        assert here.model.requests == []


async def test_the_bill_the_warning_and_the_tables(here: World) -> None:
    here.model.script = Colleague()
    config = "budget: {chain: 0.9, task: 0.5, thread: 1}\n"
    here.repository.commit("main", {CONFIG: config}, author=here.maintainer)
    await here.say("/pool ask why?")
    await here.shows("ask", "⚠️ 90 % of the cap per thread ($1.00) is used or reserved.")
    shown = await here.shows("ask", "### ✅ Answered")
    assert "| **this run** | **$0.0" in shown
    assert "⚠️" not in shown, "what was only set aside has come free"
    await here.say("/pool cost")
    cost = await here.said("This repository has spent")
    assert f"**${here.ledger / 1e6:.2f}**" in cost or f"**${here.ledger / 1e6:.4f}**" in cost
    for row in (
        "| `ask` | 1 | $",
        "| `claude-sonnet-5-5` | 1 | $",
        "| `mona` | 1 | $",
        "| thread | $",
    ):
        assert row in cost
    assert "| `2" in cost, "by week"
