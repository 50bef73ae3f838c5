"""Shows a chain on GitHub: at every change, in the same transaction, what should now stand there.

The pool calls `changed`; the comment and the check are rendered from the rows as they are in that transaction,
so they can lag behind but never contradict them, and never hang.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.conversation.caps import CONVERSATION, JOB, MONTH_CAP, THREAD_CAP, named
from claude_pool_gh.conversation.changes import checks
from claude_pool_gh.conversation.changes.gates import work_of
from claude_pool_gh.conversation.downloads import url_of
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.tracking import endings, extent, queue_position, shared_commits
from claude_pool_gh.conversation.tracking.chain_pages import ChainPage, read
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.effects.check_run import Button, CheckRun
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.rows import want_all
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Step
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.pool.model.states import APPROVAL, ChainState, StepState, TaskState
from claude_pool_gh.pool.store import continuation, lookup, tasks
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.reports.changes import files_of
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.reports.headline import conclusion, headline, of_another_base
from claude_pool_gh.reports.tracking import tracking, whole
from claude_pool_gh.reports.views import (
    Bill,
    ChangeReport,
    Evidence,
    FileChange,
    HandInReport,
    Resumable,
    Retargeted,
    Run,
    StepLine,
)
from claude_pool_gh.reports.words import count
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.causes import acting_for
from claude_pool_gh.terms.links import Links

_TICKED: Final = 100
_WARNING_SHARE: Final = 0.8
"""Part of a cap from which on its use is shown without being asked for."""

CONTINUABLE: Final = frozenset(
    {Verdict.out_of_budget, Verdict.out_of_turns, Verdict.quota, Verdict.failed}
)


@dataclass(frozen=True, slots=True)
class Progress:
    """The pool's observer."""

    clock: Clock
    verb_handlers: Mapping[str, VerbHandler]
    links: Links | None = None
    runs_in: str = "app"

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Want what should stand on GitHub of a chain as it now is, and of those whose place in the line it changes."""
        seen = self._show(tx, chain_id)
        for other in self._at_its_commit(tx, seen.chain):
            self._show(tx, other)
        if queue_position.moves(seen.chain, seen.runs):
            for other in seen.queue.waiting[: queue_position.TOLD]:
                if other != chain_id:
                    self._show(tx, other, seen.queue)

    def _show(
        self, tx: Transaction, chain_id: str, at: queue_position.SlotQueue | None = None
    ) -> ChainPage:
        now = self.clock.now_ms()
        around = read(tx, chain_id, now, at=at)
        chain, handler = around.own.chain, self.verb_handlers.get(around.own.chain.plan.verb)
        if handler is None:
            return around.own
        facts = facts_of(chain.plan.context, ThreadFacts)
        repository, number = facts.thread.repository, facts.thread.number
        run = self._run(tx, around.own, facts, handler)
        wanted: dict[str, Effect] = {}
        if handler.check and facts.place == "pull" and around.newest_at_head == chain.id:
            key = CheckKey.of(facts.thread, chain.plan.verb, facts.head).format()
            check = _check(run, facts, handler.fail_on(chain))
            if check.conclusion == "success":
                beside = shared_commits.others_at(tx, facts.thread, chain.plan.verb, facts.head)
                check = shared_commits.for_all(check, beside)
            wanted[key] = check
        end = (
            None
            if chain.outcome is None
            else endings.EndedChain(
                chain, facts, chain.outcome, run.report, comment_key(chain, facts)
            )
        )
        if around.newest is not around.own:
            # A later command has taken the comment over, and shows this one as an earlier run.
            chain = around.newest.chain
            facts = facts_of(chain.plan.context, ThreadFacts)
            run = self._run(tx, around.newest, facts, handler)
        wanted[comment_key(chain, facts)] = Comment(number=number, body=tracking(run))
        with acting_for(f"chain:{chain_id}"):
            want_all(tx, repository, wanted, now)
            if end is not None:
                endings.tell(tx, end, self.links, now)
                handler.ended(tx, end.chain, now)
        return around.own

    def _at_its_commit(self, tx: Transaction, chain: ChainRow) -> list[str]:
        """The newest ended chains of the verb for other pull requests at the commit of one that has ended."""
        handler = self.verb_handlers.get(chain.plan.verb)
        if chain.outcome is None or handler is None or not handler.check:
            return []
        facts, verb = facts_of(chain.plan.context, ThreadFacts), chain.plan.verb
        if facts.place != "pull":
            return []
        others = shared_commits.others_at(tx, facts.thread, verb, facts.head)
        keys = [f"{facts.thread.repository.id}:{number}" for number in others]
        return [
            each
            for key in keys
            for each in lookup.ended_of(tx, CONVERSATION, key, limit=1, verb=verb)
        ]

    def running(self, tx: Transaction) -> list[str]:
        """The chains that run: what they show changes by the mere passing of time."""
        return lookup.running(tx, limit=_TICKED)

    def tick(self, tx: Transaction, chain_id: str) -> None:
        """Bring the time and the cost of a chain that runs up to date."""
        if lookup.state_of(tx, chain_id) is ChainState.running:
            self._show(tx, chain_id)

    def _run(
        self, tx: Transaction, seen: ChainPage, facts: ThreadFacts, handler: VerbHandler
    ) -> Run:
        chain, runs = seen.chain, seen.runs
        bill, steps = _bill(seen, self.runs_in), _steps(seen, self.clock.now_ms())
        return Run(
            chain_id=chain.id,
            verb=chain.plan.verb,
            name=_name(chain),
            home=_home(self.links, facts),
            head=facts.head,
            requester=facts.requester.login,
            intent=handler.intent(chain),
            steps=steps,
            bill=bill,
            outcome=chain.outcome,
            waits=chain.state is ChainState.parked and chain.parked_for == APPROVAL,
            elapsed_ms=sum(step.elapsed_ms or 0 for step in steps),
            report=handler.report(tx, chain),
            place=queue_position.place(seen.queue, chain),
            stale=_stale(seen, facts),
            against=_against(seen, facts),
            kept=_kept(tx, seen, bill),
            warnings=_warnings(bill),
            looked=[_looked(task) for task in runs if task.outcome],
            download=url_of(self.links, chain.id, "report") if self.links else "",
            earlier=[self.one_line(tx, each, seen.bill.cost(each.id)) for each in seen.earlier],
        )

    def whole(self, tx: Transaction, chain_id: str) -> str:
        """The tracking comment of a chain, however long it is; "" for a chain that shows nothing."""
        seen = read(tx, chain_id, self.clock.now_ms(), alone=True).own
        handler = self.verb_handlers.get(seen.chain.plan.verb)
        if handler is None:
            return ""
        return whole(self._run(tx, seen, facts_of(seen.chain.plan.context, ThreadFacts), handler))

    def one_line(self, tx: Transaction, chain: ChainRow, cost: tuple[int, bool]) -> str:
        """A chain in a line: commit, verdict, cost."""
        return f"`{chain.labels.head[:9]}` {self.title_of(tx, chain)}, {dollars(cost[0], upper_bound=cost[1])}"

    def title_of(self, tx: Transaction, chain: ChainRow) -> str:
        """The outcome of a chain, or its present place, in a few words."""
        handler = self.verb_handlers.get(chain.plan.verb)
        if chain.state is ChainState.parked or chain.outcome:
            report = None if handler is None else handler.report(tx, chain)
            return headline(chain.outcome, report, chain.plan.verb)
        return "running" if chain.state is ChainState.running else "waiting in the queue"


def comment_key(chain: ChainRow, facts: ThreadFacts) -> str:
    """Key of the comment that shows a chain: one for each verb in a thread, for each workflow and for each audit."""
    own = f":{_own(chain)}" if _own(chain) else ""
    return f"comment:{facts.thread.repository.id}:{facts.thread.number}:{chain.plan.verb}{own}"


def _own(chain: ChainRow) -> str:
    """The workflow that a chain of `run` runs, or the audit that it is; "" for every other verb."""
    return chain.labels.workflow or str(chain.plan.context.get("workflow", ""))


def _name(chain: ChainRow) -> str:
    what = "workflow" if chain.plan.verb == "run" else chain.plan.verb
    return f"{what} `{_own(chain)}`" if _own(chain) else ""


def _home(links: Links | None, facts: ThreadFacts) -> str:
    """The page of the repository."""
    return (
        "" if links is None else f"{links.server.rstrip('/')}/{facts.thread.repository.full_name}"
    )


def _bill(seen: ChainPage, runs_in: str) -> Bill:
    spent, upper_bound = seen.bill.cost(seen.chain.id)
    used = {use.name: use.used for use in seen.bill.uses}
    return Bill(
        spent=spent,
        upper_bound=upper_bound,
        cap=seen.chain.plan.limits.chain,
        usual=seen.bill.usual,
        thread=used.get(THREAD_CAP),
        month=used[MONTH_CAP],
        caps=named(seen.bill.uses, runs_in),
    )


def _stale(seen: ChainPage, facts: ThreadFacts) -> str:
    """The head that the pull request is known to have now, where a chain is about another one."""
    if facts.place != "pull":
        return ""
    return seen.thread_head if seen.thread_head != facts.head else ""


def _against(seen: ChainPage, facts: ThreadFacts) -> Retargeted | None:
    """The base that a chain's change was read against, where the pull request is known to go into another one now."""
    if facts.place != "pull" or seen.thread_base in ("", facts.base_ref):
        return None
    return Retargeted(read=facts.base_ref, now=seen.thread_base)


