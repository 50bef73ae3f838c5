"""A job that uses the action twice: what the first step has left is there for later steps, whatever the second does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from claude_pool_gh.action.job import Job
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
