"""A change's way out, shared by every verb whose agents edit files: laid before people, approved, pushed.

The agent's work comes as a patch in our rows. The host counts it, makes the commit that would go out, and parks the
chain. Only what was shown under a gate's ID can be approved, and only that commit is pushed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from claude_pool_gh.conversation.changes import checks, messages, patches, trial
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.change_report import changed
from claude_pool_gh.conversation.changes.gates import (
    gate_id,
    plan_digest,
    work_of,
)
from claude_pool_gh.conversation.downloads import url_of
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.github import decisions, reads
from claude_pool_gh.github.effects.change import Authority, Change
from claude_pool_gh.github.effects.proposal import Proposal
from claude_pool_gh.github.effects.push import Push
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import CapturedChange, Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.changes import files_of, summary
from claude_pool_gh.reports.neutralize import neutralize
from claude_pool_gh.reports.views import ChangeStatus, FileChange
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.snapshot import Signature

logger = logging.getLogger(__name__)


# ---- laid before people


async def propose(
    services: Services, context: HostStepContext, facts: ChangeFacts
) -> Done | Finish:
    """The chain's work as a commit with the host's facts; the chain ends here where there is nothing to approve."""
    chain = await services.database.read(lambda tx: chains.get(tx, context.chain_id))
    work = await services.database.read(lambda tx: work_of(tx, chain))
    if work is None or not work.patch:
        return Finish(_answered(), {"fate": ChangeStatus.nothing, "prose": _prose(context)})
    files = _counted(work)
    patches.check(
        work.patch,
        files,
        most_files=facts.most_files,
        most_lines=facts.most_lines,
        is_ours=services.holds_secret,
    )
    result = await _result(services, facts, chain, work, _prose(context))
    tried = trial.known(context.results, work.digest)
    result |= tried or await checks.run(services, facts, result["change"]["commit"])
    if facts.fork:
        return Finish(_answered(), result | {"fate": ChangeStatus.patch_only})
    result |= {"gate": _own_gate(chain, facts, work)}
    told = replies.gate_ready(
        chain.plan.verb,
        facts.requester.login,
        result["gate"],
        summary(changed(facts, result, work, ChangeStatus.waiting)),
    )

    def tell(tx: Transaction) -> None:
        reply = Reply(number=facts.thread.number, body=told)
        want(tx, f"gate:{result['gate']}", facts.thread.repository, reply, services.clock.now_ms())

    return Done(result, tell)


def _counted(work: CapturedChange) -> tuple[FileChange, ...]:
    try:
        return files_of(work.patch)
    except ValueError as error:
        raise StepFailed(f"the patch cannot be read: {error}") from error


async def _result(
    services: Services,
    facts: ChangeFacts,
    chain: ChainRow,
    work: CapturedChange,
    prose: dict[str, str],
) -> dict[str, Any]:
    subject = await _subject(services, facts)
    return {
        "subject": subject,
        "change": await _commit(services, chain, facts, work, subject),
        "digest": work.digest,
        "prose": prose,
        "download": url_of(services.links, chain.id, "patch"),
    }


def signature(change: dict[str, Any]) -> Signature:
    """The parts of a commit that make its id."""
    return Signature(
        message=change["message"],
        name=change["author_name"],
        email=change["author_email"],
        when_s=change["made_s"],
    )


async def _subject(services: Services, facts: ChangeFacts) -> dict[str, Any]:
    """The work done, for the commit's message: from the host's facts, not from what an agent says of its work.

    As it is when the change is shown: whoever may word a title must not word a commit that is approved already.
    """
    every = (
        await services.database.read(lambda tx: findings.every(tx, facts.findings_of or facts.key))
        if facts.marks
        else []
    )
    fixed = [
        [known.finding.title, known.finding.path] for known in every if known.mark in facts.marks
    ]
    words = facts.problems
    if facts.place == "issue" and not (fixed or words):
        words = (await reads.issue(services.forge, facts.thread)).title
    return {"fixed": fixed, "words": words}


def _message(
    services: Services,
    chain: ChainRow,
    facts: ChangeFacts,
    subject: dict[str, Any],
    approved_by: Sequence[str] = (),
) -> str:
    """The commit's message."""
    what = "pull request" if facts.place == "pull" else "issue"
    return messages.message(
        chain.plan.verb,
        f"{what} {facts.thread.number}",
        [messages.FixedItem(title, path) for title, path in subject["fixed"]],
        subject["words"],
        requested_by=facts.requester.login,
        approved_by=approved_by,
        chain=chain.id,
        is_ours=services.holds_secret,
    )


async def _commit(
    services: Services,
    chain: ChainRow,
    facts: ChangeFacts,
    work: CapturedChange,
    subject: dict[str, Any],
    approved_by: Sequence[str] = (),
) -> dict[str, Any]:
    """All that makes the change's commit, and its id."""
    account = await services.forge.access.account(facts.thread.repository)
    change = {
        "run_id": _run_of(chain),
        "parent": facts.head,
        "message": _message(services, chain, facts, subject, approved_by),
        "author_name": account.login,
        "author_email": f"{account.id}+{account.login}@users.noreply.github.com",
        "made_s": chain.created_ms // 1000,
    }
    repository = facts.thread.repository.id
    try:
        await services.worktrees.fetch(repository, [facts.head], facts.refs)
        commit = await services.worktrees.commit(repository, work, facts.head, signature(change))
        plain = await services.worktrees.plain_bytes_in_lfs(repository, facts.head, commit)
    except WorktreeError as error:
        raise StepFailed(f"the change cannot be made a commit: {error.what}", ours=True) from error
    if plain:
        named = ", ".join(plain[:5]) + (f" and {len(plain) - 5} more" if len(plain) > 5 else "")
        raise StepFailed(
            f"files of Git LFS are changed, which only its own program can store: {named}"
        )
    return change | {"commit": commit}


