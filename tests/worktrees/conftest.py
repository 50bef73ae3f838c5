"""A repository on a simulated GitHub, and worktrees of it under a state folder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.github import (
    Content,
    Executable,
    Installation,
    Repository,
    SimulatedGitHub,
    Symlink,
)
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees
from tests.worktrees.site import Site

FILES: dict[str, Content] = {
    "README.md": "hi\n",
    "src/a.py": "print('a')\n",
    "src/b.py": "print('b')\n",
    "run.sh": Executable("#!/bin/sh\n"),
    "link": Symlink("README.md"),
    "data.bin": bytes(range(256)) * 8,
    "crlf.txt": b"one\r\ntwo\r\n",
    ".gitattributes": "*.txt text\n*.enc working-tree-encoding=UTF-16\n*.flt filter=evil diff=evil\n",
}


@pytest.fixture(autouse=True)
def nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "SSH_", "XDG_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        yield github


@pytest.fixture
def widgets(github: SimulatedGitHub) -> Repository:
    return github.create_repository("octo/widgets", files=FILES, private=True)


@pytest.fixture
def installation(github: SimulatedGitHub, widgets: Repository) -> Installation:
    return github.install(github.create_app("claude-pool"), "octo", [widgets])


@pytest.fixture
def site(
    tmp_path: Path, github: SimulatedGitHub, widgets: Repository, installation: Installation
) -> Site:
    async def login(repository_id: int, _fresh: bool) -> Credentials:
        assert repository_id == widgets.id
        return Credentials(made.token, widgets.clone_url)

    token = github.create_installation_token(installation)
    made = Site(Worktrees(tmp_path / "state", login, tries=1), widgets, token, tmp_path)
    return made
