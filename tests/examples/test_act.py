"""The first workflow under nektos/act, a second runner that reads action.yml, conditions and expressions by itself."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.conftest import KEY, STATE_KEY, Stage
from tests.action.conftest import scene as scene  # noqa: PLC0414 - a fixture of the Action's tests
from tests.action.test_install import PASSED_ON
from tests.examples.test_workflows import FOLDER, OURS, ROOT

SHA = "0123456789abcdef0123456789abcdef01234567"
PERMISSIONS = {"contents": "write", "issues": "write", "pull_requests": "write", "checks": "write"}
NEXT = """
      - if: always()
        env: {OUTCOME: "${{ steps.pool.outputs.outcome }}", TARGET: "TARGET_FILE"}
        run: printf %s "$OUTCOME" > "$TARGET"
"""


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=m", "-c", "user.email=m@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


async def act(scene: Stage, folder: Path, body: str) -> tuple[str, str]:
    """Comment, and let act run the job of that comment on a machine of its own; the outcome and the log."""
    program = shutil.which("act")
    assert program is not None
    folder.mkdir()
    clone, home, target = folder / "clone", folder / "home", folder / "outcome"
    home.mkdir()
    text = (FOLDER / "commands.yml").read_text()
    text = text.replace(f"- uses: {OURS}", f"- uses: octo/claude-pool-gh@{SHA}\n        id: pool")
    # the scripted model is a gateway, with a key that can be guessed
    text = text.replace("with: {anthropic", f'with: {{state_key: "{STATE_KEY}", anthropic')
    (clone / ".github/workflows").mkdir(parents=True)
    (clone / ".github/workflows/pool.yml").write_text(
        text + NEXT.replace("TARGET_FILE", str(target))
    )
    git(clone, "init", "-q", "-b", "main", ".")
    git(clone, "add", ".")
    git(clone, "commit", "-q", "-m", "A workflow")
    git(clone, "remote", "add", "origin", "https://github.com/octo/shop.git")
    (folder / "event.json").write_text(json.dumps(await scene.comment(body)))
    token = scene.github.create_token(scene.github.actions_bot, scene.repository, PERMISSIONS)
    (folder / "secrets").write_text(f"GITHUB_TOKEN={token}\nANTHROPIC_API_KEY={KEY}\n")
    told = {name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)}
    told |= {
        "GITHUB_API_URL": scene.github.api_url,
        "GITHUB_SERVER_URL": scene.github.url,
        "GITHUB_REPOSITORY_ID": str(scene.repository.id),
        "ANTHROPIC_BASE_URL": scene.model.url,
        "CLAUDE_POOL_WRITE_INTERVAL": "0",
    }
    process = await asyncio.create_subprocess_exec(
        program,
        "issue_comment",
        "-e",
        str(folder / "event.json"),
        "-P",
        "ubuntu-latest=-self-hosted",
        "--container-daemon-socket",
        "-",
        "--secret-file",
        str(folder / "secrets"),
        "--local-repository",
        f"octo/claude-pool-gh@{SHA}={ROOT}",
        *(part for name, value in told.items() for part in ("--env", f"{name}={value}")),
        cwd=clone,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    log = (await process.communicate())[0].decode()
    for secret in (KEY, token):
        assert secret not in log
    return target.read_text() if target.exists() else "", log


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_act_runs_the_first_workflow_as_it_stands(scene: Stage, tmp_path: Path) -> None:
    if shutil.which("act") is None:
        pytest.skip("act is not installed: go install github.com/nektos/act@v0.2.89")
    scene.model.script = Reviewer(stage.PLANTED)
    outcome, log = await act(scene, tmp_path / "chatter", "nothing for a bot")
    assert (outcome, scene.comments) == ("", []), log
    outcome, log = await act(scene, tmp_path / "review", "/pool review")
    if "No matching distribution" in log:
        pytest.skip("there is no package index here")
    assert outcome == "findings", log
    assert len(scene.comments) == 1
    assert len(scene.pull.reviews) == 1
    (run,) = scene.repository.check_runs(scene.pull.head_sha)
    assert run.status == "completed"
    outcome, log = await act(scene, tmp_path / "help", "/pool help")
    assert outcome == "answered", log
