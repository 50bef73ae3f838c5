"""The Action's third step: the whole server for the commands of one event, and what the runner is told of it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.action import again, log, protocol, results, summary
from claude_pool_gh.action.endings import Word
from claude_pool_gh.action.gate import Gate, gated
from claude_pool_gh.action.job import Job
from claude_pool_gh.action.listening import listen
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.preflight import NothingToDo, preflight
from claude_pool_gh.action.results import JobResult
from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.keeper import Keeper, TakenOver
from claude_pool_gh.action.state.prune import prune
from claude_pool_gh.action.state.ref import Refused, Stale
from claude_pool_gh.action.stop import Stop
from claude_pool_gh.github import inbox, tables
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.intake import CommandRequest, NotForUs
from claude_pool_gh.github.tables import effects
from claude_pool_gh.pool.model.config import microdollars
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.states import ON_THE_WAY
from claude_pool_gh.pool.store import queries
from claude_pool_gh.pool.store.tables import chains, steps
from claude_pool_gh.service.house import House, open_house
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

_TAKEN_OVER: Final = "another job has taken over this thread"
_ALONE: Final = (
    "*Nothing of this job is kept for the next one: its token may not push. With `contents: write` among the job's "
    "permissions, jobs know of each other, and `fix` and `implement` can wait for an approval.*"
)
_LOOK_SECONDS: Final = 0.1
_END_SECONDS: Final = 3.0
"""For each of the two parts of an early end. A runner waits 7.5 seconds after SIGINT, and 2.5 more after SIGTERM."""


async def run(stop: Stop) -> int:
    """Do what the job's event asks for and tell the runner; the exit code of the step."""
    try:
        job = Job.from_environment()
        found = job.found()
        requests = () if isinstance(found, NotForUs) else found.requests
        if not requests:
            why = found.reason if isinstance(found, NotForUs) else "there is no command"
            return told_nothing(why)
        with log.of_run():
            result, body = await _serve(job, requests, stop)
    except Fault as fault:
        return told(JobResult(outcome=Word.misconfigured, red=True, why=str(fault)), "", "")
    except NothingToDo as reason:
        return told_nothing(str(reason))
    if body:
        report = job.folder / "claude-pool-report.md"
        report.write_text(body, encoding="utf-8")
        protocol.output(report_file=str(report))
    return told(result, body, job.thread_url)


def told_nothing(why: str) -> int:
    """There is nothing to do: green, and said."""
    protocol.say(protocol.command("notice", f"claude-pool: nothing to do, {why}"))
    protocol.summary(f"claude-pool: nothing to do, {why}.\n")
    protocol.output(outcome=Word.nothing, cost_usd="0.000000")
    return 0


def told(result: JobResult, body: str, thread_url: str) -> int:
    """Outputs, summary and, where the job is red, one error line; the exit code."""
    protocol.output(
        outcome=result.outcome,
        cost_usd=f"{result.cost / 1_000_000:.6f}",
        chain_id=result.chain_id,
        findings="" if result.findings is None else str(result.findings),
        approval_pending=result.approval_pending,
        fault=result.why if result.outcome in (Word.misconfigured, Word.not_posted) else "",
        result=result.model_dump_json(),
    )
    protocol.summary(summary.page(result, body, thread_url))
    if result.red:
        protocol.error(result.why)
        return 1
    protocol.say(f"claude-pool: {result.outcome} {protocol.plain(thread_url)}".rstrip())
    return 0


async def _serve(job: Job, requests: tuple[CommandRequest, ...], stop: Stop) -> tuple[JobResult, str]:
    """Run the commands to their end, or to the job's. Raises Fault and NothingToDo before anything is begun."""
    shutil.rmtree(job.state, ignore_errors=True)  # of an earlier step of the same job
    job.state.mkdir(mode=0o700, parents=True)
    settings = job.settings()
    keeper = job.keeper(requests[0].thread, settings)
    await keeper.take(lambda: stop.is_due(job.deadline_seconds))
    if stop.is_due(job.deadline_seconds):
        await keeper.release()
        return _not_begun(stop.reason), ""
    try:
        return await _hold(job, requests, settings, keeper, stop)
    except (Fault, NothingToDo):
        await keeper.release()
        raise  # whatever else ends the run, the last step ends what it has begun, and gives the thread back


