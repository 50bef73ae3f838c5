"""Ends what a run has begun that was killed: the comment and the check say so, and the job's cost is known."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

from pydantic import SecretStr

from claude_pool_gh.action import log, protocol, results
from claude_pool_gh.action.gate import Gate, gated
from claude_pool_gh.action.job import Job
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.run import end_early
from claude_pool_gh.github.intake import CommandRequest, NotForUs
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.service.house import open_house

_NO_KEY = "this step asks no model"


async def _nothing() -> bool:
    """No agent ever begins here."""
    return False


async def tidy() -> None:
    """Cancel every run in the job's database and write that. Raises Fault."""
    job = Job.from_environment(needs_key=False)
    requests = _requests(job)
    keeper = job.keeper(requests[0].thread, job.settings()) if requests else None
    settings = job.settings().model_copy(update={"anthropic_api_key": SecretStr(_NO_KEY)})
    gate = Gate(
        job.folder / "claude-pool-nothing", _nothing
    )  # nothing is installed there, so no agent ever begins
    with log.of_run():
        house_open = open_house(
            settings, door="action", job_token=job.token, guard=gated(gate), refused=gate.refused
        )
        async with house_open as house:
            await end_early(house)
            read = await house.database.read(partial(results.read, progress=house.progress))
            if keeper is not None:
                await keeper.finish()
    cost = sum(each.cost for each in read)
    protocol.output(outcome=Verdict.cancelled, cost_usd=f"{cost / 1_000_000:.6f}")
    protocol.summary(
        "### claude-pool: cancelled\n\nThe run was killed from outside. What it had begun is marked as cancelled.\n"
    )


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
    return 0


if __name__ == "__main__":
    sys.exit(main())
