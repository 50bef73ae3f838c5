"""The report issue between two results: a run under way, one that ended without a result, the schedule as it is."""

from __future__ import annotations

import pytest

from claude_pool_gh.audits import schedule_rows
from claude_pool_gh.audits.outputs import issue
from claude_pool_gh.audits.schedule import PassedOver, PassOver
from claude_pool_gh.conversation.audit.scheduler import AuditScheduler
from claude_pool_gh.conversation.audit.since import _without_result, waiting
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from tests.conversation import rows
from tests.conversation.simulated.kit import Desk, Heard
from tests.pool.make import DAY

pytestmark = pytest.mark.asyncio(loop_scope="module")
CANCELLED = Outcome(verdict=Verdict.cancelled)
UNCHANGED = Outcome(verdict=Verdict.skipped, reason="nothing has changed")
NIGHTLY = 'audits: {night: {schedule: {cron: "0 4 * * *", timezone: UTC}}}\n'
OTHERWISE = 'audits: {night: {schedule: {cron: "30 5 * * *", timezone: UTC}}}\n'


def reported(desk: Desk, audit: str) -> None:
    """Let the audit have its report issue."""
    key = issue.key(desk.shop.id, audit)
    desk.do(lambda tx: want(tx, key, desk.repository, waiting(audit), desk.clock.now))


async def since(desk: Desk, audit: str) -> str:
    """What the report issue says of the time since its result."""
    return (await desk.wanted("report_issue", "since"))[issue.key(desk.shop.id, audit)]


def over(desk: Desk, heard: Heard, verdict: Verdict, reason: str = "") -> None:
    """Let a run be over before it has gathered anything, and shown as that."""
    assert heard.chain is not None
    chain_id = desk.end(heard.chain.id, verdict, reason=reason)
    desk.do(lambda tx: desk.worker.observer.changed(tx, chain_id))


async def test_a_run_is_told_while_it_lasts_and_where_it_ends_without_a_result(desk: Desk) -> None:
    reported(desk, "tests")
    asked_in = desk.problem()
    heard = await desk.say("/pool audit tests", at=asked_in)
    assert await since(desk, "tests") == f"A run is under way: #{asked_in.number} shows it."
    over(desk, heard, Verdict.cancelled)
    told = await since(desk, "tests")
    assert told.startswith("⚠️ The run that ended on ")
    assert told.endswith(
        f"(in #{asked_in.number}) has no result, and changes nothing here: NOT AUDITED: cancelled."
    )
    again = await desk.say("/pool audit tests", at=desk.problem())
    assert (await since(desk, "tests")).startswith("A run is under way: #")
    over(desk, again, Verdict.skipped, "nothing has changed")
    assert "had nothing to read: NOT AUDITED: nothing has changed." in await since(desk, "tests")


async def test_two_audits_at_once_in_one_thread_have_a_comment_each(desk: Desk) -> None:
    thread = desk.problem()
    first = await desk.say("/pool audit dead-code", at=thread)
    assert (await desk.say("/pool audit security", at=thread)).answer == "started"
    over(desk, first, Verdict.failed, "broken")
    shown = {
        key.rpartition(":")[2]: text
        for key, text in (await desk.wanted("comment")).items()
        if f":{thread.number}:audit:" in key
    }
    assert shown["dead-code"].startswith("### ⚠️ Audit `dead-code`: NOT AUDITED: broken")
    assert "for the audit `security`" in shown["security"]
    assert "broken" not in shown["security"]


async def test_a_plan_and_another_audit_say_nothing_of_it(desk: Desk) -> None:
    reported(desk, "docs")
    over(
        desk, await desk.say("/pool audit docs --plan", at=desk.problem()), Verdict.failed, "broken"
    )
    over(desk, await desk.say("/pool audit defects", at=desk.problem()), Verdict.failed, "broken")
    assert await since(desk, "docs") == ""


async def test_a_run_with_a_result_has_brought_the_whole_issue_up_to_date() -> None:
    own = {"name": "defects", "kind": "defects"}
    gathered = [rows.step("gather", result={"findings": []})]
    assert _without_result(rows.ended(CANCELLED, context=own), "UTC")
    assert _without_result(rows.ended(CANCELLED, context=own, rows=gathered), "UTC") == ""


async def test_the_next_due_time_is_that_of_the_schedule_as_it_is_now(desk: Desk) -> None:
    reported(desk, "night")
    with desk.configured(NIGHTLY):
        await desk.say("/pool audit --status", at=desk.problem())
        assert ", 04:" in await since(desk, "night")
        await desk.say("/pool audit night --stop", at=desk.problem())
        assert await since(desk, "night") == "The schedule is stopped, by mona."
        await desk.say("/pool audit night --resume", at=desk.problem())
        before = await since(desk, "night")
        scheduler = AuditScheduler(desk.services, desk.worker.judge.config_loader)
        due = desk.do(lambda tx: schedule_rows.get(tx, desk.shop.id, "night"))
        assert due is not None
        desk.clock.now += DAY
        missed = PassOver(desk.clock.now, 0, PassedOver.unchanged)
        await scheduler._pass_over(due, missed)
        told = await since(desk, "night")
        assert "nothing had changed since the last run" in told
        assert before not in told, "the next one is a later one"
    with desk.configured(OTHERWISE):
        assert await scheduler._config(desk.repository)
        assert ", 05:" in await since(desk, "night")
    assert await scheduler._config(desk.repository)
    assert "Next run" not in await since(desk, "night"), "nobody configures it any more"
