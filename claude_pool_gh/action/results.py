"""The results of a job's commands, as typed values: the outputs are made of them, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Literal

from pydantic import ConfigDict

from claude_pool_gh.action import endings
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.action.permissions import Refusal
from claude_pool_gh.audits.outputs import sarif
from claude_pool_gh.conversation.audit import publish
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.conversation.audit.gather import RESULT
from claude_pool_gh.conversation.changes.gates import waiting_step
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.intake.command_policy import OUT_OF_REACH
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.conversation.verbs.audit import Audit
from claude_pool_gh.github import command_rows
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.command_rows import CommandRow
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.lookups import wanted_of
from claude_pool_gh.github.effects.sarif import Sarif
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, costs
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import AuditReport, ChangeReport, HandInReport, ReviewReport
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Term


class CommandResult(Term):
    """One command and what came of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    line: str
    """As it was written, or as a label or button stands for it."""
    outcome: str
    """One of the words that action.yml lists for the output `outcome`."""
    red: bool = False
    """Whether it alone makes the job red."""
    title: str = ""
    """One line for people."""
    chain_id: str = ""
    """The run that it started; empty if none."""
    cost: int = 0
    """Microdollars."""
    upper_bound: bool = False
    """Whether it cost at most that, where nobody can know more."""
    findings: int | None = None
    """Confirmed ones of a review, open ones of an audit; None where nothing was read to its end."""
    gate: str = ""
    """The ID that waits for `/pool approve`."""


class JobResult(Term):
    """The output `result`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    version: Literal[1] = 1
    dry_run: bool = False
    """Whether a script answered in place of the model, and nothing was written but one comment."""
    outcome: str
    """One of the words that action.yml lists for the output of that name."""
    red: bool
    """Whether the job has failed."""
    why: str = ""
    """Why the job is red, in one sentence with what to do."""
    cost: int = 0
    """Microdollars, of the whole job."""
    upper_bound: bool = False
    """Whether it cost at most that, where nobody can know more."""
    commands: tuple[CommandResult, ...] = ()
    """In their order."""
    refusals: tuple[str, ...] = ()
    """What GitHub did not take, each with the permission that it needs."""

    @property
    def chain_id(self) -> str:
        """The newest run."""
        return next((each.chain_id for each in reversed(self.commands) if each.chain_id), "")

    @property
    def approval_pending(self) -> str:
        """The newest ID that waits for an approval."""
        return next((each.gate for each in reversed(self.commands) if each.gate), "")

    @property
    def findings(self) -> int | None:
        """Findings of all reviews and audits."""
        found = [each.findings for each in self.commands if each.findings is not None]
        return sum(found) if found else None


def read(
    tx: Transaction, progress: Progress, keys: Collection[str] | None = None
) -> tuple[CommandResult, ...]:
    """The commands of this job in their order; without keys, all that its database knows."""
    return tuple(_command(tx, progress, row) for row in command_rows.several(tx, keys))


def live(tx: Transaction, keys: Collection[str]) -> frozenset[str]:
    """The runs of these commands that have come to no end."""
    ids = {row.chain_id for row in command_rows.several(tx, keys) if row.chain_id}
    return frozenset(id_ for id_ in ids if chains.get(tx, id_).outcome is None)


def spent(tx: Transaction) -> int:
    """The cost of all requests to the model so far, in microdollars."""
    return costs.spend(tx)[0]


def _command(tx: Transaction, progress: Progress, row: CommandRow) -> CommandResult:
    if row.state != "handled":
        why = "it was not begun before the job ended"
        return CommandResult(line=row.line, outcome=Verdict.failed, red=True, title=why)
    if not row.chain_id:
        outcome, _, why = row.answer.partition(": ")
        word = (
            JobOutcome.misconfigured
            if why.startswith(OUT_OF_REACH)
            else endings.of_answer(row.answer)
        )
        return CommandResult(
            line=row.line, outcome=word, red=endings.RED[word], title=why or outcome
        )
    chain = chains.get(tx, row.chain_id)
    cost, upper_bound = costs.cost_of(tx, chain.id)
    gate = _gate(tx, progress, chain)
    waits = chain.state is ChainState.parked and chain.outcome is None and bool(gate)
    verdict: str = (
        chain.outcome.verdict
        if chain.outcome
        else JobOutcome.awaiting_approval
        if waits
        else Verdict.failed
    )
    return CommandResult(
        line=row.line,
        outcome=verdict,
        red=endings.RED[verdict] or _fails(tx, chain),
        title=progress.title_of(tx, chain),
        chain_id=chain.id,
        cost=cost,
        upper_bound=upper_bound,
        findings=_findings(tx, progress, chain),
        gate=gate if waits else "",
    )


def _fails(tx: Transaction, chain: ChainRow) -> bool:
    """True where the check of a run is a failure, as the repository has configured."""
    thread = facts_of(chain.plan.context, ThreadFacts).thread
    key = CheckKey.of(thread, chain.plan.verb, chain.labels.head).format()
    check = wanted_of(tx, key)
    return isinstance(check, CheckRun) and check.conclusion == "failure"


def _gate(tx: Transaction, progress: Progress, chain: ChainRow) -> str:
    handler = progress.verb_handlers.get(chain.plan.verb)
    report = (
        handler.report(tx, chain)
        if handler is not None and waiting_step(chain) is not None
        else None
    )
    return (
        report.gate if isinstance(report, ChangeReport | HandInReport) and not report.stale else ""
    )


def _findings(tx: Transaction, progress: Progress, chain: ChainRow) -> int | None:
    handler = progress.verb_handlers.get(chain.plan.verb)
    report = (
        handler.report(tx, chain) if handler is not None and chain.outcome is not None else None
    )
    match report:
        case ReviewReport() if chain.results.get("gather"):  # else nothing was read
            return len(report.confirmed)
        case AuditReport() if chain.results.get("gather"):
            return report.total
        case _:
            return None


def upload_of(tx: Transaction, keys: Collection[str]) -> Sarif | None:
    """The findings of the newest audit among these commands, as code scanning takes them; None where none has ended."""
    for row in reversed(command_rows.several(tx, keys)):
        chain = chains.get(tx, row.chain_id) if row.chain_id else None
        gathered = None if chain is None else chain.results.get("gather")
        if chain is None or chain.plan.verb != Audit.name or not gathered:
            continue
        result = RESULT.validate_python(gathered)
        if sarif.is_worth_uploading(result):
            return publish.upload(facts_of(chain.plan.context, AuditFacts), result)
    return None


def whole(found: tuple[CommandResult, ...], refusals: list[Refusal], cost: int) -> JobResult:
    """The job's result: what GitHub refused makes it red, whatever the verdict."""
    outcome = endings.joint(each.outcome for each in found)
    red = next((each for each in found if each.red), None)
    advice = tuple(each.advice for each in refusals)
    why = ""
    if red is not None:
        why = f"{red.title}. {endings.HOW.get(red.outcome, '')}".strip()
    if refusals and (red is None or red.outcome not in (Verdict.failed, JobOutcome.misconfigured)):
        outcome, why = JobOutcome.not_posted, advice[0]
    return JobResult(
        outcome=outcome,
        red=red is not None or bool(refusals),
        why=why,
        cost=cost,
        upper_bound=any(each.upper_bound for each in found),
        commands=found,
        refusals=advice,
    )


