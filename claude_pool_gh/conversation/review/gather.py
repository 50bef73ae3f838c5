"""Last step: what was confirmed becomes a review, and the chain ends with its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from claude_pool_gh.conversation.desk import Desk
from claude_pool_gh.conversation.review.comments import review_of
from claude_pool_gh.conversation.review.facts import ReviewFacts, facts_of
from claude_pool_gh.conversation.review.reading import unread_in_words
from claude_pool_gh.conversation.review.verdict import conclude, place, weigh
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.github import reads
from claude_pool_gh.github.effects.kinds import Settled
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.pool.chains import ChainRow
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.ports import Finish, HostStepContext
from claude_pool_gh.reports.replies import fixed_thread
from claude_pool_gh.reports.views import Reviewed
from claude_pool_gh.storage import Transaction

_LISTS: Final = ("inline", "more", "outside", "standing", "fixed")


async def gather(desk: Desk, context: HostStepContext) -> Finish:
    """Weigh, place, and want the review: in one transaction with the chain's end, so it is posted once or not."""
    facts = facts_of(context)
    brief, check = context.results["brief"], context.results["check"]
    weighed = weigh(check["candidates"], context.results["verify"])
    placed = place(weighed.confirmed, brief["hunks"], facts.settings.most_comments)
    standing_still = tuple(map(Finding.model_validate, check["standing"]))
    outcome = conclude(
        context.results["find"],
        context.results["verify"],
        confirmed=len(weighed.confirmed) + len(standing_still),
        unread=len(brief["unread"]),
        not_read=unread_in_words(brief["unreadable"]) if brief["unreadable"] else "",
        unverified=check["unverified"],
        only=facts.paths,
    )
    standing = await _standing(desk, facts)
    reviewed = Reviewed(
        files=brief["files"],
        inline=placed.inline,
        more=placed.more,
        outside=placed.outside,
        known=check["known"],
        standing=standing_still,
        fixed=tuple(map(Finding.model_validate, check["fixed"])) if _is_whole(outcome) else (),
        refuted=weighed.refuted,
        unsure=weighed.unsure,
        dropped=check["dropped"],
        left_out=[*brief["left_out"], *(f"{path} ({reason})" for path, reason in brief["unreadable"])],
        unread=brief["unread"],
        note=" ".join(filter(None, [standing.note, *brief["unmatched"]])),
        posted=standing.postable,
    )
    if not standing.postable and outcome.verdict is Verdict.clean:
        outcome = Outcome(verdict=Verdict.skipped, reason=standing.note)

    def commit(tx: Transaction) -> None:
        now = desk.clock.now_ms()
        if not standing.postable:
            return
        # Another review of the thread may have posted some of them meanwhile.
        added = tables.remember(tx, facts.key, context.chain_id, context.plan.verb, reviewed.new, now)
        if added:
            fresh = replace(
                reviewed,
                inline=_among(reviewed.inline, added),
                more=_among(reviewed.more, added),
                outside=_among(reviewed.outside, added),
            )
            review = review_of(desk.links, facts, brief, fresh)
            want(tx, f"review:{context.chain_id}", facts.thread.repository, review, now)
        for finding in reviewed.fixed:
            settle_fixed(tx, facts, finding, now)
        if _is_whole(outcome) and not facts.paths and not brief["unreadable"]:
            tables.set_reviewed(tx, facts.key, facts.head, context.chain_id)

    return Finish(outcome.model_dump(mode="json"), stored(reviewed), commit)


def _is_whole(outcome: Outcome) -> bool:
    """Whether everything was read that was to be read."""
    return outcome.verdict in (Verdict.clean, Verdict.findings)


def _among(findings: Sequence[Finding], added: list[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding in added)


def settle_fixed(tx: Transaction, facts: ReviewFacts, finding: Finding, now_ms: int) -> None:
    """The code of a finding is gone: note it, and say so under its inline comment."""
    mark = fingerprint(finding)
    if tables.settle(tx, facts.key, mark, tables.Standing.fixed, now_ms):
        settled = Settled(
            number=facts.thread.number,
            mark=tables.mark_of(facts.key, mark),
            reply=fixed_thread(facts.head),
            headline=f"✅ **Fixed** at `{facts.head[:9]}`",
        )
        want(tx, f"settled:{facts.key}:{mark}:{facts.head[:12]}", facts.thread.repository, settled, now_ms)


@dataclass(frozen=True, slots=True)
class _Standing:
    """How the pull request stands at the end."""

    postable: bool
    note: str = ""


async def _standing(desk: Desk, facts: ReviewFacts) -> _Standing:
    """Whether a review of the commit that was read still makes sense."""
    try:
        pull = await reads.pull(desk.forge, facts.thread)
        if not pull.open:
            return _Standing(postable=False, note="the pull request was closed while it was reviewed")
        if pull.head == facts.head:
            return _Standing(postable=True)
        commits = [commit for commit, _ in await reads.commit_messages(desk.forge, facts.thread)]
    except ForgeError:
        return _Standing(postable=True)  # the writer of effects will find out
    if facts.head in commits:
        return _Standing(
            postable=True, note=f"The head has moved to {pull.head[:9]} since; that is not reviewed yet."
        )
    return _Standing(
        postable=False, note=f"the branch was rewritten to {pull.head[:9]} while it was reviewed"
    )


def stored(reviewed: Reviewed) -> dict[str, Any]:
    """The result as JSON, for the step's row."""
    return {
        "files": reviewed.files,
        "inline": [finding.model_dump(mode="json") for finding in reviewed.inline],
        "more": [finding.model_dump(mode="json") for finding in reviewed.more],
        "outside": [finding.model_dump(mode="json") for finding in reviewed.outside],
        "known": reviewed.known,
        "standing": [finding.model_dump(mode="json") for finding in reviewed.standing],
        "fixed": [finding.model_dump(mode="json") for finding in reviewed.fixed],
        "refuted": reviewed.refuted,
        "unsure": reviewed.unsure,
        "dropped": list(reviewed.dropped),
        "left_out": list(reviewed.left_out),
        "unread": list(reviewed.unread),
        "note": reviewed.note,
        "posted": reviewed.posted,
    }


def report(chain: ChainRow) -> Reviewed | None:
    """What a chain's tracking comment shows of its review."""
    gathered = chain.results.get("gather")
    return restored(gathered) if gathered else None


def restored(result: dict[str, Any]) -> Reviewed:
    """The result read back from its row."""
    lists = {name: tuple(map(Finding.model_validate, result[name])) for name in _LISTS}
    return Reviewed(**(result | lists))