async def _hold(
    job: Job, requests: tuple[CommandRequest, ...], settings: Settings, keeper: Keeper, stop: Stop
) -> tuple[JobResult, str]:
    """The same, with the thread in hand."""
    if not keeper.keeps:
        logger.info("this job is alone: what it does is not kept (%s)", keeper.why_not or stop.reason)
    others = await money.known(keeper.books) if keeper.keeps else {}
    if settings.budget_usd is not None:  # what other jobs have spent does not count against this one's
        mine = f"{keeper.repository}:{keeper.thread}"
        elsewhere = sum(each.amount for each in others.values() if each.thread != mine)
        cap = keeper.charge(microdollars(settings.budget_usd), elsewhere)
        settings = settings.model_copy(update={"budget_usd": cap / 1e6})
    gate = Gate(job.home, _nothing)
    house_open = open_house(
        settings, door="action", job_token=job.token, guard=gated(gate), refused=gate.refused,
        keeps=lambda: keeper.keeps, look_first=keeper.unclean,
    )  # fmt: skip
    keeper.is_touched = keeper.is_restored
    async with house_open as house:
        await preflight(house.clerk.judge, requests[0])
        keeper.is_touched = True
        now = house.clock.now_ms()
        gate.before = partial(_before_the_first_token, house, keeper, stop)
        await house.database.transact(partial(money.count_others, entries=others))
        before = await house.database.read(results.spent)
        job.bill.write_text(str(before))
        requests = await house.database.read(partial(again.meant, requests=requests, attempt=job.attempt))
        await house.database.transact(lambda tx: [inbox.store(tx, request, now) for request in requests])
        reading_on = listen(house, requests[0].thread, keeper)
        work = (house.serve_commands(), house.show_time_for_ever(), _keep(keeper, stop), reading_on)
        serving = [asyncio.create_task(each) for each in work]
        house.wake()
        finished = await _finished(house, job, gate, keeper, stop)
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        if keeper.is_taken_over:
            await house.writer.close()  # what stands on GitHub is the other job's now
        elif not finished:
            await end_early(house)
        keys = [request.key for request in requests]
        read = await house.database.read(partial(results.read, progress=house.progress, keys=keys))
        cost = await house.database.read(results.spent) - before
        body = await house.database.read(partial(summary.report, screen=house.screen))
        await published(house, keeper)
        if keeper.keeps and not stop.reason:
            await prune(keeper.ref, house.desk.forge, requests[0].thread.repository, keeper.thread)
        is_kept = keeper.keeps
        await _kept(keeper, stop, ended=True)
    if not is_kept and not stop.reason:
        body += f"\n\n{_ALONE}\n"
    if stop.reason:
        return _stopped(read, stop.reason, cost), body
    if gate.is_lost and not gate.passed:
        return _lost(read), body
    return results.whole(read, gate.refusals, cost), body


async def _nothing() -> bool:
    """Nothing is open yet, so nothing may be spent."""
    return False


async def _before_the_first_token(house: House, keeper: Keeper, stop: Stop) -> bool:
    """Let the next job know what runs, and all others what it may cost; end where that is more than a cap allows."""
    await _kept(keeper, stop)
    if keeper.keeps and not await published(house, keeper):
        stop.reason = stop.reason or "what the run may cost could not be written to the repository's ledger"
    elif cap := await house.database.read(money.exceeded):
        stop.reason = stop.reason or f"commands in other threads have used up the cap per {cap}"
    return not stop.reason


