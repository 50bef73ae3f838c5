"""A store with a chain of the bot's, as far as a test brings it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.outcomes import Outcome
from claude_pool_gh.pool.model.plan import AgentRun, HostCall
from claude_pool_gh.pool.model.ports import AgentOutcome, Ending
from claude_pool_gh.pool.store import chains, ledger, steps, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.conversation import rows
from tests.pool.make import NOW, account, plan

STEPS = (HostCall(name="brief", call="review.brief"), AgentRun(name="find", prompt="p"))
DOLLAR = 1_000_000
CAPS = Caps(task=10 * DOLLAR, chain=30 * DOLLAR)


def database_in(folder: Path) -> Database:
    opened = Database.open(f"sqlite:///{folder}/pool.sqlite")
    migrations.upgrade(opened.engine)
    return opened


@dataclass(frozen=True)
class Seeded:
    """One chain, moved within a transaction."""

    tx: Transaction
    id: str = "c0ffee0000"

    def queued(self) -> Seeded:
        planned = plan().model_copy(
            update={"steps": STEPS, "context": rows.facts().model_dump(mode="json")}
        )
        assert chains.create(self.tx, self.id, planned, account(), CAPS, NOW)
        return self

    @property
    def row(self) -> ChainRow:
        return chains.get(self.tx, self.id)

    def begun(self) -> Seeded:
        chains.begin(self.tx, self.queued().row, NOW + 1_000)
        return self

    def briefed(self) -> Seeded:
        brief = self.begun().row.steps[0]
        steps.begin(self.tx, brief, NOW + 1_000)
        steps.complete(self.tx, brief, {"a": 1}, NOW + 2_000)
        steps.begin(self.tx, self.row.steps[1], NOW + 2_000)
        return self

    def running(self, shard: int = 0, title: str = "part 1 of 1") -> TaskRow:
        """A run of the agent's step."""
        name = f"{self.id}.find.{shard}"
        assert tasks.add(self.tx, name, self.id, "find", shard, title, NOW + 2_000)
        return self.again(tasks.get(self.tx, name))

    def again(self, task: TaskRow) -> TaskRow:
        """Its next attempt, with money of its own."""
        run = tasks.begin(self.tx, task, "s1", "claude-m", NOW + 3_000)
        ledger.reserve_task(
            self.tx, run.run_id, self.id, "find", most=10 * DOLLAR, least=1, now_ms=NOW
        )
        return run

    def paid(self, run: TaskRow, microdollars: int, *, settled: bool = True) -> None:
        """One request to the model; one that is not settled may have cost as much."""
        request = f"{run.run_id}-{microdollars}"
        assert ledger.reserve_request(self.tx, request, run.run_id, run.model, microdollars, NOW)
        if settled:
            ledger.settle_request(self.tx, request, microdollars, NOW)

    def over(self, run: TaskRow, ending: Ending = Ending.completed, **more: Any) -> None:
        given: dict[str, Any] = {"ending": ending, "elapsed_ms": 1_500, "text": "said"}
        tasks.end(self.tx, run, AgentOutcome(**given | more), NOW + 5_000)

    def done(self, outcome: Outcome, ended_ms: int = NOW + 61_000) -> None:
        chains.finish(self.tx, self.row, outcome, ended_ms)
