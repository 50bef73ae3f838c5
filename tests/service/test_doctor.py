from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET, environment
from claude_pool_gh.rehearsal.github import App, SimulatedGitHub
from claude_pool_gh.rehearsal.github.web.faults import Fault, Respond
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.doctor import doctor_github
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.doctor.doctor import _checks as checks
from claude_pool_gh.service.doctor.doctor import _safely as safely
from claude_pool_gh.service.doctor.doctor import print_findings
from claude_pool_gh.service.settings import Settings
from tests import forked
from tests.sandbox.proven import needs_walls


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as made:
        yield made


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel.start(Reviewer()) as made:
        yield made


async def doctor(github: SimulatedGitHub, app: App, folder: Path, **more: str) -> tuple[int, str]:
    """Run it as an operator would."""
    told = environment(github, app, "http://127.0.0.1:9", folder, more)
    ran = await forked.cli("doctor", environment=told, folder=folder.parent)
    return ran.code, ran.told


Examine = Callable[[Settings], Diagnosis | Iterable[Diagnosis]]


async def printed(
    capsys: pytest.CaptureFixture[str], check: Examine, **given: Any
) -> tuple[int, str]:
    """What it prints of one check, and its exit code; in this process, which is fast."""
    signs = await asyncio.to_thread(lambda: list(safely("it", check, Settings(**given))))
    code = print_findings(signs)
    return code, capsys.readouterr().out


def of_app(github: SimulatedGitHub, app: App, folder: Path, **more: Any) -> dict[str, Any]:
    """Settings of a server of this App."""
    own = {"app_id": str(app.id), "private_key": app.private_key, "GITHUB_API_URL": github.api_url}
    return {"state_dir": folder / "state", **own, **more}


async def test_a_healthy_server_is_told_so(
    github: SimulatedGitHub, model: ScriptedModel, tmp_path: Path
) -> None:
    app = github.create_app("claude-pool", webhook_secret=WEBHOOK_SECRET)
    repository = github.create_repository("octo/shop", files={"a": "b"})
    github.install(app, "octo", [repository])
    await github.settle()
    app.webhook_url = "https://bot.example/webhook"
    code, text = await doctor(github, app, tmp_path / "state", ANTHROPIC_BASE_URL=model.url)
    assert code == 0, text
    assert not (tmp_path / "state").exists(), "a diagnosis changes nothing"
    for sign in (
        "webhook secret: 1 in use",
        "Claude CLI: 2.",
        "GitHub App:",
        "permissions: enough",
        "events: all; for a merge queue also merge_group, with the permission merge_queues: read",
        "webhook: https://bot.example/webhook",
        "model: claude-sonnet-5-5 at http://127.0.0.1",
        "private key: a private key in PEM form",
    ):
        assert f"✓ {sign}" in text
    assert "installations: octo" in text


async def test_a_server_that_asks_itself_needs_no_webhook(
    github: SimulatedGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = github.create_app("claude-pool", None)
    github.install(app, "octo", [github.create_repository("octo/shop", files={"a": "b"})])
    asks, waits = of_app(github, app, tmp_path, poll=30), of_app(github, app, tmp_path)
    _, text = await printed(capsys, doctor_github.examine, **asks)
    assert (
        "✓ webhook: none; comments are read every 30 seconds, and nothing else is noticed\n" in text
    )
    assert "events" not in text.split("webhook: none")[1]
    # GitHub may also say that there is no webhook.
    github.faults.add(Fault(Respond(404, "Not Found"), route="/app/hook/config"))
    _, text = await printed(capsys, doctor_github.examine, **asks)
    assert "✓ webhook: none" in text
    # Where nobody asked for it, a webhook is missing.
    _, text = await printed(capsys, doctor_github.examine, **waits)
    assert "✗ webhook: events are sent to nowhere" in text


async def test_what_is_missing_is_named_with_its_mend(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    app = github.create_app(
        "claude-pool",
        webhook_secret=WEBHOOK_SECRET,
        permissions={"metadata": "read"},
        events=["push"],
    )
    code, text = await doctor(
        github, app, tmp_path / "state", CLAUDE_POOL_WEBHOOK_SECRET="short", ANTHROPIC_API_KEY=""
    )
    assert code == 1
    assert "openssl rand -hex 32" in text
    assert "set ANTHROPIC_API_KEY" in text
    assert "give the App: checks: write, contents: write" in text
    assert "subscribe the App to check_run, issue_comment, issues, pull_request" in text
    assert "installations: none" in text
    assert "✗ webhook: events are sent to" in text


async def test_a_wrong_key_is_said_to_be_wrong(
    github: SimulatedGitHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = github.create_app("claude-pool", webhook_secret=WEBHOOK_SECRET)
    other = github.create_app("other", webhook_secret=WEBHOOK_SECRET)
    wrong = of_app(github, app, tmp_path, private_key=other.private_key)
    code, text = await printed(capsys, doctor_github.examine, **wrong)
    assert code == 1
    assert "check the App's id, its private key" in text
    assert "PRIVATE KEY" not in text.replace("private key", "")


@needs_walls
async def test_checks_are_said_to_be_off_or_walled_in_or_what_they_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"state_dir": tmp_path / "state"}
    _, text = await printed(capsys, checks, **own)
    assert "✓ checks: none are run; CLAUDE_POOL_CHECKS=1 lets repositories name some\n" in text
    _, text = await printed(capsys, checks, **own, checks=True)
    assert "✓ checks: sandbox works (self-test passed)\n" in text
    code, text = await printed(
        capsys, checks, **own, checks=True, check_folders="/nonexistent/tools"
    )
    assert code == 1
    assert (
        "✗ checks: no such folder: /nonexistent/tools\n    fix that, or set CLAUDE_POOL_CHECKS=0"
        in text
    )
