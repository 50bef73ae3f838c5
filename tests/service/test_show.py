"""`claude-pool-gh show`: a chain with its steps and runs, or the transcripts of one step, for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.store import steps
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell.show import show
from tests.pool.make import NOW
from tests.service.seeded import Seeded, database_in

ENTRIES = ({"what": "text", "text": "first\nsecond"}, {"what": "tool", "text": "[red]Read[/red]"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A chain that failed in the second of its two runs."""
    database = database_in(tmp_path)
    with database.engine.begin() as tx:
        chain = Seeded(tx).briefed()
        good, bad = chain.running(0, "part 1 of 2"), chain.running(1, "part 2 of 2")
        chain.paid(good, 250_000)
        chain.paid(bad, 500_000, settled=False)
        chain.over(good, transcript=ENTRIES)
        chain.over(bad, Ending.failed, reason="no luck", text="")
        steps.fail(tx, chain.row.steps[1], NOW + 6_000)
        chain.done(Outcome(verdict=Verdict.failed, reason="a part failed"))
    database.close()
    return Settings(state_dir=tmp_path)


async def printed(capsys: pytest.CaptureFixture[str], *given: Any, **more: Any) -> str:
    await show(*given, **more)
    return capsys.readouterr().out


async def test_a_chain_is_shown_with_its_end_its_steps_and_its_runs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    out = await printed(capsys, settings, "c0ffee0000", None)
    assert out.startswith("c0ffee0000  review  failed a part failed  ≤ $0.75\n")
    rows = [" ".join(line.replace("│", " ").split()) for line in out.splitlines()]
    assert "brief completed 1.0 s" in rows
    assert "part 1 of 2 completed 1 2.0 s completed" in rows
    assert "part 2 of 2 failed 1 2.0 s failed no luck" in rows
    assert "claude-pool-gh show c0ffee0000 --step NAME   (NAME: find)" in out


async def test_machines_get_the_same_with_money_and_times_as_numbers(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(await printed(capsys, settings, "c0ffee0000", None, as_json=True))
    assert (told["chain_id"], told["verb"], told["state"]) == ("c0ffee0000", "review", "done")
    assert (told["verdict"], told["reason"]) == ("failed", "a part failed")
    assert (told["cost_microdollars"], told["upper_bound"]) == (750_000, True)
    assert [each["name"] for each in told["steps"]] == ["brief", "find"]
    good, bad = told["runs"]
    assert (good["title"], good["state"], good["ended"]) == (
        "part 1 of 2",
        "completed",
        "completed",
    )
    assert (bad["attempt"], bad["ended"]) == (1, "failed no luck")
    assert (bad["started_ms"], bad["ended_ms"]) == (NOW + 3_000, NOW + 5_000)
    assert good["transcript"] is None, "nobody has asked for one"


async def test_the_transcripts_of_a_step_are_shown_as_they_are(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    out = await printed(capsys, settings, "c0ffee0000", "find")
    assert "find: part 1 of 2 (completed)" in out
    assert "find: part 2 of 2 (failed no luck)" in out
    assert "      text  first\n            second\n" in out
    assert "      tool  [red]Read[/red]\n" in out


async def test_of_one_step_machines_get_that_step_with_its_transcripts(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    told = json.loads(await printed(capsys, settings, "c0ffee0000", "find", as_json=True))
    assert [each["name"] for each in told["steps"]] == ["find"]
    assert [each["transcript"] for each in told["runs"]] == [list(ENTRIES), []]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("step", ["brief", "nosuch"])
async def test_a_step_in_which_no_agent_ran_names_the_steps_that_there_are(
    settings: Settings, step: str, as_json: bool
) -> None:
    with pytest.raises(
        click.ClickException, match=f"no agent ran in step '{step}'; steps: brief, find"
    ):
        await show(settings, "c0ffee0000", step, as_json=as_json)


@pytest.mark.parametrize("as_json", [False, True])
async def test_an_unknown_chain_says_where_it_was_looked_for(
    settings: Settings, as_json: bool
) -> None:
    with pytest.raises(click.ClickException, match="no chain has the id 'nosuch'") as raised:
        await show(settings, "nosuch", None, as_json=as_json)
    assert str(settings.state_dir) in str(raised.value)


async def test_a_chain_that_has_not_begun_has_no_transcripts_to_offer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = database_in(tmp_path)
    with database.engine.begin() as tx:
        Seeded(tx).queued()
    database.close()
    out = await printed(capsys, Settings(state_dir=tmp_path), "c0ffee0000", None)
    assert out.startswith("c0ffee0000  review  queued  $0.00\n")
    assert "transcripts" not in out
