"""Every test here runs under the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from gidgethub.aiohttp import GitHubAPI

from claude_pool_gh.rehearsal.github import App, Installation, Repository, SimulatedGitHub
from tests.rehearsal.contract.checker import Contract, shared
from tests.rehearsal.world import SECRET, Bot, Hooks


@pytest.fixture
def contract() -> Iterator[Contract]:
    shared().clear()
    yield shared()
    shared().clear()


@pytest.fixture
async def github(tmp_path: Path, contract: Contract) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        github.observe(contract)
        yield github
        await github.settle()
        contract.assert_clean()


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    async with Hooks.listen() as hooks:
        yield hooks


@pytest.fixture
def app(github: SimulatedGitHub, hooks: Hooks) -> App:
    return github.create_app("claude-pool", webhook_url=hooks.url, webhook_secret=SECRET)


@pytest.fixture
def widgets(github: SimulatedGitHub) -> Repository:
    lines = "".join(f"line {number}\n" for number in range(1, 41))
    return github.create_repository(
        "octo/widgets", files={"README.md": "hi\n", "a.py": lines, "old.txt": "x\n" * 9}
    )


@pytest.fixture
def installation(github: SimulatedGitHub, app: App, widgets: Repository) -> Installation:
    return github.install(app, "octo", [widgets])


@pytest.fixture
async def bot(github: SimulatedGitHub, installation: Installation) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as session:
        token = github.create_installation_token(installation)
        yield Bot(
            GitHubAPI(session, "tester", oauth_token=token, base_url=github.api_url), session, token
        )
