"""Serves the commands of one job: holds its thread, opens the server, waits for the end, and gives the thread back."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from claude_pool_gh.action import claims, results, summary
from claude_pool_gh.action import dry_run as trial
from claude_pool_gh.action import rerun as again
from claude_pool_gh.action.asked import Asked
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.action.federation import Federation, exchanged, federation_of
from claude_pool_gh.action.first_reads import EventReading, read_first
from claude_pool_gh.action.gate import Gate, gated
from claude_pool_gh.action.hand_over import hand_over, unfinished_run
from claude_pool_gh.action.job import Job
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.report_issue import NoIssue, placed, report_issue
from claude_pool_gh.action.results import JobResult
from claude_pool_gh.action.single_shot import NO_KEY, noted, told_alone, told_anew
from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.audits import AUDITS, Moment, audit_at
from claude_pool_gh.action.state.keeper import Held, Keeper
from claude_pool_gh.action.state.money import Entry
from claude_pool_gh.action.state.prune import THREADS, Pruning
from claude_pool_gh.action.state.ref import Ref, Unavailable
from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.action.state_saver import keep, kept, published
from claude_pool_gh.action.stop import Stop
from claude_pool_gh.action.thread_watch import listen
from claude_pool_gh.action.unauthorized import WHY
from claude_pool_gh.action.wait import end_early, finished
from claude_pool_gh.github import inbox
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.effects.sarif import Sarif
from claude_pool_gh.pool.model.config import microdollars
from claude_pool_gh.pool.pruning import PoolRetention
from claude_pool_gh.service.server.runtime import Runtime, WriterOptions, open_runtime
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.terms.ids import Repository, Thread, Trigger

_KEPT_DAYS: Final = 30.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Serving:
    """One job at its thread."""

    job: Job
    requests: tuple[CommandRequest, ...]
    settings: Settings
    keeper: Keeper
    stop: Stop
    gate: Gate
    is_kept_out: bool = False
    """Whether there will be nothing but a refusal."""
    federation: Federation | None = None
    """The job's identity, where it stands in place of a key."""
    is_handed_over: bool = False
    """Whether what this job leaves unfinished is the next job's."""
    audits: frozenset[str] | None = None
    """The audits that can be asked for here; None where that is not known."""
    others: Mapping[str, Entry] = field(default_factory=dict)
    """What the repository's ledger says of other runs of this month."""

    @property
    def is_alone(self) -> bool:
        """True where this job's work is not kept although it could matter to the next one."""
        return not (self.keeper.keeps or self.job.dry_run or self.is_kept_out)

    @property
    def told(self) -> str:
        """One line for the thread and the job's page about what earlier jobs have kept; "" where all is well."""
        if self.is_alone:
            return told_alone(self.keeper.why_not)
        anew = self.keeper.is_begun_anew
        return told_anew(is_other_key=self.keeper.is_other_key) if anew else ""


async def serve(
    job: Job, requests: tuple[CommandRequest, ...], stop: Stop
) -> tuple[JobResult, str]:
    """Run the commands to their end, or to the job's. Raises Fault and NothingToDo before anything is begun."""
    shutil.rmtree(job.state, ignore_errors=True)  # of an earlier step of the same job
    job.state.mkdir(mode=0o700, parents=True)
    settings = job.settings()
    federation = federation_of(job.inputs, settings.anthropic_base_url)
    key = job.key(settings)
    read = await read_first(settings, job.token, requests, placed=not job.is_unplaced)
    audit = await _audit_of(job, requests, settings, read, key)
    keeper = job.keeper(requests[0].thread, settings, Held(audit, key))
    serving = Serving(job, requests, settings, keeper, stop, Gate(job.home, _nothing))
    serving.federation, serving.audits = federation, read.configured
    if job.dry_run:
        async with trial.scripted(settings) as serving.settings:
            return await _hold(serving)
    serving.is_kept_out = read.is_kept_out
    if serving.federation is not None and not serving.is_kept_out:
        await exchanged(serving.federation)
    if serving.is_kept_out:
        keeper.why_not = WHY
    elif not key.secret:
        keeper.why_not = NO_KEY
    else:
        await keeper.take(lambda: stop.is_due(job.deadline_seconds))
    if stop.is_due(job.deadline_seconds):
        await keeper.release()
        return results.not_begun(stop.reason), ""
    return await _hold(serving)


async def _audit_of(
    job: Job,
    requests: tuple[CommandRequest, ...],
    settings: Settings,
    read: EventReading,
    key: StateKey,
) -> str:
    """The audit whose state this job needs; "" for the thread's own. Raises Fault."""
    asked = read.asked
    if len(asked.audits) > 1 or (asked.audits and asked.beside):
        raise Fault(
            "one job serves one audit, and nothing beside it: give each command a job, or a comment, of its own"
        )
    if job.is_unplaced and read.is_kept_out:
        asks = requests[0].actor
        lacks = (
            "give them write access"
            if asks.is_human
            else "it is no person: see `bots` and `permissions`"
        )
        raise Fault(f"{asks.login}, for whom GitHub runs this job, may not command here: {lacks}")
    if read.faults and not read.is_kept_out and (job.is_unplaced or asked.is_unclear):
        raise Fault(f"which audit is meant cannot be known: {read.faults}")
    if job.dry_run or read.is_kept_out:
        return ""
    if asked.audits:
        return next(iter(asked.audits))
    if not key.secret:
        return ""
    try:
        return await _looked_up(job, settings, key, requests[0].thread, asked, job.asked_ms)
    except Unavailable as error:
        raise Fault(
            f"the repository's refs, which say whose these commands are, cannot be read: {error}. Run the job again"
        ) from error


