"""action.yml, run as a runner would run it: the second door leads into the same house."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Comment, Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.contract.checker import Contract

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PERMISSIONS = {
    "contents": "read",
    "issues": "write",
    "pull_requests": "write",
    "checks": "write",
    "statuses": "write",
}


@dataclass(slots=True)
class Runner:
    """A runner small enough for a test: one composite action, its inputs, its files."""

    folder: Path
    github: SimulatedGitHub
    model: ScriptedModel
    repository: Repository
    pull: Pull
    maintainer: User

    @property
    def workspace(self) -> Path:
        """The job's folder: a checkout of the pull request, which may hold anything."""
        made = self.folder / "workspace"
        made.mkdir(exist_ok=True)
        for name in ("claude_pool_gh", "aiohttp", "click"):
            (made / f"{name}.py").write_text(
                "raise SystemExit('a module of the pull request was imported')\n"
            )
        return made

    async def run(self, body: str) -> tuple[int, dict[str, str], str]:
        """Comment, then run the job for that comment's event; exit code, outputs and summary."""
        comment = await self.github.comment(self.maintainer, self.repository, self.pull.number, body)
        (self.folder / "event.json").write_text(json.dumps(self._event(comment)))
        for name in ("output", "summary"):
            (self.folder / name).write_text("")
        token = self.github.create_token(self.github.actions_bot, self.repository, PERMISSIONS)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_EVENT_NAME": "issue_comment",
            "GITHUB_EVENT_PATH": str(self.folder / "event.json"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.url,
            "ANTHROPIC_BASE_URL": self.model.url,
            "CLAUDE_POOL_WRITE_INTERVAL": "0",
        } | _step_environment({"anthropic_api_key": "sk-ant-secret-key", "github_token": token})
        # What the first step installs is installed here already: its Python is this one.
        python = self.folder / "claude-pool" / "bin" / "python"
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", _step("pool")["run"]]
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd=self.workspace,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        assert b"sk-ant-secret-key" not in out
        outputs = _outputs((self.folder / "output").read_text())
        if process.returncode > 1 or not outputs:
            raise AssertionError(out.decode())
        return process.returncode, outputs, (self.folder / "summary").read_text()

    def _event(self, comment: Comment) -> dict[str, Any]:
        def user(who: User) -> dict[str, Any]:
            return {"id": who.id, "login": who.login, "type": who.type}

        repository = {
            "id": self.repository.id,
            "name": "shop",
            "owner": {"id": 1, "login": "octo", "type": "User"},
        }
        return {
            "action": "created",
            "comment": {"id": comment.id, "body": comment.body, "user": user(self.maintainer)},
            "issue": {"number": self.pull.number, "pull_request": {}},
            "repository": repository,
            "sender": user(self.maintainer),
        }

    @property
    def comments(self) -> list[Comment]:
        """What the job's bot wrote."""
        bot = self.github.actions_bot.id
        return [c for c in self.repository.comments(self.pull.number) if c.author.id == bot]


def _step_environment(inputs: Mapping[str, str]) -> dict[str, str]:
    """The `env` of the action's step, with its `${{ inputs.X }}` filled in."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    defaults = {name: str(given.get("default", "")) for name, given in action["inputs"].items()}
    values = defaults | dict(inputs)
    filled = {}
    for name, text in _step("pool")["env"].items():
        told = text.replace("${{ github.action_path }}", str(ROOT))
        filled[name] = re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda found: values[found[1]], told)
    return {name: text for name, text in filled.items() if "${{" not in text}


def _steps() -> dict[str, Any]:
    """The steps of the action by their ids."""
    return {step["id"]: step for step in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]}


def _step(name: str) -> Any:
    return _steps()[name]


def _outputs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, mark = line.split("<<")
        found[name] = "\n".join(iter(lines.__next__, mark))
    return found


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    contract = Contract()
    async with SimulatedGitHub.start(tmp_path / "github") as github, ScriptedModel.start(Reviewer()) as model:
        github.observe(contract)
        repository, pull, maintainer = stage.set_up(github)
        repository.commit("main", {".github/claude-pool.yml": "door: action\n"}, author=maintainer)
        yield Runner(tmp_path, github, model, repository, pull, maintainer)
        contract.assert_clean()


async def test_a_job_reviews_with_the_same_comment_review_and_check(runner: Runner) -> None:
    runner.model.script = Reviewer(stage.PLANTED)
    code, outputs, summary = await runner.run("/pool review")
    assert (code, outputs["outcome"]) == (0, "findings")
    assert float(outputs["cost_usd"]) == pytest.approx(runner.model.bill.total / 1e6)
    assert "2 findings" in summary
    (tracking,) = runner.comments
    assert tracking.body.startswith("### 🔎 2 findings (worst: critical) in 2 files read; 1 claim")
    (review,) = runner.pull.reviews
    assert len(review.comments) == 2
    (check,) = runner.repository.check_runs(runner.pull.head_sha)
    assert (check.status, check.conclusion) == ("completed", "neutral")


async def test_a_comment_without_a_command_costs_nothing(runner: Runner) -> None:
    code, outputs, summary = await runner.run("just talking")
    assert (code, outputs) == (0, {"outcome": "nothing", "cost_usd": "0.000000"})
    assert "no command" in summary
    assert runner.comments == []


async def test_help_is_answered(runner: Runner) -> None:
    code, outputs, _ = await runner.run("/pool help")
    assert (code, outputs["outcome"]) == (0, "answered")
    assert "`/pool review [PATH…]`" in runner.comments[0].body


async def test_a_review_that_could_not_be_made_fails_the_job(runner: Runner) -> None:
    code, outputs, summary = await runner.run("/pool review --budget 0.01")
    assert (code, outputs["outcome"]) == (1, "out_of_budget")
    assert "NOT REVIEWED" in summary


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-actions", "action.yml"), ("vendor.github-workflows", ".github/workflows/ci.yml")],
)
def test_the_yaml_has_the_shape_that_github_wants(schema: str, file: str) -> None:
    command = [str(BIN / "check-jsonschema"), "--builtin-schema", schema, str(ROOT / file)]
    subprocess.run(command, check=True, capture_output=True)


def test_the_action_and_the_workflow_pass_a_security_linter() -> None:
    files = [str(ROOT / "action.yml"), str(ROOT / ".github/workflows/ci.yml")]
    command = [str(BIN / "zizmor"), "--offline", "--persona", "auditor", *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_outcome_is_named_where_the_action_is_described() -> None:
    described = yaml.safe_load((ROOT / "action.yml").read_text())["outputs"]["outcome"]["description"]
    assert [each for each in Verdict if each not in described] == []


def test_no_input_is_pasted_into_a_script() -> None:
    for step in _steps().values():
        assert "${{" not in step["run"]


def test_the_step_that_installs_has_no_secret_and_installs_by_hash_only() -> None:
    """Installing runs code of others, and building code of whoever is newest today."""
    install = _step("install")
    assert not [name for name, value in install["env"].items() if "inputs." in value or "secrets." in value]
    asked = [line for line in install["run"].replace("\\\n", " ").splitlines() if "pip install" in line]
    assert asked
    for line in asked:
        assert "--require-hashes" in line
        assert "--only-binary :all:" in line
    for name, step in _steps().items():
        if name != "install":
            assert "pip" not in step["run"]
