"""Audits that start by themselves, and the report issue that they stand in: on the real server."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from claude_pool_gh.rehearsal.github import Issue
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Reply
from tests.acceptance.auditor import Auditor
from tests.acceptance.test_audit import TOTAL, configure
from tests.acceptance.world import World

SCHEDULED = (
    'audits:\n  defects:\n    when: changed\n    schedule: {cron: "0 4 * * *", timezone: UTC}\n'
)
NOBODYS = "budget: {thread: 0.01, user_day: 0.01}\n"
"""Caps that would let no run of a person begin."""
DAY_MS = 86_400_000


@pytest.fixture
def auditor(here: World) -> Auditor:
    made = Auditor()
    here.model.script = made
    return made


def report(here: World) -> Issue | None:
    """The report issue."""
    found = [
        one
        for one in here.repository.state.threads.values()
        if one.title == "Audit report: defects"
    ]
    assert len(found) <= 1, "more than one report issue"
    return found[0] if found else None


async def shown(here: World, what: str) -> str:
    """Wait until the report issue holds a text."""

    def holds() -> bool:
        there = report(here)
        return there is not None and what in there.body

    await here.until(holds)
    there = report(here)
    assert there is not None
    return there.body


async def day_passes(here: World) -> None:
    """Let the schedule's last due time be a day and more ago."""
    await here.until(lambda: here.rows("SELECT count(*) FROM audit_schedules") == [(1,)])
    assert here.engine is not None
    before = int(time.time() * 1000) - DAY_MS - 3_600_000
    with here.engine.begin() as tx:
        tx.execute(
            sa.text("UPDATE audit_schedules SET last_due_ms = :before, look_ms = 0"),
            {"before": before},
        )


async def begin(here: World) -> None:
    """Write the schedule, and let the server read it: it hears of the repository by a command."""
    configure(here, SCHEDULED + NOBODYS)
    await here.say("/pool help")
    await here.answered()


@pytest.mark.long
async def test_an_audit_starts_by_itself_and_keeps_one_report_issue(
    here: World, auditor: Auditor
) -> None:
    auditor.claims = (TOTAL,)
    await begin(here)
    await day_passes(here)
    body = await shown(here, "### 🔎 1 finding open: 1 high")
    assert "A line has no discount" in body
    assert "Next run: " in body
    there = report(here)
    assert there is not None
    assert there.author.id == here.app.bot.id
    await here.shows("audit", "### 🔎 Audit `defects`: 1 new (worst: high)", there.number)

    await day_passes(here)
    passed = "SELECT passed_why FROM audit_schedules"
    await here.until(lambda: here.rows(passed) == [("nothing had changed since the last run",)])
    commands = here.rows("SELECT count(*) FROM commands WHERE line = '/pool audit defects'")
    assert commands == [(1,)], "nothing had changed, so nothing ran"
    assert "Next run: " in await shown(here, "nothing had changed since the last run")

    here.repository.close(there)
    here.repository.commit("main", {"new.py": "x = 1\n"}, author=here.maintainer)
    await day_passes(here)
    await here.until(lambda: here.rows(passed) == [("its report issue is closed",)])
    assert there.state == "closed"


class SlowAuditor(Auditor):
    """Each answer of it takes some seconds, so that a run is live while another is asked for."""

    def __call__(self, request: ModelRequest) -> Reply:
        said = super().__call__(request)
        return replace(said, delay=3.0) if isinstance(said, Answer) else said


async def test_a_person_who_asks_gets_a_report_issue_and_one_run_at_a_time(here: World) -> None:
    here.model.script = SlowAuditor(claims=(TOTAL,))
    await here.say("/pool audit")
    chains = "SELECT count(*) FROM chains WHERE verb = 'audit'"
    await here.until(lambda: here.rows(chains) == [(1,)])
    await here.say("/pool audit defects")
    await here.said("The audit `defects` is running already.")
    await shown(here, "### 🔎 1 finding open: 1 high")
    await here.quiet()
    assert here.rows(chains) == [(1,)]
    await here.say("/pool audit defects")
    await here.until(lambda: here.rows(chains) == [(2,)])


@pytest.mark.usefixtures("auditor")
async def test_a_schedule_is_told_stopped_and_resumed(here: World) -> None:
    await here.say("/pool audit --status")
    assert "No audit has a schedule here." in await here.answered(1)
    configure(here, SCHEDULED)
    await here.say("/pool audit defects --stop")
    assert "`defects`: The schedule is stopped, by mona." in await here.answered(2)
    await here.say("/pool audit security --resume")
    assert "The audit `security` has no schedule" in await here.answered(3)
    await here.say("/pool audit defects --resume")
    assert "`defects`: Next run: " in await here.answered(4)
    assert here.rows("SELECT count(*) FROM chains") == [(0,)]


@pytest.mark.usefixtures("auditor")
async def test_a_workflow_that_github_has_switched_off_is_told(here: World) -> None:
    here.installation.permissions = {**here.installation.permissions, "actions": "read"}
    text = "on:\n  schedule:\n    - cron: '0 4 * * *'\n# command: /pool audit defects\n"
    here.repository.commit("main", {".github/workflows/night.yml": text}, author=here.maintainer)
    here.repository.state.workflow_states["night.yml"] = "disabled_inactivity"
    await here.say("/pool audit")
    body = await shown(here, "GitHub has switched off the workflow `night.yml`, after 60 days")
    assert "/octo/shop/actions/workflows/night.yml) has the button" in body


async def test_what_is_open_is_uploaded_to_code_scanning(here: World, auditor: Auditor) -> None:
    here.installation.permissions = {**here.installation.permissions, "security_events": "write"}
    configure(here, "audits:\n  defects:\n    code_scanning: true\n")
    auditor.claims = (TOTAL,)
    await here.say("/pool audit")
    await here.until(lambda: len(here.repository.scanning.alerts) == 1)
    (alert,) = here.repository.scanning.alerts
    assert (alert.state, alert.rule_id) == ("open", "defects/wrong-result")
    assert (alert.location.path, alert.location.start_line) == ("shop/prices.py", 8)
    assert alert.category == "claude-pool/defects/"
    await here.until(
        lambda: here.rows("SELECT state FROM effects WHERE kind = 'sarif'") == [("written",)]
    )
