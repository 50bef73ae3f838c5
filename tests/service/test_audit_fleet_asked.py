"""Runs over fleets are kept apart, and a command never goes on with a run that was asked for something else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.service.audit.carrying import opened_store
from claude_pool_gh.service.audit.fleet import record, run
from claude_pool_gh.service.audit.fleet.asked import asked, store_name
from claude_pool_gh.service.audit.fleet.options import (
    Filters,
    FleetOptions,
    Found,
    Installations,
    Named,
    Organization,
    Source,
)
from claude_pool_gh.service.audit.fleet.reader import Reader
from claude_pool_gh.service.audit.fleet.record import FleetRun
from claude_pool_gh.service.audit.refused import AuditRefused
from tests.service import auditing

EVERYTHING = Filters(most_megabytes=1_000)
TEAM_A = Named(Path("/team-a/repos.txt"), ("octo/a",))
TEAM_B = Named(Path("/team-b/repos.txt"), ("octo/b",))
ENTERPRISE = {"GITHUB_SERVER_URL": "https://github.example.com"}


def options(source: Source, folder: Path, **each: Any) -> FleetOptions:
    """The options of a command over a fleet."""
    own = auditing.options(None, folder, **each)
    return FleetOptions(each=own, source=source, filters=EVERYTHING, budget_usd=5.0)


def others(folder: Path) -> Iterator[tuple[FleetOptions, str]]:
    """Commands that ask for something else than `team-a/repos.txt`, with the flag that says so."""
    first = options(TEAM_A, folder)
    yield replace(first, source=TEAM_B), "the repositories in the file of --repos"
    yield replace(first, source=Organization("octo")), "--org, --installation or --repos"
    yield options(TEAM_A, folder, settings=ENTERPRISE), "--github-server-url"
    yield options(TEAM_A, folder, only=("src/**",)), "--only"
    for flag, filters in {
        "--topic": replace(EVERYTHING, topics=frozenset({"pay"})),
        "--language": replace(EVERYTHING, languages=frozenset({"go"})),
        "--archived": replace(EVERYTHING, archived=True),
        "--max-size": replace(EVERYTHING, most_megabytes=10),
    }.items():
        yield replace(first, filters=filters), flag


def test_each_fleet_of_each_github_has_a_store_of_its_own(tmp_path: Path) -> None:
    sources = (TEAM_A, TEAM_B, Organization("octo"), Organization("acme"))
    fleets = [options(each, tmp_path) for each in sources]
    fleets += [options(each, tmp_path, settings=ENTERPRISE) for each in sources]
    for app in ("1", "2"):
        fleets += [
            options(Installations(only), tmp_path, settings={"app_id": app}) for only in (None, 7)
        ]
    assert len({store_name(each) for each in fleets}) == len(fleets)


def test_the_store_of_a_fleet_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store_name(options(TEAM_A, tmp_path))
    assert store_name(options(replace(TEAM_A, names=("octo/c",)), tmp_path)) == before
    monkeypatch.chdir("/")
    relative = replace(TEAM_A, file=Path("team-a/repos.txt"))
    assert store_name(options(relative, tmp_path)) == before
    octo = options(Organization("octo"), tmp_path)
    assert store_name(replace(octo, source=Organization("Octo"))) == store_name(octo)


async def test_an_unfinished_run_is_resumed_only_by_a_command_that_asks_for_the_same(
    tmp_path: Path,
) -> None:
    first = options(TEAM_A, tmp_path)
    state = tmp_path / "state"
    begun = FleetRun(
        id="fleet-1",
        source="repos.txt",
        asked=asked(first),
        started_ms=1,
        repositories=(Found(id=1, full_name="octo/a", default_branch="main"),),
        left_out={},
    )
    async with opened_store(state) as database:
        record.write(state, begun)
        reader = Reader(first.each.settings)
        assert await run.opened(first, state, reader, database) == begun
        turned = replace(TEAM_A, names=("OCTO/a",))
        assert await run.opened(replace(first, source=turned), state, reader, database) == begun
        for other, flag in others(tmp_path):
            with pytest.raises(AuditRefused, match=flag) as refused:
                await run.opened(other, state, reader, database)
            assert "--fresh" in refused.value.message


def test_a_record_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text('{"id": "fleet-1", "only": []}')
    with pytest.raises(AuditRefused, match="drop the run that it keeps with --fresh"):
        record.read(tmp_path)