def stopped(
    read: tuple[CommandResult, ...], refusals: list[Refusal], why: str, cost: int
) -> JobResult:
    """The result of a job that was ended before its commands were over."""
    return JobResult(
        outcome=Verdict.cancelled,
        red=True,
        why=f"{why[:1].upper()}{why[1:]}. What had run until then is paid; run the command again to begin anew.",
        cost=cost,
        upper_bound=any(each.upper_bound for each in read),
        commands=read,
        refusals=tuple(each.advice for each in refusals),
    )


def handed_over(
    read: tuple[CommandResult, ...],
    live: Collection[str],
    refusals: list[Refusal],
    why: str,
    cost: int,
) -> JobResult:
    """The result of a job whose audit the next one goes on with. `live`: the runs that are not over.

    What is red without them stays so.
    """
    result = whole(tuple(_left(each, live) for each in read), refusals, cost)
    goes_on = "The audit is not over: the next job with the same command goes on with it."
    if result.red:
        return result.model_copy(update={"why": f"{result.why} {goes_on}"})
    said = f"{why[:1].upper()}{why[1:]}. {goes_on}"
    return result.model_copy(update={"outcome": JobOutcome.unfinished, "why": said})


def _left(command: CommandResult, live: Collection[str]) -> CommandResult:
    if command.chain_id not in live or command.outcome != Verdict.failed:
        return command
    return command.model_copy(update={"outcome": JobOutcome.unfinished, "red": False})


def not_placed(why: str, verdict: Verdict, refusals: list[Refusal]) -> JobResult:
    """The report issue is not there, or a person has closed it."""
    if verdict is Verdict.cancelled:
        return not_begun(why)
    if refusals:
        return whole((), refusals, 0)
    return JobResult(outcome=verdict, red=endings.RED[verdict], why=why)


def not_begun(why: str) -> JobResult:
    """The end came before the thread was this job's."""
    said = f"{why[:1].upper()}{why[1:]} before it began. Nothing was run or spent; run the command again."
    return JobResult(outcome=Verdict.cancelled, red=True, why=said)


def lost(read: tuple[CommandResult, ...]) -> JobResult:
    """The agent's own package never came."""
    why = (
        "The package claude-agent-sdk could not be installed: the runner must be Linux (glibc) or macOS on x86-64 or "
        "arm64, and reach the package index. Nothing was spent."
    )
    return JobResult(outcome=Verdict.failed, red=True, why=why, commands=read)


if __name__ == "__main__":
    print(json.dumps(JobResult.model_json_schema(mode="serialization"), indent=2))  # noqa: T201 - it is written to a file of the documentation
