"""Shows a chain on GitHub: at every change, in the same transaction, what should now stand there.

The pool calls `changed`; the comment and the check are rendered from the rows as they are in that transaction,
so they can lag behind but never contradict them, and never hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.conversation.review.facts import Facts
from claude_pool_gh.conversation.review.gather import restored
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.github.effects.kinds import CheckRun, Comment
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.pool import chains, ledger, tasks
from claude_pool_gh.pool.chains import ChainRow, StepRow
from claude_pool_gh.pool.plan import AgentRun
from claude_pool_gh.pool.ports import Clock
from claude_pool_gh.pool.states import StepState, TaskState
from claude_pool_gh.pool.tables import chains as chain_rows
from claude_pool_gh.pool.tasks import TaskRow
from claude_pool_gh.reports.headline import conclusion, headline
from claude_pool_gh.reports.tracking import tracking
from claude_pool_gh.reports.views import Bill, Looked, Reviewed, Run, StepLine
from claude_pool_gh.reports.words import count, dollars, duration
from claude_pool_gh.storage import Transaction

_EARLIER = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """The pool's observer."""

    clock: Clock

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Want the tracking comment and the check run as the chain now is."""
        chain = chains.get(tx, chain_id)
        facts = Facts.model_validate(chain.plan.context)
        run = self._run(tx, chain, facts)
        repository, number = facts.thread.repository, facts.thread.number
        now = self.clock.now_ms()
        comment = Comment(number=number, body=tracking(run))
        want(tx, f"comment:{repository.id}:{number}:{chain.plan.verb}", repository, comment, now)
        check_key = f"check:{repository.id}:{number}:{chain.plan.verb}:{facts.head}"
        want(tx, check_key, repository, _check(run, facts), now)

    def _run(self, tx: Transaction, chain: ChainRow, facts: Facts) -> Run:
        runs = tasks.of_chain(tx, chain.id)
        gathered = chain.results.get("gather")
        ended = chain.ended_ms or self.clock.now_ms()
        return Run(
            chain_id=chain.id,
            verb=chain.plan.verb,
            head=facts.head,
            requester=facts.requester,
            intent=_intent(chain),
            steps=_steps(tx, chain, runs, self.clock.now_ms()),
            bill=self._bill(tx, chain),
            outcome=chain.outcome,
            elapsed_ms=ended - (chain.started_ms or ended),
            reviewed=restored(gathered) if gathered else None,
            looked=[_looked(task) for task in runs if task.outcome],
            earlier=_earlier(tx, chain),
        )

    def _bill(self, tx: Transaction, chain: ChainRow) -> Bill:
        spent, upper_bound = ledger.cost_of(tx, chain.id)
        uses = ledger.cap_uses(tx, chain.account, chain.caps, self.clock.now_ms())
        used = {use.name: use.used for use in uses}
        return Bill(
            spent=spent,
            upper_bound=upper_bound,
            cap=chain.plan.limits.chain,
            usual=ledger.usual_cost(tx, chain.account.repository, chain.plan.verb),
            thread=used["thread"],
            month=used["repository and month"],
            caps=uses,
        )


def _intent(chain: ChainRow) -> str:
    brief = chain.results.get("brief")
    if not brief or "files" not in brief:
        return "Will read the change, and have every finding confirmed by a second run."
    parts = f" in {count(len(brief['groups']), 'part')}" if len(brief["groups"]) > 1 else ""
    what = "what is new of " if brief["incremental"] else ""
    return f"Reads {what}{count(brief['files'], 'file')}{parts}, and has every finding confirmed by a second run."


def _steps(tx: Transaction, chain: ChainRow, runs: list[TaskRow], now_ms: int) -> list[StepLine]:
    costs = ledger.cost_by_step(tx, chain.id)
    lines = []
    for step, record in zip(chain.plan.steps, chain.steps, strict=True):
        cost, upper_bound = costs.get(step.name, (0, False))
        own = [task for task in runs if task.step == step.name]
        lines.append(
            StepLine(
                name=step.name,
                state=record.state,
                detail=_detail(record, own),
                model=step.overrides.model or "" if isinstance(step, AgentRun) else "",
                elapsed_ms=_elapsed(record, now_ms),
                cost=cost,
                upper_bound=upper_bound,
            )
        )
    return lines


def _detail(record: StepRow, runs: list[TaskRow]) -> str:
    if not runs:
        return ""
    done = sum(1 for task in runs if task.state in (TaskState.completed, TaskState.failed))
    running = [task.title for task in runs if task.state is TaskState.running]
    progress = f"{done} of {len(runs)}" if record.state is StepState.running else count(len(runs), "run")
    return f"{progress}: {', '.join(running[:3])}" if running else progress


def _elapsed(record: StepRow, now_ms: int) -> int | None:
    if record.started_ms is None or (record.state is StepState.running and record.ended_ms is None):
        return None
    return (record.ended_ms or now_ms) - record.started_ms


def _looked(task: TaskRow) -> Looked:
    seen: dict[str, Any] = (task.outcome or {}).get("looked_at") or {}
    return Looked(
        task=f"{task.step}: {task.title}",
        files=seen.get("files", ()),
        searches=seen.get("searches", ()),
        denied=seen.get("denied", ()),
    )


def _earlier(tx: Transaction, chain: ChainRow) -> list[str]:
    """The thread's earlier runs of the same verb, one line each."""
    rows = tx.execute(
        sa.select(chain_rows.c.id)
        .where(
            chain_rows.c.account_thread == chain.account.thread,
            chain_rows.c.id != chain.id,
            chain_rows.c.state == "done",
            chain_rows.c.created_ms <= chain.created_ms,
        )
        .order_by(chain_rows.c.created_ms.desc())
        .limit(_EARLIER)
    ).scalars()
    return [_one_line(tx, chains.get(tx, each)) for each in rows]


def title_of(chain: ChainRow) -> str:
    """What came of a chain, in a line."""
    gathered = chain.results.get("gather")
    reviewed: Reviewed | None = restored(gathered) if gathered else None
    return headline(chain.outcome, reviewed) if chain.outcome else "unfinished"


def _one_line(tx: Transaction, chain: ChainRow) -> str:
    spent, upper_bound = ledger.cost_of(tx, chain.id)
    head = str(chain.plan.context.get("head", ""))[:9]
    return f"`{head}` {title_of(chain)}, {dollars(spent, upper_bound=upper_bound)}"


def _check(run: Run, facts: Facts) -> CheckRun:
    name = f"claude-pool/{run.verb}"
    if run.outcome is None:
        started = any(step.state != StepState.pending for step in run.steps)
        status = "in_progress" if started else "queued"
        title = next(
            (f"{s.name} {s.detail}".strip() for s in run.steps if s.state == StepState.running), "Waiting"
        )
        return CheckRun(name=name, head=facts.head, status=status, title=title, summary=run.intent)
    found: tuple[Finding, ...] = run.reviewed.confirmed if run.reviewed else ()
    return CheckRun(
        name=name,
        head=facts.head,
        status="completed",
        conclusion=conclusion(run.outcome, found, fail_on=facts.settings.fail_on, on_error=facts.on_error),
        title=headline(run.outcome, run.reviewed)[:200],
        summary=f"{dollars(run.bill.spent, upper_bound=run.bill.upper_bound)} of {dollars(run.bill.cap)}, "
        f"{duration(run.elapsed_ms)}. The findings stand in the pull request's conversation.",
    )