async def _looked_up(
    job: Job,
    settings: Settings,
    key: StateKey,
    thread: Thread,
    asked: Asked,
    at_ms: int,
    since_ms: int | None = None,
) -> str:
    """The audit whose state serves commands of a moment. As `audit_at`."""
    every = _every_audit(job, settings, thread.repository)
    own = job.ref(thread.repository, settings, f"{THREADS}{thread.number}")
    moment = Moment(thread.repository.id, thread.number, at_ms)
    return await audit_at(every, own, moment, asked, key, since_ms=since_ms)


def _every_audit(job: Job, settings: Settings, repository: Repository) -> Ref:
    return job.ref(repository, settings, AUDITS, folder="audits.git")


def _pruning(serving: Serving, runtime: Runtime) -> Pruning:
    repository = serving.requests[0].thread.repository
    return Pruning(
        ref=serving.keeper.ref,
        every=_every_audit(serving.job, serving.settings, repository),
        key=serving.keeper.key,
        forge=runtime.services.forge,
        repository=repository,
        thread=serving.keeper.thread,
        audits=serving.audits,
    )


async def _nothing() -> bool:
    """Nothing is open yet, so nothing may be spent."""
    return False


async def _hold(serving: Serving) -> tuple[JobResult, str]:
    """The same, with the thread in hand."""
    job, keeper, stop = serving.job, serving.keeper, serving.stop
    if serving.is_alone:
        logger.info(
            "this job is alone: what it does is not kept (%s)", keeper.why_not or stop.reason
        )
    await _count_others(serving)
    async with _opened(serving) as runtime:
        now = runtime.clock.now_ms()
        serving.gate.before = partial(_before_the_first_token, runtime, serving)
        await runtime.database.transact(partial(money.count_others, entries=serving.others))
        before = await runtime.database.read(results.spent)
        job.bill.write_text(str(before))
        if job.is_unplaced:
            match await report_issue(runtime, keeper, serving.requests[0].thread.repository, stop):
                case int(number):
                    serving.requests = placed(serving.requests, number)
                case NoIssue(why, verdict):
                    await kept(keeper, stop, ended=True)
                    return results.not_placed(why, verdict, serving.gate.refusals), ""
        keeper.thread = serving.requests[0].thread.number
        requests = await runtime.database.read(
            partial(again.meant, requests=serving.requests, attempt=job.attempt)
        )
        requests = await _not_taken(serving, runtime, requests)
        going_on = await runtime.database.read(partial(unfinished_run, keeper=keeper))
        if going_on:  # it is what a job before this one was ended in
            requests = tuple(each for each in requests if not isinstance(each.source, Trigger))
        await runtime.database.transact(
            lambda tx: [inbox.store(tx, request, now) for request in requests]
        )
        await _work(serving, runtime)
        keys = [*filter(None, [going_on]), *(request.key for request in requests)]
        read = await runtime.database.read(
            partial(results.read, progress=runtime.progress, keys=keys)
        )
        live = await runtime.database.read(partial(results.live, keys=keys))
        cost = await runtime.database.read(results.spent) - before
        body = await runtime.database.read(partial(summary.report, screen=runtime.screen))
        await _write_sarif(serving, runtime, keys)
        await published(runtime, keeper)
        if keeper.keeps and not stop.reason:
            await _forget(serving, runtime)
            await _pruning(serving, runtime).run()
        told = serving.told
        if not serving.is_handed_over:
            await kept(keeper, stop, ended=True)
        result = _result(serving, read, live, cost)
        if isinstance(runtime.services.forge, trial.TrialForge):
            return await _rehearsed(serving, runtime.services.forge, result, body)
    if serving.is_handed_over:  # now that nothing of it runs any more
        await kept(keeper, stop, ended=True)
    return (
        result,
        f"{body}\n\n{told}\n" if told and not stop.reason else body,
    )


@asynccontextmanager
async def _opened(serving: Serving) -> AsyncIterator[Runtime]:
    """The server of this job, with the state of its thread."""
    keeper, gate, rehearses = serving.keeper, serving.gate, serving.job.dry_run
    keeper.is_touched = True
    writing = WriterOptions(
        refused=gate.refused,
        look_first=keeper.is_behind and not rehearses,
        also=noted(serving.told),
    )
    opening = open_runtime(
        serving.settings,
        runs_in="action",
        job_token=serving.job.token,
        guard=gated(gate, serving.federation),
        keeps=lambda: rehearses or keeper.keeps,
        writing=writing,
        forge_of=trial.TrialForge if rehearses else Forge,
    )
    async with opening as runtime:
        if rehearses:
            runtime.services.forge.pusher = trial.no_push
        yield runtime