def _kept(tx: Transaction, seen: ChainPage, bill: Bill) -> Resumable | None:
    """The way on for a chain that ended early; None where it would only end in the same way."""
    chain, own = seen.chain, seen.runs
    if chain.outcome is None or chain.outcome.verdict not in CONTINUABLE or chain.outcome.operator:
        return None
    if not chain.steps or not own or not continuation.can_go_on(tx, chain):
        return None
    more = extent.more(chain, own, min((use.left for use in bill.caps), default=None))
    if more is None:
        return None
    saved = any(task.state is TaskState.completed for task in own)
    return Resumable(
        command=f"/pool continue {chain.id}{more}", files=_files(tx, seen), saved=saved
    )


def _files(tx: Transaction, seen: ChainPage) -> tuple[FileChange, ...]:
    """The changes of the chain's newest run, finished or not."""
    works = tasks.works_of(tx, [task.run_id for task in seen.runs])
    newest = tasks.kept_work(tx, list(works)[-1]) if works else work_of(tx, seen.chain)
    return files_of(newest.patch) if newest else ()


def _warnings(bill: Bill) -> list[str]:
    """Caps that are nearly used up. A job's own is reserved whole from the start, which is nothing to warn of."""
    return [
        f"{100 * use.used // use.limit} % of the cap per {use.name} ({dollars(use.limit)}) is used or reserved."
        for use in bill.caps
        if use.used >= _WARNING_SHARE * use.limit and use.name != JOB
    ]