async def published(house: House, keeper: Keeper) -> bool:
    """Bring the ledger and this database up to date with one another; whether that could be done."""
    if not keeper.keeps:
        return True
    try:
        whole = await money.publish(keeper.books, await house.database.read(money.own))
    except (Stale, Refused, WorktreeError) as error:
        logger.warning("not in the ledger: %s", error)
        return False
    await house.database.transact(partial(money.count_others, entries=whole))
    return True


async def _keep(keeper: Keeper, stop: Stop) -> None:
    """Save after each change; without the thread, end."""
    try:
        await keeper.save_for_ever()
    except TakenOver:
        stop.reason = stop.reason or _TAKEN_OVER


async def _kept(keeper: Keeper, stop: Stop, *, ended: bool = False) -> None:
    """Save now."""
    try:
        await keeper.save(ended=ended)
    except TakenOver:
        stop.reason = stop.reason or _TAKEN_OVER
    except (Refused, WorktreeError) as error:
        logger.warning("not kept: %s", error)


async def _finished(house: House, job: Job, gate: Gate, keeper: Keeper, stop: Stop) -> bool:
    """Wait for the end of all commands, all written; False where the job has to end before that."""
    known: object = None
    while not stop.is_due(job.deadline_seconds):
        if not gate.passed and (gate.refusals or gate.is_lost) and await house.database.read(_has_begun):
            return False
        if await house.database.read(_all_done):
            return True
        if (seen := await house.database.read(_progress)) != known:
            known = seen
            keeper.changed()
        await asyncio.sleep(_LOOK_SECONDS)
    return False


def _progress(tx: Transaction) -> tuple[int, ...]:
    """Figures that change where the next job would have to know it."""
    written = sa.select(sa.func.count(), sa.func.sum(effects.c.written_version)).select_from(effects)
    ended = sa.select(sa.func.count()).where(steps.c.ended_ms.is_not(None))
    return (
        *map(int, (value or 0 for value in tx.execute(written).one())),
        int(tx.execute(ended).scalar_one()),
    )


async def end_early(house: House) -> None:
    """End whatever runs and let GitHub show that, within seconds."""
    house.writer.hurry()
    for chain_id in await house.database.read(_on_the_way):
        await house.pool.cancel_chain(ChainId(chain_id))
    await _until(house, lambda tx: not queries.waiting_chains(tx))
    house.writer.wake()
    await _until(house, lambda tx: not rows.unwritten(tx))


async def _until(house: House, reached: Callable[[Transaction], bool]) -> None:
    """Wait until the rows are so, for a while."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline and not await house.database.read(reached):  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS / 2)


def _on_the_way(tx: Transaction) -> list[str]:
    return list(tx.execute(sa.select(chains.c.id).where(chains.c.state.in_(ON_THE_WAY))).scalars())


def _has_begun(tx: Transaction) -> bool:
    return bool(queries.waiting_chains(tx))


def _all_done(tx: Transaction) -> bool:
    waiting = sa.select(sa.func.count()).where(tables.commands.c.state == "received")
    return not (tx.execute(waiting).scalar_one() or queries.waiting_chains(tx) or rows.unwritten(tx))


def _stopped(read: tuple[results.CommandResult, ...], why: str, cost: int) -> JobResult:
    return JobResult(
        outcome=Verdict.cancelled,
        red=True,
        why=f"{why[:1].upper()}{why[1:]}. What had run until then is paid; run the command again to begin anew.",
        cost=cost,
        upper_bound=any(each.upper_bound for each in read),
        commands=read,
    )


def _not_begun(why: str) -> JobResult:
    """The end came before the thread was this job's."""
    said = f"{why[:1].upper()}{why[1:]} before it began. Nothing was run or spent; run the command again."
    return JobResult(outcome=Verdict.cancelled, red=True, why=said)


def _lost(read: tuple[results.CommandResult, ...]) -> JobResult:
    why = (
        "The package claude-agent-sdk could not be installed: the runner must be Linux (glibc) or macOS on x86-64 or "
        "arm64, and reach the package index. Nothing was spent."
    )
    return JobResult(outcome=Verdict.failed, red=True, why=why, commands=read)