async def _count_others(serving: Serving) -> None:
    """Read what other runs have spent, and let what this job goes on with count against its own budget."""
    keeper, settings = serving.keeper, serving.settings
    if serving.job.dry_run or serving.is_kept_out:
        return
    serving.others = await money.known(keeper.books)
    if settings.budget_usd is None:
        return
    cap = keeper.charge(microdollars(settings.budget_usd))
    serving.settings = settings.model_copy(update={"budget_usd": cap / 1e6})


async def _not_taken(
    serving: Serving, runtime: Runtime, requests: tuple[CommandRequest, ...]
) -> tuple[CommandRequest, ...]:
    """The commands that no job of another workflow has taken for the same commit. Who runs a job again means it."""
    job, verbs = serving.job, runtime.command_worker.judge.verbs
    head = claims.head_of(job.event, job.payload)
    if not head or job.attempt > 1 or job.dry_run:
        return requests
    left = []
    for request in requests:
        taken = await runtime.database.read(
            partial(claims.is_taken, request=request, head=head, verbs=verbs)
        )
        if not taken and not serving.keeper.keeps:
            taken = await claims.is_shown(runtime.services.forge, request, head, verbs)
        if not taken:
            left.append(request)
    return tuple(left)


async def _before_the_first_token(runtime: Runtime, serving: Serving) -> bool:
    """Let the next job know what runs, and all others what it may cost; end where that is more than a cap allows."""
    keeper, stop = serving.keeper, serving.stop
    if serving.job.dry_run:
        return not stop.reason
    await kept(keeper, stop)
    if not await published(runtime, keeper):
        stop.reason = (
            stop.reason or "what the run may cost could not be written to the repository's ledger"
        )
    elif cap := await runtime.database.read(money.exceeded):
        stop.reason = stop.reason or f"commands in other threads have used up the cap per {cap}"
    return not stop.reason


async def _work(serving: Serving, runtime: Runtime) -> None:
    """Serve until all commands are over and written, or until the job has to end."""
    job, keeper, stop = serving.job, serving.keeper, serving.stop
    thread = serving.requests[0].thread
    audit_of = partial(_looked_up, job, serving.settings, keeper.key, thread)
    reading_on = listen(runtime, thread, keeper, serving.audits, audit_of)
    showing = asyncio.create_task(runtime.show_time_for_ever())
    work = (runtime.serve_commands(), keep(keeper, stop), reading_on)
    tasks = [showing, *(asyncio.create_task(each) for each in work)]
    runtime.wake()
    is_over = await finished(
        runtime, serving.gate, keeper, lambda: stop.is_due(job.deadline_seconds)
    )
    if not is_over and keeper.audit and keeper.keeps and stop.is_by_deadline:
        serving.is_handed_over = await hand_over(runtime, job.deadline_seconds, stop, showing)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if keeper.is_taken_over:
        await runtime.writer.close()  # what stands on GitHub is the other job's now
    elif not (is_over or serving.is_handed_over):
        await end_early(runtime)


async def _write_sarif(serving: Serving, runtime: Runtime, keys: list[str]) -> None:
    """Write what the job's audit has found into a file, for later steps of the job."""
    upload = await runtime.database.read(partial(results.upload_of, keys=keys))
    shown = None if upload is None else runtime.screen(upload)
    if isinstance(shown, Sarif) and shown.document:
        serving.job.sarif.write_text(shown.document, encoding="utf-8")


async def _forget(serving: Serving, runtime: Runtime) -> None:
    """Let an audit's state not grow with each night: of old runs stays what they found, and what they cost."""
    if serving.keeper.audit:
        kept_for = PoolRetention(transcripts=0, patches=_KEPT_DAYS, chains=_KEPT_DAYS)
        await runtime.pool.apply_retention(kept_for, pause_secs=0)


async def _rehearsed(
    serving: Serving, forge: trial.TrialForge, result: JobResult, body: str
) -> tuple[JobResult, str]:
    """The result of a rehearsal, shown in the thread where the token may."""
    told = trial.announced(result, body)
    if await trial.post(forge, serving.requests[0].thread, told):
        logger.info("the rehearsal is shown in the thread")
    else:
        logger.info("the rehearsal is shown on the job's page only: its token may not comment")
    return trial.unpaid(result), told


def _result(
    serving: Serving, read: tuple[results.CommandResult, ...], live: frozenset[str], cost: int
) -> JobResult:
    """The job's result. `live`: the runs that are not over. Pure."""
    stop, gate = serving.stop, serving.gate
    if serving.is_handed_over:
        return results.handed_over(read, live, gate.refusals, stop.reason, cost)
    if stop.reason:
        return results.stopped(read, gate.refusals, stop.reason, cost)
    if gate.is_lost and not gate.passed:
        return results.lost(read)
    if not read and not gate.refusals:
        return JobResult(outcome=JobOutcome.nothing, red=False, why=claims.DONE, cost=cost)
    return results.whole(read, gate.refusals, cost)
