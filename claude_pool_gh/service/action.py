"""The second door: one event of a GitHub Actions job, the same story behind it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.conversation.progress import Progress
from claude_pool_gh.github import intake, tables
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.store import chains, ledger, queries
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.service.house import open_house
from claude_pool_gh.service.settings import Settings, SettingsError, read
from claude_pool_gh.storage import Transaction

_POLL_SECONDS: Final = 0.1
_EVENTS: Final = {"pull_request_target": "pull_request"}
"""What Actions calls otherwise than webhooks do: the same happening, in a job of the base branch."""
_FAILED: Final = frozenset({Verdict.failed, Verdict.out_of_budget, Verdict.out_of_turns, Verdict.quota})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the runner tells a step."""

    event: str
    event_file: Path
    token: str
    output: Path | None
    summary: Path | None

    @classmethod
    def from_environment(cls) -> Job:
        """Read the runner's variables. Raises ValueError naming what is missing."""
        missing = [
            name
            for name in ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_TOKEN")
            if not os.environ.get(name)
        ]
        if missing:
            raise ValueError(
                f"{', '.join(missing)}: not set; this command is meant for a job of GitHub Actions"
            )
        return cls(
            event=os.environ["GITHUB_EVENT_NAME"],
            event_file=Path(os.environ["GITHUB_EVENT_PATH"]),
            token=os.environ["GITHUB_TOKEN"],
            output=_path("GITHUB_OUTPUT"),
            summary=_path("GITHUB_STEP_SUMMARY"),
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the job's commands: the output `outcome`, a title for people, and the bill."""

    word: str
    title: str
    failed: bool = False
    cost: int = 0
    upper_bound: bool = False


async def main() -> int:
    """Handle the job's event; the exit code is 0 unless a command failed or could not finish."""
    try:
        job = Job.from_environment()
        settings = read()
    except SettingsError as error:
        for fault in error.faults:
            print(f"::error::{fault}")  # noqa: T201 - the runner reads it
        return 2
    except ValueError as error:
        print(f"::error::{error}")  # noqa: T201
        return 2
    found = _recognise(job)
    if isinstance(found, intake.NotForUs) or not found.requests:
        why = found.reason if isinstance(found, intake.NotForUs) else "the comment holds no command"
        _report(job, Result("nothing", ""), f"Nothing to do: {why}.")
        return 0
    with tempfile.TemporaryDirectory(prefix="claude-pool-") as folder:
        private = settings.model_copy(update={"state_dir": Path(folder), "database_url": ""})
        result = await _run(private, job, found.requests)
    _report(job, result, f"{result.title} ({dollars(result.cost, upper_bound=result.upper_bound)})")
    return 1 if result.failed else 0


def _recognise(job: Job) -> intake.Found | intake.NotForUs:
    """The commands in the event file. The runner wrote it from GitHub's own event: it needs no signature."""
    payload: dict[str, Any] = json.loads(job.event_file.read_text("utf-8"))
    return intake.recognise(VerifiedDelivery("actions-event", _EVENTS.get(job.event, job.event), payload))


async def _run(settings: Settings, job: Job, found: tuple[intake.CommandRequest, ...]) -> Result:
    async with open_house(settings, door="action", job_token=job.token) as house:
        now = house.clock.now_ms()
        await house.database.transact(lambda tx: [intake.store(tx, request, now) for request in found])
        serving = asyncio.create_task(house.serve_commands())
        showing = asyncio.create_task(house.show_time_for_ever())
        house.wake()
        while not await house.database.read(_all_done):  # noqa: ASYNC110 - the rows are the truth, not an event
            await asyncio.sleep(_POLL_SECONDS)
        serving.cancel()
        showing.cancel()
        await house.writer.drained()
        return await house.database.read(lambda tx: _result(tx, house.progress))


def _all_done(tx: Transaction) -> bool:
    waiting = sa.select(sa.func.count()).where(tables.commands.c.state == "received")
    return not tx.execute(waiting).scalar_one() and not queries.waiting_chains(tx)


def _result(tx: Transaction, progress: Progress) -> Result:
    """The last command that started a chain speaks for the job; without one, what was answered."""
    rows = tx.execute(sa.select(tables.commands).order_by(tables.commands.c.key)).all()
    started = [chains.get(tx, row.chain_id) for row in rows if row.chain_id]
    if not started:
        answer = str(rows[-1].answer if rows else "nothing").split(":")[0]
        return Result(answer, answer)
    costs = [ledger.cost_of(tx, chain.id) for chain in started]
    last = started[-1].outcome
    return Result(
        word=last.verdict if last else "unfinished",
        title=progress.title_of(tx, started[-1]),
        failed=last is None or last.verdict in _FAILED,
        cost=sum(cost for cost, _ in costs),
        upper_bound=any(bound for _, bound in costs),
    )


def _report(job: Job, result: Result, text: str) -> None:
    """The outputs `outcome` and `cost_usd`, and the job's summary."""
    _append(job.output, "outcome", result.word)
    _append(job.output, "cost_usd", f"{result.cost / 1_000_000:.6f}")
    if job.summary is not None:
        with job.summary.open("a", encoding="utf-8") as file:
            file.write(f"### claude-pool\n\n{text}\n\nThe thread has the whole report.\n")
    print(text, file=sys.stderr)  # noqa: T201


def _append(path: Path | None, name: str, value: str) -> None:
    """One output, under a delimiter that no value can contain by design."""
    if path is not None:
        mark = f"end_{secrets.token_hex(16)}"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{name}<<{mark}\n{value}\n{mark}\n")


def _path(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
