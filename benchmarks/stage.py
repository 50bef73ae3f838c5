"""A running server with a simulated GitHub, for the benchmarks that drive the whole bot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.rehearsal import bot, stage
from claude_pool_gh.rehearsal.github import App, Pull, Repository, SimulatedGitHub, User


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything on it."""

    github: SimulatedGitHub
    app: App
    repository: Repository
    maintainer: User
    installation: int
    server: bot.Bot

    def pull(self, number: int) -> Pull:
        """A new pull request."""
        self.repository.commit(
            f"change-{number}", {f"new_{number}.py": "x = 1\n"}, message="x", author=self.maintainer
        )
        return self.repository.open_pull(
            f"change-{number}", base="main", title="x", body="", author=self.maintainer
        )


@asynccontextmanager
async def staged(
    folder: Path, model_url: str, more: Mapping[str, str] | None = None
) -> AsyncIterator[Stage]:
    """Set it, with high caps and no pause between writes."""
    config = (
        "budget: {thread: 10000, user_day: 10000, repository_month: 10000}\n"
        "limits: {user_hour: 10000, thread_hour: 10000}\n"
    )
    async with SimulatedGitHub.start(folder / "github") as github:
        app = github.create_app("claude-pool", webhook_secret=bot.WEBHOOK_SECRET)
        maintainer = github.create_user("mona")
        files = stage.base_files() | {".github/claude-pool.yml": config}
        repository = github.create_repository("octo/shop", files=files)
        repository.grant(maintainer, "admin")
        installation = github.install(app, "octo", [repository])
        told = {"CLAUDE_POOL_BUDGET_USD": "100000"} | dict(more or {})
        async with bot.running(github, app, model_url, folder / "state", told) as server:
            yield Stage(github, app, repository, maintainer, installation.id, server)
