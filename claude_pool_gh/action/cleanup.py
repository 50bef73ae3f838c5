"""Ends what a run has begun that was killed: the comment and the check say so, and the job's cost is known."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from pydantic import SecretStr

from claude_pool_gh.action import log, protocol, results
from claude_pool_gh.action.after import forget_key
from claude_pool_gh.action.gate import Gate, gated
from claude_pool_gh.action.job import Job
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.keeper import Held, TakenOver
from claude_pool_gh.action.state.ref import Refused
from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.action.state_saver import published
from claude_pool_gh.action.wait import end_early
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.intake import NotForUs
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.service.server.runtime import WriterOptions, open_runtime
from claude_pool_gh.worktrees.errors import WorktreeError

_NO_KEY = "this step asks no model"


async def _nothing() -> bool:
    """No agent ever begins here."""
    return False


async def tidy() -> None:
    """Cancel every run in the job's database and write that. Raises Fault."""
    job = Job.from_environment(needs_key=False)
    if job.dry_run:  # nothing of it is on GitHub
        _tell(0)
        return
    requests = _requests(job)
    held = Held.noted(job.database) or Held("", StateKey())
    keeper = job.keeper(requests[0].thread, job.settings(), held) if requests else None
    if keeper is not None and not await keeper.regain():
        protocol.say("Another job serves this thread by now: what was begun is that one's.")
        protocol.output(outcome=Verdict.cancelled)
        return
    settings = job.settings().model_copy(update={"anthropic_api_key": SecretStr(_NO_KEY)})
    # nothing is installed there, so no agent ever begins
    gate = Gate(job.folder / "claude-pool-nothing", _nothing)
    with log.of_run():
        house_open = open_runtime(
            settings,
            runs_in="action",
            job_token=job.token,
            guard=gated(gate),
            writing=WriterOptions(refused=gate.refused),
        )
        async with house_open as runtime:
            await end_early(runtime)
            cost = await runtime.database.read(results.spent) - _before(job)
            if keeper is not None and keeper.keeps:
                await money.known(keeper.books)
                await published(runtime, keeper)
                with suppress(TakenOver, Refused, WorktreeError):
                    await keeper.save(ended=True)
    _tell(cost)


def _tell(cost: int) -> None:
    crashed = bool(os.environ.get("POOL_CRASHED"))
    outcome = Verdict.failed if crashed else Verdict.cancelled
    protocol.output(outcome=outcome, cost_usd=f"{cost / 1_000_000:.6f}")
    why = (
        "An error on claude-pool's own side ended the run."
        if crashed
        else "The run was killed from outside."
    )
    protocol.summary(
        f"### claude-pool: {outcome}\n\n{why} What it had begun is marked as cancelled.\n"
    )


def _before(job: Job) -> int:
    """The cost of all requests before this job."""
    try:
        return int(job.bill.read_text())
    except (OSError, ValueError):
        return 0


def _requests(job: Job) -> tuple[CommandRequest, ...]:
    found = job.found()
    return () if isinstance(found, NotForUs) else found.requests


def main() -> int:
    """Run the step; it never makes a job red that is not red already."""
    try:
        asyncio.run(tidy())
    except Fault as fault:
        protocol.say(protocol.plain(f"What was begun cannot be ended: {fault}"))
    except Exception as error:  # noqa: BLE001 - a runner's log is public
        protocol.say(f"What was begun cannot be ended ({type(error).__name__}).")
    finally:
        forget_key(os.environ)
    return 0


if __name__ == "__main__":
    sys.exit(main())
