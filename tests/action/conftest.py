"""The stage of the Action's tests: a repository with a pull request, a scripted model, and jobs."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Comment, Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.runner import Done, During, Runner
from tests.rehearsal.contract.checker import shared

KEY = "sk-ant-secret-key"
STATE_KEY = "a key for states that is for these tests only"
STATES = StateKey.of(STATE_KEY)
"""What the jobs' states are signed with."""
WRITE = {"contents": "read", "issues": "write", "pull_requests": "write", "checks": "write"}


@dataclass(slots=True, repr=False)
class Stage:
    """What jobs meet, with the questions that tests ask."""

    github: SimulatedGitHub
    model: ScriptedModel
    repository: Repository
    pull: Pull
    maintainer: User
    runner: Runner

    async def comment(self, body: str, *, by: User | None = None) -> dict[str, Any]:
        """Comment on the pull request; the event."""
        await self.github.comment(by or self.maintainer, self.repository, self.pull.number, body)
        return self.event("issue_comment")

    def event(self, name: str) -> dict[str, Any]:
        """The newest event of a kind, as a job is given it."""
        payload = [each for each in self.github.deliveries if each.event == name][-1].payload
        return {part: value for part, value in payload.items() if part != "installation"}

    async def say(self, body: str, **more: Any) -> Done:
        """Comment, and run the job of that comment."""
        return await self.job("issue_comment", await self.comment(body), **more)

    async def job(
        self,
        event: str,
        payload: Any,
        *,
        permissions: Mapping[str, str] = WRITE,
        token: str | None = None,
        inputs: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        during: Mapping[str, During] | None = None,
        **more: Any,
    ) -> Done:
        """Run one job."""
        file = self.runner.folder / f"event-{uuid.uuid4().hex}.json"
        file.write_text(payload if isinstance(payload, str) else json.dumps(payload))
        if token is None:
            token = self.github.create_token(self.github.actions_bot, self.repository, permissions)
        around = {
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.url,
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_REPOSITORY_ID": str(self.repository.id),
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_ACTOR": self.maintainer.login,
            "GITHUB_ACTOR_ID": str(self.maintainer.id),
            "GITHUB_WORKFLOW_REF": "octo/shop/.github/workflows/pool.yml@refs/heads/main",
            "ANTHROPIC_BASE_URL": self.model.url,
            "CLAUDE_POOL_WRITE_INTERVAL": "0",
        }
        return await self.runner.run(
            # the scripted model is a gateway, with a key that can be guessed
            {"anthropic_api_key": KEY, "state_key": STATE_KEY, **(inputs or {})},
            around | dict(environment or {}),
            token=token,
            during=during,
            **more,
        )

    @property
    def comments(self) -> list[Comment]:
        """What the job's bot wrote."""
        bot = self.github.actions_bot.id
        return [
            each for each in self.repository.comments(self.pull.number) if each.author.id == bot
        ]

    @property
    def paid(self) -> int:
        """What all jobs have cost, in microdollars."""
        return int(self.model.bill.total)

    @property
    def asked(self) -> int:
        """How many requests GitHub has had."""
        return len(self.github.requests)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    contract = shared()
    contract.clear()
    async with (
        SimulatedGitHub.start(tmp_path / "github") as github,
        ScriptedModel.start(Reviewer(quick=True)) as model,
    ):
        github.observe(contract)
        repository, pull, maintainer = stage.set_up(github)
        # so that events are recorded
        github.install(github.create_app("recorder"), "octo", [repository])
        (tmp_path / "jobs").mkdir()
        yield Stage(
            github, model, repository, pull, maintainer, Runner(tmp_path / "jobs", (KEY, STATE_KEY))
        )
        contract.assert_clean()
