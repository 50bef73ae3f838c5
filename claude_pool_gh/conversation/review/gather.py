"""Last step: what was confirmed becomes a review, and the chain ends with its outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from pydantic import TypeAdapter

from claude_pool_gh.conversation.lookups import branch_point
from claude_pool_gh.conversation.review.comments import review_of
from claude_pool_gh.conversation.review.facts import ReviewFacts, brief_of, facts_of
from claude_pool_gh.conversation.review.reading import unread_in_words
from claude_pool_gh.conversation.review.stated import remark
from claude_pool_gh.conversation.review.verdict import (
    conclude,
    is_whole,
    place,
    unopened,
    without_generated,
    without_known,
)
from claude_pool_gh.conversation.review.verification import FoundAgain, doubtful, verify_claims
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import carried, fingerprint, quoted_in, requoted, told_again
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.tables import ReviewBasis
from claude_pool_gh.github import reads
from claude_pool_gh.github.effects.resolve_thread import ResolveThread
from claude_pool_gh.github.effects.rows import want, want_last
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.pool.model.digests import changed, with_digests
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.finding_replies import fixed_thread
from claude_pool_gh.reports.views import Remark, ReviewReport
from claude_pool_gh.storage import Transaction
from claude_pool_gh.worktrees import history

_LISTS: Final = ("inline", "more", "outside", "standing", "fixed")
_REMARKS: Final = ("unsettled", "unchecked", "refuted", "before", "hidden")
_PLAIN: Final = (
    "files",
    "known",
    "unopened",
    "left_out",
    "generated",
    "unread",
    "note",
    "posted",
    "without_lines",
    "since",
)
_REMARK: Final = TypeAdapter(Remark)


async def doubts(_desk: Services, context: HostStepContext) -> Done:
    """The critical claims that one reader left open: they get another reader before the review ends.

    Of claims that are kept without a part of them nobody is asked again: those stay open.
    """
    candidates = context.results["check"]["candidates"]
    as_written = "candidates" not in changed(context.results["check"])
    found = doubtful(candidates, context.results["verify"]) if as_written else ()
    asked = [{**candidate, "at": at} for at, candidate in found]
    return Done(with_digests({"candidates": asked}))


async def gather(services: Services, context: HostStepContext) -> Finish:
    """Weigh, place, and want the review: in one transaction with the chain's end, so it is posted once or not."""
    facts = facts_of(context)
    brief, check = brief_of(context), context.results["check"]
    weighed = verify_claims(check["candidates"], context.results["verify"], _reread(context))
    found_again = await _placed_anew(services, facts, weighed.still)
    unmoved = list(map(Finding.model_validate, check["standing"]))
    confirmed, where_they_are = without_known(weighed.confirmed, found_again, unmoved)
    unchecked = [
        *weighed.unchecked,
        *(
            (Finding.model_validate(each["finding"]), str(each["reason"]))
            for each in check["changed"]
        ),
    ]
    confirmed = [
        each for each in confirmed if not any(told_again(each, open_) for open_, _ in unchecked)
    ]
    placed = place(confirmed, brief["hunks"], facts.settings.most_comments)
    unsettled = [*(Remark(**each) for each in check["unsettled"]), *weighed.unsettled]
    diff_alone = unopened(brief["groups"], context.results["find"])
    standing_still = (*where_they_are, *(finding for finding, _ in unchecked))
    outcome = conclude(
        context.results["find"],
        weighed.broken,
        confirmed=len(confirmed) + len(standing_still),
        unsettled=len(unsettled),
        unopened=len(diff_alone),
        unread=len(brief["unread"]),
        not_read=unread_in_words(brief["unreadable"]) if brief["unreadable"] else "",
        only=() if brief.get("whole") else facts.paths,
        nothing=brief["nothing"],
        is_read=bool(brief.get("since")),
    )
    standing = await _standing(services, facts, brief["merge_base"])
    reviewed = ReviewReport(
        files=brief["files"],
        inline=placed.inline,
        more=placed.more,
        outside=placed.outside,
        known=check["known"] + len(weighed.confirmed) - len(confirmed),
        standing=standing_still,
        fixed=tuple(weighed.fixed),
        unsettled=unsettled,
        unchecked=[remark(finding, reason) for finding, reason in unchecked],
        refuted=weighed.refuted,
        before=weighed.before,
        hidden=[Remark(**each) for each in check["hidden"]],
        unopened=diff_alone,
        left_out=[
            *brief["left_out"],
            *(f"{path} ({reason})" for path, reason in brief["unreadable"]),
        ],
        generated=brief["generated"],
        unread=brief["unread"],
        without_lines=brief.get("without_lines", ()),
        since=brief.get("since", ""),
        note=" ".join(filter(None, [standing.note, *brief["unmatched"]])),
        posted=standing.postable,
    )
    if (standing.doubtful or not standing.postable) and outcome.verdict is Verdict.clean:
        outcome = Outcome(verdict=Verdict.skipped, reason=standing.note)
    read_whole = is_whole(outcome)

    def commit(tx: Transaction) -> None:
        now = services.clock.now_ms()
        if not standing.postable:
            return
        for finding in where_they_are:
            tables.carry(tx, facts.key, finding, facts.head)
        # Another review of the thread may have posted some of them meanwhile.
        added = tables.remember(
            tx, facts.key, context.chain_id, context.plan.verb, reviewed.new, now, head=facts.head
        )
        if added:
            fresh = replace(
                reviewed,
                inline=_among(reviewed.inline, added),
                more=_among(reviewed.more, added),
                outside=_among(reviewed.outside, added),
            )
            review = review_of(services.links, facts, brief, fresh)
            want(tx, f"review:{context.chain_id}", facts.thread.repository, review, now)
        for finding in reviewed.fixed:
            settle_fixed(tx, facts, finding, context.chain_id, now)
        if read_whole and not facts.paths:
            against = ReviewBasis(
                head=facts.head, merge_base=brief["merge_base"], digest=brief["digest"]
            )
            tables.set_reviewed(tx, facts.key, against, context.chain_id)

    return Finish(without_generated(outcome, reviewed.generated), stored(reviewed), commit)


