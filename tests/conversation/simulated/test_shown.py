"""What stands on GitHub of a run: one comment for each verb of a thread, and one check for each commit."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.verbs.run import RunFacts
from claude_pool_gh.github import thread_rows
from claude_pool_gh.github.effects import lookups
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.ports import AgentOutcome, Ending
from claude_pool_gh.pool.store import chains, ledger, steps, tasks
from claude_pool_gh.rehearsal.github import Issue
from tests.conversation.simulated.kit import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


def show(desk: Desk, chain_id: str) -> None:
    desk.do(lambda tx: desk.worker.observer.changed(tx, chain_id))


def check(desk: Desk, facts: ChangeFacts, verb: str = "fix") -> CheckRun | None:
    key = f"check:{facts.key}:{verb}:{facts.head}"
    found = desk.do(lambda tx: lookups.wanted_of(tx, key))
    assert found is None or isinstance(found, CheckRun)
    return found


async def comment(desk: Desk, at: Issue, verb: str = "fix") -> str:
    return (await desk.wanted("comment")).get(f"comment:{desk.shop.id}:{at.number}:{verb}", "")


def work(desk: Desk, chain_id: str, shards: int = 1, spent: int = 0) -> list[str]:
    """Agents that work at the first step of a chain."""
    now = desk.clock.now
    names = [f"{chain_id}.mend.{shard}" for shard in range(shards)]
    with desk.database.engine.begin() as tx:
        steps.begin(tx, chains.get(tx, chain_id).steps[0], now)
        for shard, name in enumerate(names):
            tasks.add(tx, name, chain_id, "mend", shard, f"part {shard}", now)
        for name in names[:4]:
            task = tasks.begin(tx, tasks.get(tx, name), "slot-0", "m", now)
            ledger.reserve_task(
                tx, task.run_id, chain_id, "mend", most=500_000, least=1, now_ms=now
            )
        if spent:
            ledger.reserve_request(tx, f"q{chain_id}", f"{names[0]}.1", "m", spent, now)
            ledger.settle_request(tx, f"q{chain_id}", spent, now)
    return names


def over(desk: Desk, name: str, ending: Ending, **outcome: Any) -> None:
    end = AgentOutcome(ending=ending, **outcome)
    desk.do(lambda tx: tasks.end(tx, tasks.get(tx, name), end, desk.clock.now))


# ---- the check


async def test_a_run_that_has_not_begun_is_queued(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    show(desk, desk.chain(facts, begun=False))
    found = check(desk, facts)
    assert found is not None
    assert (found.status, found.conclusion, found.title) == ("queued", None, "Waiting")
    assert found.name == "claude-pool/fix"
    assert found.summary.endswith("waits for approval of the exact patch.")


async def test_while_it_runs_its_step_is_told(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    chain_id = desk.chain(facts)
    names = work(desk, chain_id, shards=6)
    over(desk, names[0], Ending.completed)
    over(desk, names[1], Ending.failed, reason="broke")
    show(desk, chain_id)
    found = check(desk, facts)
    assert found is not None
    assert (found.status, found.conclusion) == ("in_progress", None)
    assert found.title == "mend 2 of 6, 1 failed: part 2, part 3"
    assert "mend" in await comment(desk, pull)


async def test_a_patch_that_waits_has_its_buttons(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    chain_id, gate = desk.shown(facts)
    show(desk, chain_id)
    found = check(desk, facts)
    assert found is not None
    assert (found.status, found.conclusion) == ("completed", "action_required")
    assert found.title == "AWAITING APPROVAL: 1 file, +1 -1"
    assert [(each.label, each.identifier) for each in found.buttons] == [
        ("Approve", f"approve:{gate}"),
        ("Reject", f"reject:{gate}"),
    ]
    assert f"/pool approve {gate}" in await comment(desk, pull)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"head": "e" * 40}, "the head has moved to `eeeeeeeee`"),
        ({"base": "release"}, "the pull request goes into release now, not into main"),
        ({"is_open": False}, "the pull request was closed"),
        ({"head": "e" * 40, "is_open": False}, "the pull request was closed"),
    ],
    ids=["moved", "retargeted", "closed", "closed and moved"],
)
async def test_a_patch_that_cannot_be_approved_any_more_has_none(
    desk: Desk, told: dict[str, Any], why: str
) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    chain_id, gate = desk.shown(facts)
    desk.do(lambda tx: thread_rows.note(tx, facts.key, **told))
    show(desk, chain_id)
    found = check(desk, facts)
    assert found is not None
    assert (found.title, found.buttons) == (f"NOT APPLIED: {why}", ())
    assert f"/pool approve {gate}" not in await comment(desk, pull)


@pytest.mark.parametrize(
    ("verdict", "outcome", "conclusion", "title"),
    [
        (Verdict.failed, {"reason": "it broke"}, "failure", "NOT DONE: it broke"),
        (Verdict.failed, {"reason": "it broke", "ours": True}, "neutral", "NOT DONE: it broke"),
        (Verdict.cancelled, {}, "cancelled", "NOT DONE: cancelled"),
        (Verdict.out_of_budget, {}, "action_required", "NOT DONE: out of budget"),
        (Verdict.skipped, {"reason": "no file"}, "neutral", "NOT DONE: no file"),
    ],
)
async def test_the_end_is_concluded(
    desk: Desk, verdict: Verdict, outcome: Any, conclusion: str, title: str
) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    chain_id = desk.chain(facts)
    work(desk, chain_id, spent=250_000)
    show(desk, desk.end(chain_id, verdict, **outcome))
    found = check(desk, facts)
    assert found is not None
    assert (found.status, found.conclusion, found.title) == ("completed", conclusion, title)
    assert found.summary.startswith("$0.25 of $3.00, ")


async def test_a_repository_may_let_our_own_failures_fail(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull, on_error="failure")
    show(desk, desk.end(desk.chain(facts), Verdict.failed, reason="it broke", ours=True))
    found = check(desk, facts)
    assert found is not None
    assert found.conclusion == "failure"


async def test_an_issue_has_no_check(desk: Desk) -> None:
    issue = desk.problem()
    facts = desk.facts(issue)
    show(desk, desk.end(desk.chain(facts)))
    assert check(desk, facts) is None
    assert "NOT DONE: out of budget" in await comment(desk, issue)


async def test_an_earlier_run_at_the_commit_leaves_the_newer_ones_check_alone(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    first = desk.end(desk.chain(facts), Verdict.failed, reason="the first")
    second = desk.end(desk.chain(facts), Verdict.failed, reason="the second")
    for chain_id in (second, first):
        show(desk, chain_id)
        found = check(desk, facts)
        assert found is not None
        assert found.title == "NOT DONE: the second"
        assert "NOT DONE: the second" in await comment(desk, pull)


async def test_each_commit_has_a_check_of_its_own(desk: Desk) -> None:
    pull = desk.topic()
    old = desk.facts(pull, head="e" * 40)
    first = desk.end(desk.chain(old), Verdict.failed, reason="the first")
    desk.end(desk.chain(desk.facts(pull)), Verdict.failed, reason="the second")
    show(desk, first)
    found = check(desk, old)
    assert found is not None
    assert found.title == "NOT DONE: the first"


# ---- the comment


async def test_a_run_against_another_base_says_so(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    chain_id = desk.chain(facts, "ask")
    for base, is_told in (("main", False), ("release", True)):
        with desk.database.engine.begin() as tx:
            thread_rows.note(tx, facts.key, base=base)
        show(desk, chain_id)
        assert ("release" in await comment(desk, pull, "ask")) is is_told


async def test_a_run_about_an_older_head_says_so(desk: Desk) -> None:
    pull = desk.topic()
    facts = desk.facts(pull)
    chain_id = desk.chain(facts, "ask")
    for head, is_told in ((facts.head, False), ("e" * 40, True)):
        with desk.database.engine.begin() as tx:
            thread_rows.note(tx, facts.key, head=head)
        show(desk, chain_id)
        assert ("eeeeeeeee" in await comment(desk, pull, "ask")) is is_told


async def test_earlier_runs_of_the_verb_stand_below_the_newest_five_first(desk: Desk) -> None:
    pull = desk.topic()
    reasons = [f"reason {number}" for number in range(7)]
    ended = [
        desk.end(desk.chain(desk.facts(pull)), Verdict.failed, reason=reason) for reason in reasons
    ]
    desk.end(desk.chain(desk.facts(pull), "ask"), Verdict.failed, reason="another verb")
    show(desk, ended[-1])
    text = await comment(desk, pull)
    lines = [line for line in text.splitlines() if "NOT DONE: reason" in line and "$0.00" in line]
    assert [reason for line in lines for reason in reasons if reason in line] == reasons[5:0:-1]
    assert "another verb" not in text


async def test_each_workflow_has_a_comment_of_its_own(desk: Desk) -> None:
    pull = desk.topic()
    for name in ("tidy", "sweep"):
        own = desk.facts(pull).model_dump() | {"workflow": name, "arguments": {}}
        facts = RunFacts.model_validate(own)
        show(desk, desk.chain(facts, "run"))
    every = await desk.wanted("comment")
    found = {
        key.rpartition(":")[2]: text for key, text in every.items() if f":{pull.number}:run:" in key
    }
    assert set(found) == {"tidy", "sweep"}
    assert "workflow `tidy`" in found["tidy"]


async def test_the_way_on_is_told_where_there_is_one(desk: Desk) -> None:
    pull = desk.topic()
    chain_id = desk.chain(desk.facts(pull))
    (name,) = work(desk, chain_id)
    over(desk, name, Ending.out_of_budget, short=4_000_000)
    show(desk, desk.end(chain_id))
    assert f"/pool continue {chain_id} --budget 5.00" in await comment(desk, pull)


@pytest.mark.parametrize(
    ("verdict", "outcome", "works"),
    [
        (Verdict.out_of_budget, {"operator": True}, True),
        (Verdict.out_of_budget, {"anew": True}, True),
        (Verdict.cancelled, {}, True),
        (Verdict.answered, {}, True),
        (Verdict.out_of_budget, {}, False),
    ],
    ids=["an operator must act", "only anew", "cancelled", "answered", "nothing was begun"],
)
async def test_no_way_on_is_told_that_leads_nowhere(
    desk: Desk, verdict: Verdict, outcome: Any, works: bool
) -> None:
    pull = desk.topic()
    chain_id = desk.chain(desk.facts(pull))
    if works:
        over(desk, work(desk, chain_id)[0], Ending.failed)
    show(desk, desk.end(chain_id, verdict, **outcome))
    assert "/pool continue" not in await comment(desk, pull)


@pytest.mark.parametrize(("limit", "warns"), [(799_999_999, False), (800_000_000, True)])
async def test_a_cap_that_is_nearly_used_up_is_told(desk: Desk, limit: int, warns: bool) -> None:
    pull = desk.topic()
    show(desk, desk.chain(desk.facts(pull), limit=limit))
    text = await comment(desk, pull)
    told = "80 % of the cap per thread ($1000.00) is used or reserved."
    assert (told in text) is warns


async def test_a_run_of_a_verb_that_there_is_not_shows_nothing(desk: Desk) -> None:
    pull = desk.topic()
    chain_id = desk.chain(desk.facts(pull), "gone")
    show(desk, chain_id)
    assert await comment(desk, pull, "gone") == ""