def _steps(seen: ChainPage, now_ms: int) -> list[StepLine]:
    chain, runs, costs = seen.chain, seen.runs, seen.bill.steps.get(seen.chain.id, {})
    lines = []
    for step, record in zip(chain.plan.steps, chain.steps, strict=True):
        cost, upper_bound = costs.get(step.name, (0, False))
        own = [task for task in runs if task.step == step.name]
        idle = (
            isinstance(step, AgentRun)
            and record.state is StepState.completed
            and record.result == []
        )
        lines.append(
            StepLine(
                name=step.name,
                state=StepState.skipped if idle else record.state,  # there was nothing for it to do
                detail=_detail(record, own) or checks.on_their_way(chain, step, record),
                failed=sum(task.state is TaskState.failed for task in own),
                model=step.overrides.model or "" if isinstance(step, AgentRun) else "",
                elapsed_ms=_elapsed(step, record, own, now_ms),
                cost=cost,
                upper_bound=upper_bound,
            )
        )
    return lines


def _detail(record: StepRow, runs: Sequence[TaskRow]) -> str:
    if not runs:
        return ""
    done = sum(1 for task in runs if task.state in (TaskState.completed, TaskState.failed))
    running = [task.title for task in runs if task.state is TaskState.running]
    failed = sum(task.state is TaskState.failed for task in runs)
    progress = (
        f"{done} of {len(runs)}" if record.state is StepState.running else count(len(runs), "run")
    )
    progress += f", {failed} failed" if failed else ""
    return f"{progress}: {', '.join(running[:3])}" if running else progress


