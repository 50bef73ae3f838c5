"""An organization's configuration that is there and cannot be read is told, once for each owner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.rehearsal.github import Fault, Respond, SimulatedGitHub
from claude_pool_gh.service.audit.fleet.options import Found
from claude_pool_gh.service.audit.fleet.reader import Reader
from claude_pool_gh.service.settings import Settings
from tests.service.auditing import CONFIG

REFUSED = Fault(
    Respond(403, body=b'{"message": "Resource protected by SAML"}'),
    times=9,
    when=lambda moment: "octo/.github/contents" in moment.path,
)
NOTE = "the configuration of octo/.github is not used in this run: "


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        yield github


@pytest.mark.parametrize(
    ("files", "fault", "told"),
    [
        (
            {CONFIG: "model: claude-x\n"},
            REFUSED,
            "GitHub refused (403): Resource protected by SAML",
        ),
        ({CONFIG: "#" * 1_100_000}, None, ".github/claude-pool.yml is too large"),
        ({f"{CONFIG}/a": "b"}, None, ".github/claude-pool.yml is a folder"),
        ({"README.md": "b"}, None, ""),
        ({CONFIG: "model: claude-x\n"}, None, ""),
    ],
    ids=["refused", "too large", "a folder", "none", "there"],
)
async def test_an_organizations_configuration_that_cannot_be_read_is_told_once(
    github: SimulatedGitHub,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
    fault: Fault | None,
    told: str,
) -> None:
    home, mona = github.create_repository("octo/.github", files), github.create_user("mona")
    home.grant(mona, "read")
    monkeypatch.setenv("GITHUB_TOKEN", github.create_token(mona))
    if fault is not None:
        github.faults.add(fault)
    known: dict[str, Any] = {"GITHUB_API_URL": github.api_url, "GITHUB_SERVER_URL": github.url}
    reader = Reader(Settings(**known))
    fleet = [
        Found(id=n, full_name=f"{owner}/r{n}", default_branch="main")
        for n, owner in enumerate(("octo", "Octo", "octo"))
    ]
    found = await asyncio.gather(*(asyncio.to_thread(reader.defaults, each) for each in fleet))
    said = capsys.readouterr().err
    assert said.lower().count(NOTE) == bool(told)
    assert told in said
    assert [each is not None for each in found] == [
        files.get(CONFIG, "#")[0] == "m" and not told
    ] * 3
