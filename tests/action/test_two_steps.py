"""A job that uses the action twice: what the first step has left is there for later steps, whatever the second does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from claude_pool_gh.action import after, look
from claude_pool_gh.action.job import Job
from claude_pool_gh.github.intake import Found
from tests.action.runner import ROOT

SCRIPT = ROOT / "claude_pool_gh/action/install.sh"


def test_the_files_of_two_steps_have_names_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"issue": {"number": 1}}))
    given = {"GITHUB_EVENT_NAME": "schedule", "GITHUB_EVENT_PATH": str(event)}
    given |= {"POOL_COMMAND": "/pool help", "RUNNER_TEMP": str(tmp_path)}
    given |= {"GITHUB_TOKEN": "t", "ANTHROPIC_API_KEY": "k"}
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    first, second = Job.from_environment(), Job.from_environment()
    assert len({first.report, second.report, first.sarif, second.sarif}) == 4
    assert first.report.parent == tmp_path


def given(monkeypatch: pytest.MonkeyPatch, **inputs: str) -> str:
    """The key of the command that a job's step is given."""
    for name, text in inputs.items():
        monkeypatch.setenv(name, text)
    found = Job.from_environment().found()
    assert isinstance(found, Found)
    return found.requests[0].key


def test_what_two_steps_or_jobs_of_a_run_are_given_are_two_commands_and_the_same_when_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two with one key were one: the second was never begun, and its cost stood in the place of the first's."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"issue": {"number": 1}}))
    around = {"GITHUB_EVENT_NAME": "schedule", "GITHUB_EVENT_PATH": str(event)}
    around |= {"GITHUB_REPOSITORY": "octo/shop", "GITHUB_REPOSITORY_ID": "1"}
    around |= {"GITHUB_ACTOR": "mona", "GITHUB_ACTOR_ID": "7", "GITHUB_RUN_ID": "4711"}
    around |= {"GITHUB_TOKEN": "t", "ANTHROPIC_API_KEY": "k", "RUNNER_TEMP": str(tmp_path)}
    review = given(monkeypatch, **around, POOL_COMMAND="/pool review")
    triage = given(monkeypatch, POOL_COMMAND="/pool triage")
    elsewhere = given(monkeypatch, POOL_COMMAND="/pool review", POOL_NUMBER="2")
    other_model = given(monkeypatch, POOL_NUMBER="", POOL_MODEL="claude-haiku-4-5")
    other_run = given(monkeypatch, POOL_MODEL="", GITHUB_RUN_ID="4712")
    around = {"GITHUB_RUN_ID": "4711", "GITHUB_RUN_ATTEMPT": "2", "POOL_BUDGET_USD": "9"}
    again = given(monkeypatch, **around)
    assert len({review, triage, elsewhere, other_model, other_run}) == 5
    assert again == review


def installed(folder: Path, coming: str) -> int:
    """The exit code of the step that installs, where an earlier one is at it; 7 where it begins anew."""
    (folder / "claude-pool").mkdir()
    (folder / "claude-pool/agent.coming").write_text(coming)
    (folder / "bin").mkdir()
    python = folder / "bin/python3"
    python.write_text("#!/bin/sh\nexit 7\n")
    python.chmod(0o755)
    around = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "RUNNER_TEMP": str(folder)}
    around["ACTION_PATH"] = str(ROOT)
    return subprocess.run(["bash", str(SCRIPT)], env=around, check=False).returncode


def test_what_an_earlier_step_still_installs_is_waited_for_and_not_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as installing:
        assert installed(tmp_path, f"{installing.pid}\n") == 0
        installing.kill()
    assert (tmp_path / "claude-pool/agent.coming").exists()


def test_what_no_process_is_at_any_more_is_begun_anew(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as over:
        over.wait()
    assert installed(tmp_path, f"{over.pid}\n") == 7
    assert not (tmp_path / "claude-pool").exists()


def left_by_a_step(folder: Path) -> Path:
    """The database of a step of the same job that came before."""
    database = folder / "claude-pool-state/pool.sqlite"
    database.parent.mkdir()
    database.touch()
    return database


def test_what_a_step_before_has_left_is_none_of_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step would end it once more, and tell its cost as that of a step that has not begun."""
    database = left_by_a_step(tmp_path)
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    assert look.main() == 1  # there is no event
    assert not database.exists()


@pytest.mark.parametrize("event", ["{", '{"issue": {"number": 1}, "sender": ["x"]}'])
def test_the_last_step_says_so_where_what_would_end_a_run_is_gone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    event: str,
) -> None:
    """A second step's install has failed, and removed what the first one had: no traceback, and an outcome."""
    left_by_a_step(tmp_path)
    (tmp_path / "event").write_text(event)
    given = {"POOL_WORK": "true", "RUNNER_TEMP": tmp_path, "GITHUB_EVENT_PATH": tmp_path / "event"}
    given |= {"GITHUB_OUTPUT": tmp_path / "out", "GITHUB_TOKEN": "t"}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("POOL_OUTCOME", raising=False)
    assert after.main() == 0
    assert "failed" in (tmp_path / "out").read_text()
    assert capsys.readouterr().out
