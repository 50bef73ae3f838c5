"""A token or key that GitHub no longer takes says nothing of a repository: the run stays open for a better one."""

from __future__ import annotations

import errno
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.service.audit.fleet import record, run
from claude_pool_gh.service.audit.fleet.asked import asked
from claude_pool_gh.service.audit.fleet.options import (
    Filters,
    FleetOptions,
    Found,
    Installations,
    Organization,
    Source,
)
from claude_pool_gh.service.audit.fleet.reader import Reader, Unreadable
from claude_pool_gh.service.audit.fleet.record import FleetRun
from claude_pool_gh.service.audit.refused import AuditRefused
from claude_pool_gh.service.init import operator
from tests.service import auditing


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        yield github


def settings(github: SimulatedGitHub, kind: str, folder: Path) -> dict[str, Any]:
    """Settings with which GitHub gives nothing."""
    known: dict[str, Any] = {
        "ANTHROPIC_API_KEY": "x",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.url,
    }
    if kind in ("no key", "an odd key", "the key of another App"):
        app, other = github.create_app("claude-pool"), github.create_app("other")
        file = folder / "key.pem"
        if kind != "no key":
            file.write_text("odd" if kind == "an odd key" else other.private_key)
        known |= {"app_id": str(app.id), "private_key_file": file}
    return known


def begun_with(options: FleetOptions, installation_id: int) -> FleetRun:
    """A run over two repositories that was begun, and read nothing yet."""
    left = tuple(
        Found(id=n, full_name=f"octo/r{n}", installation_id=installation_id, default_branch="main")
        for n in (1, 2)
    )
    return FleetRun(
        id="fleet-1",
        source="octo",
        asked=asked(options),
        started_ms=1,
        repositories=left,
        left_out={},
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("an expired token", "GitHub does not accept the token"),
        ("no token", "there is no token for GitHub"),
        ("no App", "name it with --app-id and --private-key-file"),
        ("no key", "name another --private-key-file"),
        ("an odd key", "name another --private-key-file"),
        ("the key of another App", "check --app-id and --private-key-file"),
    ],
)
async def test_what_github_does_not_take_any_more_settles_no_repository(
    github: SimulatedGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    words: str,
) -> None:
    token = "" if kind == "no token" else "ghp_expired"
    monkeypatch.setattr(operator, "token", lambda _host: token)
    as_app = kind not in ("an expired token", "no token")
    source: Source = Installations() if as_app else Organization("octo")
    options = FleetOptions(
        each=auditing.options(None, tmp_path, settings=settings(github, kind, tmp_path)),
        source=source,
        filters=Filters(most_megabytes=1_000),
        budget_usd=5.0,
    )
    with pytest.raises(AuditRefused, match=words):
        await run.audit(options)  # nothing could be listed

    state = tmp_path / "state" / "defects"
    begun = begun_with(options, 7 if as_app else 0)
    record.write(state, begun)
    assert await run.audit(options) == 2
    told = json.loads(capsys.readouterr().out)["repositories"]
    assert [each["state"] for each in told] == ["not finished"] * 2
    assert all(words in each["reason"] for each in told), told
    assert record.read(state) == begun, "the run is open, and nothing in it is settled"


async def test_a_fault_of_this_machine_costs_one_repository_and_settles_nothing(
    github: SimulatedGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def head(_self: Reader, found: Found) -> str:
        if found.id == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        raise Unreadable("it is gone")

    monkeypatch.setattr(Reader, "head", head)
    options = FleetOptions(
        each=auditing.options(None, tmp_path, settings=settings(github, "a token", tmp_path)),
        source=Organization("octo"),
        filters=Filters(most_megabytes=1_000),
        budget_usd=5.0,
    )
    state = tmp_path / "state" / "defects"
    state.mkdir(parents=True)
    begun = begun_with(options, 0)
    record.write(state, begun)
    assert await run.audit(options) == 2
    one, two = json.loads(capsys.readouterr().out)["repositories"]
    assert (one["state"], two["state"]) == ("not finished", "not audited")
    assert "No space left on device" in one["reason"]
    assert record.read(state) == begun.settle(begun.repositories[1], "it is gone")
