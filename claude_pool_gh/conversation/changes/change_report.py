"""A change as its tracking comment shows it: what it is, who must still approve it, and how far it is on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_pool_gh.config.owners import parse as parse_owners
from claude_pool_gh.conversation.changes import checks, patches
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.gates import (
    Needed,
    Policy,
    needed,
    protected,
    work_of,
)
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.github import decisions, thread_rows
from claude_pool_gh.github.access import ACTIONS_BOT
from claude_pool_gh.github.effects.lookups import fate
from claude_pool_gh.pool.model.ports import CapturedChange
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.changes import files_of
from claude_pool_gh.reports.views import ChangeReport, ChangeStatus
from claude_pool_gh.storage import Transaction


def report(tx: Transaction, chain: ChainRow) -> ChangeReport | None:
    """The part of a chain's tracking comment that shows its change; None before there is one."""
    facts = facts_of(chain.plan.context, ChangeFacts)
    result = next((step.result for step in chain.steps if step.name == "propose"), None)
    if not isinstance(result, dict):
        return None
    work = work_of(tx, chain)
    if work is None or "change" not in result:
        return changed(facts, result, None, ChangeStatus.nothing)
    gate = str(result.get("gate", ""))
    approvals = decisions.approvals_of(tx, gate) if gate else []
    outcome = fate(tx, f"change:{chain.id}")
    where = _status(chain, result, None if outcome is None else outcome.state, facts)
    paths = [file.path for file in files_of(work.patch)]
    missing = needed(
        facts.policy,
        approvals,
        paths,
        requester_id=facts.requester.id,
        rules=parse_owners(facts.codeowners),
    )
    step = next(each for each in chain.plan.steps if each.name == "propose")
    record = next(each for each in chain.steps if each.name == (step.again_from or step.name))
    told = replies.still_needed(missing.people, missing.why, missing.owners)
    return changed(
        facts,
        result,
        work,
        where,
        gate=gate,
        stale=moved_on(tx, facts) if where is ChangeStatus.waiting else "",
        approved_by=tuple(each.login for each in approvals),
        still_needed=told if _partly(missing, approvals, facts) else "",
        commit=_let_out_as(chain),
        refused="" if outcome is None else outcome.error,
        pull=outcome.remote_id if outcome and where is ChangeStatus.proposed else None,
        rejections=len(record.rejections),
        most_rejections=step.max_rejections,
    )


def _let_out_as(chain: ChainRow) -> str:
    """The commit that goes out; "" before it was approved, since its message says who did that."""
    every = (step.result for step in chain.steps if isinstance(step.result, dict))
    return next((str(result["change"]["commit"]) for result in every if result.get("let_out")), "")


def open_questions(facts: ChangeFacts, questions: Sequence[str]) -> ChangeReport:
    """The report where nobody knows yet what to change."""
    return changed(facts, {}, None, ChangeStatus.nothing, questions=tuple(questions))


def moved_on(tx: Transaction, facts: ThreadFacts) -> str:
    """The reason why a gate cannot be opened any more, by GitHub's events; an approval looks for itself."""
    known = thread_rows.known(tx, facts.key)
    if known is None or facts.place != "pull":
        return ""
    if not known.open:
        return "the pull request was closed"
    if known.head and known.head != facts.head:
        return f"the head has moved to {known.head[:9]}"
    if known.base and known.base != facts.base_ref:
        return f"the pull request goes into {known.base} now, not into {facts.base_ref}"
    return ""


def _partly(missing: Needed, approvals: list[decisions.Approval], facts: ChangeFacts) -> bool:
    """True where it is worth saying who is needed: not where one approval by anybody is all."""
    usual = facts.policy == Policy() and missing.people <= 1 and not missing.owners
    return bool(approvals) or not usual


def _status(
    chain: ChainRow, result: dict[str, Any], effect: str | None, facts: ChangeFacts
) -> ChangeStatus:
    if "fate" in result:
        return ChangeStatus(result["fate"])
    if chain.state is not ChainState.done:
        return ChangeStatus.waiting
    match effect:
        case "written":
            return ChangeStatus.proposed if facts.into else ChangeStatus.pushed
        case "refused" | "gone":
            return ChangeStatus.refused
        case _:  # wanted, however long it takes
            return ChangeStatus.writing


def changed(
    facts: ChangeFacts,
    result: dict[str, Any],
    work: CapturedChange | None,
    where: ChangeStatus,
    **more: Any,
) -> ChangeReport:
    """The report on a change that has come as far as `where`; `more`: further fields of it."""
    files = files_of(work.patch) if work else ()
    prose = result.get("prose") or {}
    shown = work is not None and (where is ChangeStatus.patch_only or len(work.patch) < 20_000)
    return ChangeReport(
        files=files,
        protected=protected([file.path for file in files], facts.policy.protected),
        parent=facts.head,
        digest=result.get("digest", ""),
        branch=facts.branch,
        fate=where,
        opens_pull=bool(facts.into),
        by_job=result.get("change", {}).get("author_name") == ACTIONS_BOT,
        checked=checks.of(result),
        checks=result.get("checks", ""),
        download=result.get("download", ""),
        suspects=patches.suspects(work.patch) if work else (),
        patch=work.patch.decode(errors="replace") if shown and work else "",
        title=prose.get("title", ""),
        prose=prose.get("body", ""),
        **more,
    )
