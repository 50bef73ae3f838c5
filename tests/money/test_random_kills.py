"""Random runs, kills and faults: the ledger says what the model's bill says, or more and says so; no cap is passed.

Every run draws another plan; `MONEY_SEED=n` plays one again.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from claude_pool_gh.rehearsal.model import ScriptedModel
from tests import ours
from tests.agent.bench import alive, gone_within
from tests.forked import Forked, Program
from tests.money.books import (
    Books,
    Tally,
    check_caps,
    check_report,
    check_requests,
    check_tree,
    overdrawn,
)
from tests.money.jobs import Job, Teller, draw
from tests.money.spender import spend

ROOT: Final = Path(__file__).resolve().parents[2]
_SLOTS: Final = 3
_REFUSED: Final = re.compile(
    r"the cap per (task|chain|pool and month) of \$\d+\.\d{2,6} has \$\d+\.\d{2,6} left, "
    r"asked for \$\d+\.\d{2,6}(; .*)?$"
    r"|the money set aside for this run, \$\d+\.\d{2,6}, has \$\d+\.\d{2,6} left, which does not pay for "
    r"another request"
)
_READ_ON: Final = 1.0


@dataclass
class Life:
    """The spender's process, with its deaths."""

    folder: Path
    model: ScriptedModel
    budget: int
    deaths: list[int] = field(default_factory=list)
    looks: int = 0
    process: Forked | None = field(default=None)

    @property
    def store(self) -> Path:
        return self.folder / "state" / "pool.sqlite"

    def begin(self) -> None:
        environment = ours.environment(
            HOME=str(self.folder / "home"), TMPDIR=str(self.folder / "tmp")
        )
        spender = Program(
            spend, (str(self.folder),), environment, self.folder / "log", folder=self.folder
        )
        self.process = spender.start()

    async def die(self) -> None:
        """kill -9, and a new life, unless it has come to its end before."""
        assert self.process is not None
        if self.process.returncode is None:
            self.deaths.append(time.time_ns() // 1_000_000)
            self.process.kill()
            await self.process.wait()
            self.begin()

    async def end(self) -> None:
        """Whatever happened: no spender is left behind."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def over(self) -> bool:
        """Look whether it has ended, and whether the money is in order meanwhile."""
        assert self.process is not None
        self.looks += 1
        assert not (wrong := overdrawn(self.store, self.budget)), wrong
        await asyncio.sleep(0.1)
        return self.process.returncode is not None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-6000:]


async def _live(life: Life, rng: Random, kills: int, requests: int) -> None:
    """Let the spender spend, and die at random moments: told by the requests it has made, and a little time."""
    moments = sorted(rng.randrange(2, requests * 2 // 3) for _ in range(kills))
    life.begin()
    while not await life.over():
        if moments and len(life.model.requests) >= moments[0]:
            del moments[0]
            await asyncio.sleep(rng.uniform(0, 0.5))
            await life.die()
            if rng.random() < 0.3:  # and again, perhaps while it is still starting
                await asyncio.sleep(rng.uniform(0.1, 1.5))
                await life.die()
    assert life.process is not None
    assert life.process.returncode == 0, life.log


async def _spend(folder: Path, runs: int, kills: int, seed: int) -> Tally:
    print(f"MONEY_SEED={seed}")  # noqa: T201 - shown where the test fails
    rng = Random(seed)  # noqa: S311 - to be drawn again
    jobs, budget = draw(rng, runs * 3 // 5), 100_000 * runs
    teller = Teller.of(seed, jobs)
    async with ScriptedModel.start(teller) as model:
        (folder / "orders.json").write_text(json.dumps(_orders(model.url, jobs, runs, budget)))
        life = Life(folder, model, budget)
        try:
            await _live(life, rng, kills, runs)
        except BaseException:
            print(life.log)  # noqa: T201
            raise
        finally:
            await life.end()
    assert gone_within(str(folder / "tmp"), 5), alive(str(folder / "tmp"))
    report = json.loads((folder / "report.json").read_text())
    books = Books.read(life.store)
    check_tree(books)
    check_caps(books, budget)
    hasty = {mark for job in jobs for mark in job.hasty}
    tally = check_requests(books, teller.asked, model.bill, life.deaths, hasty)
    check_report(books, report, budget)
    _check_refusals(report, budget)
    begun = len(books.of("task"))
    counts = (
        f"{begun} runs, {len(teller.asked)} requests, {len(life.deaths)} deaths, {life.looks} looks"
    )
    print(counts, tally)  # noqa: T201
    assert begun >= runs
    assert len(life.deaths) >= kills
    assert tally.reported > 0
    return tally


def _orders(url: str, jobs: list[Job], runs: int, budget: int) -> dict[str, Any]:
    config = {
        "budget_microdollars": budget,
        "task_budget_usd": 0.6,
        "chain_budget_usd": 0.9,
        "timeout_secs": 30,
        "retry_delay_secs": 0.1,
        "supervisor_interval_secs": 1,  # a busy machine may not start a CLI within a short timeout
        "max_restarts": 1000,
        "unattended_mode": True,
    }
    return {
        "model": url,
        "jobs": [job.told() for job in jobs],
        "config": config,
        "runs": runs,
        "slots": _SLOTS,
        "read_on": _READ_ON,
    }


def _check_refusals(report: dict[str, Any], budget: int) -> None:
    """The pool's cap ended it, and whoever was refused was told which cap it was."""
    for refusal in report["refused"]:
        assert refusal["cap"] == "pool and month"
        assert f"the cap per pool and month of ${budget / 1e6:.2f} has $" in refusal["text"]
        assert refusal["left"] < refusal["asked"]
    for task in report["tasks"]:
        result = task["result"]
        assert result["budget_exceeded"] == (result["ending"] == "out_of_budget")
        if result["budget_exceeded"]:
            assert _REFUSED.match(result["reason"]), result


def _seed() -> int:
    return int(os.environ.get("MONEY_SEED") or secrets.randbelow(10**6))


@pytest.mark.timeout(900)
async def test_the_ledger_is_the_models_bill_whatever_happens(folder: Path) -> None:
    await _spend(folder, 16, 2, _seed())


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_the_same_with_five_hundred_runs(folder: Path) -> None:
    tally = await _spend(folder, 500, 40, _seed())
    assert min(tally.bounds, tally.free) > 0, "of so many draws some are of either kind"