def _run_of(chain: ChainRow) -> str:
    work = chain.work
    return str(work["run"]) if work else ""


def _prose(context: HostStepContext) -> dict[str, str]:
    """The agents' words on their change: the description where one was written, else the last one's words."""
    described = (context.results.get("describe") or [{}])[0].get("structured")
    if isinstance(described, dict):
        return {"title": str(described.get("title", "")), "body": str(described.get("body", ""))}
    texts = [
        str(runs[0].get("text") or "")
        for runs in context.results.values()
        if isinstance(runs, list) and runs
    ]
    return {"title": "", "body": next((text for text in reversed(texts) if text), "")}


def _own_gate(chain: ChainRow, facts: ChangeFacts, work: CapturedChange) -> str:
    step = next(each for each in chain.plan.steps if each.name == _gate_step(chain))
    first = step.again_from or step.name
    rejections = len(next(each.rejections for each in chain.steps if each.name == first))
    return gate_id(
        chain.id,
        step.name,
        rejections,
        head=facts.head,
        merge_base=facts.merge_base,
        patch=work.digest,
        plan=plan_digest(chain.plan, facts.config_blob),
    )


def _gate_step(chain: ChainRow) -> str:
    return next(
        step.name
        for step, record in zip(chain.plan.steps, chain.steps, strict=True)
        if step.gate
        and record.state in (StepState.running, StepState.pending_review, StepState.pending)
    )


def _answered() -> Outcome:
    return Outcome(verdict=Verdict.answered)


# ---- let out


async def let_out(services: Services, context: HostStepContext, facts: ChangeFacts) -> Finish:
    """Want the push, or the new branch and its pull request, in one transaction with the chain's end.

    What was approved is the patch at its parent; the commit made of it now says also who approved it.
    """
    result = context.results["propose"]
    chain = await services.database.read(lambda tx: chains.get(tx, context.chain_id))
    work = await services.database.read(lambda tx: work_of(tx, chain))
    if work is None or work.digest != result["digest"]:
        raise StepFailed("the work that was approved is not kept any more", ours=True)
    approvals = await services.database.read(lambda tx: decisions.approvals_of(tx, result["gate"]))
    people = {each.actor_id: each.login for each in approvals} | {
        facts.requester.id: facts.requester.login
    }
    actors = tuple(
        facts.requester.model_copy(update={"id": id_, "login": login})
        for id_, login in people.items()
    )
    authority = Authority(actors=actors, least=facts.least_role)
    # A change that an earlier version has shown has no subject of that moment.
    subject = result.get("subject") or await _subject(services, facts)
    made = await _commit(services, chain, facts, work, subject, [each.login for each in approvals])
    change = Change.model_validate(made)
    effect: Push | Proposal
    if facts.into:
        effect = Proposal(
            branch=facts.branch,
            base=facts.into,
            change=change,
            draft=facts.draft,
            authority=authority,
            title=_title(context, facts, made["message"]),
            body=_body(context, facts),
        )
    else:
        effect = Push(
            number=facts.thread.number, branch=facts.branch, change=change, authority=authority
        )

    def commit(tx: Transaction) -> None:
        key = f"change:{context.chain_id}"
        want(
            tx,
            key,
            facts.thread.repository,
            effect,
            services.clock.now_ms(),
            chain_id=context.chain_id,
        )

    return Finish(_answered(), {"let_out": True, "change": made}, commit)


def _title(context: HostStepContext, facts: ChangeFacts, message: str) -> str:
    """The agent's title, else what the host says of the commit where that names a finding."""
    own = (
        message.split("\n", 1)[0]
        if facts.findings_of
        else f"Changes for issue {facts.thread.number}"
    )
    return messages.title(context.results["propose"]["prose"]["title"], own)


def _body(context: HostStepContext, facts: ChangeFacts) -> str:
    """The agent's description without life, and the host's own lines, which are alive."""
    prose = neutralize(context.results["propose"]["prose"]["body"], 6_000)
    closes = facts.place == "issue" and not facts.findings_of  # a report issue stays
    tie = f"{'Closes' if closes else 'For'} #{facts.thread.number}"
    if facts.findings_of:
        tie += ", finding " + ", ".join(f"`{mark[:8]}`" for mark in facts.marks)
    said = checks.in_a_line(context.results["propose"])
    foot = f"<sub>Made by an agent for `{facts.requester.login}` · `{context.chain_id}` · checks: {said}</sub>"
    return "\n\n".join(filter(None, (prose, tie, foot)))


def host_steps(services: Services) -> dict[str, HostStep]:
    """The steps that lay a change before people and let it out, for the recipes that name them."""

    async def lay(context: HostStepContext) -> Done | Finish:
        return await propose(services, context, facts_of(context.plan.context, ChangeFacts))

    async def out(context: HostStepContext) -> Finish:
        return await let_out(services, context, facts_of(context.plan.context, ChangeFacts))

    return {**trial.host_steps(services), checks.STEP: lay, "change.push": out, "change.open": out}
