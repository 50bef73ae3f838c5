"""The Action's third step: the whole server for the commands of one event, and what the runner is told of it."""

from __future__ import annotations

from claude_pool_gh.action import log, protocol, summary
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.action.job import Job
from claude_pool_gh.action.look import Fault
from claude_pool_gh.action.preflight import NothingToDo
from claude_pool_gh.action.results import JobResult
from claude_pool_gh.action.serve import serve
from claude_pool_gh.action.stop import Stop
from claude_pool_gh.github.intake import NotForUs


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
            result, body = await serve(job, requests, stop)
    except Fault as fault:
        return told(JobResult(outcome=JobOutcome.misconfigured, red=True, why=str(fault)), "", "")
    except NothingToDo as reason:
        return told_nothing(str(reason))
    if result.outcome == JobOutcome.nothing and result.why:
        return told_nothing(result.why)
    if body:
        job.report.write_text(body, encoding="utf-8")
        protocol.output(report_file=str(job.report))
    if job.sarif.exists():
        protocol.output(sarif_file=str(job.sarif))
    return told(result, body, job.thread_url)


def told_nothing(why: str) -> int:
    """There is nothing to do: green, and said."""
    protocol.say(protocol.command("notice", f"claude-pool: nothing to do, {why}"))
    protocol.summary(f"claude-pool: nothing to do, {why}.\n")
    protocol.output(outcome=JobOutcome.nothing, cost_usd="0.000000")
    return 0


def told(result: JobResult, body: str, thread_url: str) -> int:
    """Outputs, summary and, where the job is red, one error line; the exit code."""
    protocol.output(
        outcome=result.outcome,
        cost_usd=f"{result.cost / 1_000_000:.6f}",
        chain_id=result.chain_id,
        findings="" if result.findings is None else str(result.findings),
        approval_pending=result.approval_pending,
        fault=result.why
        if result.outcome in (JobOutcome.misconfigured, JobOutcome.not_posted)
        else "",
        result=result.model_dump_json(),
    )
    protocol.summary(summary.page(result, body, thread_url))
    if result.red:
        protocol.error(result.why)
        return 1
    protocol.say(f"claude-pool: {result.outcome} {protocol.plain(thread_url)}".rstrip())
    return 0