def _reread(context: HostStepContext) -> dict[int, dict[str, Any]]:
    """The other readers' answers, by the claim that each is about. A recipe of before this step has none."""
    asked = (context.results.get("doubts") or {}).get("candidates", ())
    return {
        each["at"]: task
        for each, task in zip(asked, context.results.get("reread") or (), strict=True)
    }


async def _placed_anew(
    services: Services, facts: ReviewFacts, still: Sequence[FoundAgain]
) -> list[Finding]:
    """Open findings that were found again, where they stand now; where nobody could say that, where they stood."""
    mirror = services.worktrees.mirror(facts.thread.repository.id).path
    paths = {each.place.path.removeprefix("./") for each in still if each.place is not None}
    files = await history.read_files(mirror, facts.head, paths)
    return [_anew(each, files) for each in still]


def _anew(still: FoundAgain, files: Mapping[str, str]) -> Finding:
    before, place_ = still.finding, still.place
    if place_ is not None:
        path = place_.path.removeprefix("./")
        named = requoted(before, path, place_.start_line, place_.evidence)
        named = named.model_copy(update={"side": "RIGHT"})
        found = quoted_in(named, files[path]) if path in files else None
        if found is not None:
            return carried(before, found)
    return before if still.now is None else carried(before, still.now)


def _among(findings: Sequence[Finding], added: list[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding in added)


def settle_fixed(
    tx: Transaction, facts: ReviewFacts, finding: Finding, chain_id: str, now_ms: int
) -> None:
    """A second reader says that a finding is fixed: note it, and say so under its inline comment."""
    mark = fingerprint(finding)
    if tables.settle(tx, facts.key, mark, tables.Standing.fixed, now_ms):
        settled = ResolveThread(
            number=facts.thread.number,
            mark=tables.mark_of(facts.key, mark),
            reply=fixed_thread(facts.head),
            headline=f"✅ **Fixed** at `{facts.head[:9]}`",
        )
        about = f"settled:{facts.key}:{mark}:"
        key = f"{about}{facts.head[:12]}:{chain_id}"
        want_last(tx, about, key, facts.thread.repository, settled, now_ms)


@dataclass(frozen=True, slots=True)
class _Standing:
    """The pull request's standing at the end."""

    postable: bool
    note: str = ""
    doubtful: bool = False
    """Whether the same head may change something else by now: its base was rewritten or has taken some of it, or nobody
    could say whether it has."""


async def _standing(services: Services, facts: ReviewFacts, merge_base: str) -> _Standing:
    """Check whether a review of the commit that was read still makes sense."""
    try:
        pull = await reads.pull(services.forge, facts.thread)
        if not pull.open:
            return _Standing(
                postable=False, note="the pull request was closed while it was reviewed"
            )
        if pull.base_ref != facts.base_ref:
            return _Standing(
                postable=False,
                note=f"the pull request goes into {pull.base_ref} now, not into {facts.base_ref}",
            )
        if pull.head == facts.head:
            repository = facts.thread.repository
            same = pull.base == facts.base or merge_base == await branch_point.merge_base(
                services, repository, pull.base, pull.head
            )
            note = (
                ""
                if same
                else f"{facts.base_ref} was rewritten or has taken commits of this head since"
            )
            return _Standing(postable=True, note=note, doubtful=not same)
        goes_on = await branch_point.is_ancestor(
            services, facts.thread.repository, facts.head, pull.head
        )
    except ForgeRefused as refusal:
        # what only fails for a while is asked again, with the whole step
        return _Standing(
            postable=True,
            note=f"GitHub did not say how the pull request stands now: {refusal}",
            doubtful=True,
        )
    if goes_on:
        return _Standing(
            postable=True,
            note=f"The head has moved to {pull.head[:9]} since; that is not reviewed yet.",
        )
    return _Standing(
        postable=False, note=f"the branch was rewritten to {pull.head[:9]} while it was reviewed"
    )


def stored(reviewed: ReviewReport) -> dict[str, Any]:
    """The result as JSON, for the step's row."""
    return {
        field.name: [_json(each) for each in value] if isinstance(value, list | tuple) else value
        for field in fields(reviewed)
        for value in [getattr(reviewed, field.name)]
    }


def _json(each: Finding | Remark | str) -> Any:
    match each:
        case Finding():
            return each.model_dump(mode="json")
        case Remark():
            return asdict(each)
        case _:
            return each


def report(chain: ChainRow) -> ReviewReport | None:
    """The part of a chain's tracking comment that shows its review, or what there was instead of anything to read."""
    gathered = chain.results.get("gather")
    if gathered:
        return restored(gathered)
    ended = (chain.results.get("brief") or {}).get("report")
    return restored(ended) if ended else None


def restored(result: Mapping[str, Any]) -> ReviewReport:
    """The result read back from its row, also one of before claims were named by their reasons."""
    lists: dict[str, Any] = {
        name: tuple(map(Finding.model_validate, result.get(name, ()))) for name in _LISTS
    }
    remarks: dict[str, Any] = {
        name: tuple(_REMARK.validate_python(each) for each in found)
        for name in _REMARKS
        if isinstance(found := result.get(name), list)
    }
    plain = {name: result[name] for name in _PLAIN if name in result}
    dropped = tuple(Remark(title=str(each)) for each in result.get("dropped", ()))
    return ReviewReport(**plain, **lists, **({"unsettled": dropped} if dropped else {}) | remarks)