def _elapsed(step: Step, record: StepRow, runs: Sequence[TaskRow], now_ms: int) -> int | None:
    """The time that a step has worked, in milliseconds. What waits for a person, or has waited, does not work."""
    if record.started_ms is None:
        return None
    if record.state is StepState.pending_review or (step.gate and record.ended_ms is not None):
        ended = [task.ended_ms for task in runs if task.ended_ms is not None]
        if ended:
            return max(0, max(ended) - record.started_ms)
        result = record.result if isinstance(record.result, dict) else {}
        return sum(check.elapsed_ms for check in checks.of(result))
    return max(0, (record.ended_ms or now_ms) - record.started_ms)


def _looked(task: TaskRow) -> Evidence:
    seen: dict[str, Any] = (task.outcome or {}).get("looked_at") or {}
    return Evidence(
        task=f"{task.step}: {task.title}",
        files=seen.get("files", ()),
        searches=seen.get("searches", ()),
        denied=seen.get("denied", ()),
    )


def _check(run: Run, facts: ThreadFacts, fail_on: str) -> CheckRun:
    name = f"claude-pool/{run.verb}"
    if run.waits:
        return CheckRun(
            name=name,
            head=facts.head,
            status="completed",
            conclusion="action_required",
            title=headline(None, run.report, run.verb)[:200],
            summary=f"{_cost(run)}. The conversation shows what is waiting and what it would change.",
            buttons=_buttons(run),
        )
    if run.outcome is None:
        started = any(step.state != StepState.pending for step in run.steps)
        status = "in_progress" if started else "queued"
        title = next(
            (f"{s.name} {s.detail}".strip() for s in run.steps if s.state == StepState.running),
            "Waiting",
        )
        return CheckRun(
            name=name, head=facts.head, status=status, title=title[:200], summary=run.intent
        )
    concluded = conclusion(run.outcome, run.report, fail_on=fail_on, on_error=facts.on_error)
    title = headline(run.outcome, run.report, run.verb)
    if run.against is not None and not isinstance(run.report, ChangeReport):
        concluded, title = of_another_base(concluded, title, run.against)
    return CheckRun(
        name=name,
        head=facts.head,
        status="completed" if concluded else "in_progress",
        conclusion=concluded,
        title=title[:200],
        summary=f"{_cost(run)}. The pull request's conversation has the details.",
    )


def _cost(run: Run) -> str:
    spent = dollars(run.bill.spent, upper_bound=run.bill.upper_bound)
    return f"{spent} of {dollars(run.bill.cap)}, {duration(run.elapsed_ms)}"


def _buttons(run: Run) -> tuple[Button, ...]:
    report = run.report
    if not isinstance(report, ChangeReport | HandInReport) or report.stale or not report.gate:
        return ()
    approve = Button(
        label="Approve",
        description=f"Push {report.gate} exactly as shown",
        identifier=f"approve:{report.gate}",
    )
    reject = Button(
        label="Reject", description="Run the agent again", identifier=f"reject:{report.gate}"
    )
    return approve, reject
