"""The defaults of an organization, in its repository `.github`: read for a minute, and never instead of an own file."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from claude_pool_gh.config.load import HOME, Configuration, Faults
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.github.trusted import TrustedFiles
from claude_pool_gh.rehearsal.github import Fault, Repository, Respond
from tests.conversation.simulated.kit import CONFIG, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")


def loader(desk: Desk) -> ConfigLoader:
    return ConfigLoader(desk.services.forge, frozenset(desk.verbs))


async def read(
    desk: Desk, by: ConfigLoader, at: Repository | None = None
) -> Configuration | Faults:
    """The configuration of the shop, or of another repository, as it is now."""
    place = at or desk.shop
    repository = desk.repository.model_copy(update={"id": place.id, "name": place.name})
    files = TrustedFiles(desk.services.forge, repository, branch="main")
    return await by.of(repository, files)


async def held(
    desk: Desk, by: ConfigLoader, at: Repository | None = None
) -> tuple[float, str, float]:
    """What a task may cost, who has said so, and the cap of a thread."""
    found = await read(desk, by, at)
    assert isinstance(found, Configuration), found
    budget = found.value.budget
    return budget.task, found.source("budget.task"), budget.chain


@pytest.fixture(scope="module")
def home(desk: Desk) -> Repository:
    """The organization's repository, which the App sees."""
    files = {CONFIG: "budget: {task: 1.5, chain: 9}\n"}
    home = desk.github.create_repository(f"octo/{HOME}", files=files)
    desk.github.add_repositories(desk.installation, home)
    return home


@pytest.fixture(autouse=True)
def nothing_is_out_of_order(desk: Desk) -> Iterator[None]:
    yield
    desk.github.faults.clear()


async def test_without_a_file_of_its_own_a_repository_has_the_organizations_defaults(
    desk: Desk, home: Repository
) -> None:
    assert home.name == HOME
    assert await held(desk, loader(desk)) == (1.5, f"octo/{HOME}", 9.0)


@pytest.mark.usefixtures("home")
async def test_its_own_file_goes_before_them_key_by_key(desk: Desk) -> None:
    with desk.configured("budget: {task: 2}\n"):
        assert await held(desk, loader(desk)) == (2.0, CONFIG, 9.0)


@pytest.mark.usefixtures("home")
async def test_its_own_file_is_read_anew_each_time_and_the_organizations_once_a_minute(
    desk: Desk, home: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, now = loader(desk), time.monotonic()
    assert (await held(desk, by))[0] == 1.5
    home.commit("main", {CONFIG: "budget: {task: 1.25, chain: 9}\n"})
    with desk.configured("budget: {chain: 7}\n"):
        assert await held(desk, by) == (1.5, f"octo/{HOME}", 7.0)
    monkeypatch.setattr(time, "monotonic", lambda: now + 59)
    assert (await held(desk, by))[0] == 1.5
    monkeypatch.setattr(time, "monotonic", lambda: now + 70)
    assert (await held(desk, by))[0] == 1.25
    home.commit("main", {CONFIG: "budget: {task: 1.5, chain: 9}\n"})


async def test_of_the_organizations_own_repository_that_file_is_its_own(
    desk: Desk, home: Repository
) -> None:
    found = await read(desk, loader(desk), home)
    assert isinstance(found, Configuration)
    assert found.source("budget.task") == CONFIG
    assert ":" not in found.blob, "it is read once"


@pytest.mark.usefixtures("home")
async def test_what_is_wrong_with_the_organizations_file_is_told_as_theirs(
    desk: Desk, home: Repository
) -> None:
    home.commit("main", {CONFIG: "budget: {tusk: 1}\n"})
    found = await read(desk, loader(desk))
    home.commit("main", {CONFIG: "budget: {task: 1.5, chain: 9}\n"})
    assert isinstance(found, Faults)
    assert found.file == f"octo/{HOME}"


@pytest.mark.usefixtures("home")
async def test_a_repository_that_the_app_may_not_read_has_no_say(desk: Desk) -> None:
    by = loader(desk)
    refused = Fault(Respond(403), when=lambda m: f"/octo/{HOME}" in m.path, times=99)
    desk.github.faults.add(refused)
    assert (await held(desk, by))[1] == "default"
    hits = refused.hits
    assert hits > 0
    assert (await held(desk, by))[1] == "default"
    assert refused.hits == hits, "that is not asked for again within the minute either"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", [".github/claude-pool.yaml", "claude-pool.yml"])
async def test_nothing_is_done_where_somebody_has_written_limits_in_a_file_of_another_name(
    desk: Desk, name: str
) -> None:
    desk.shop.commit("main", {name: "budget: {task: 0.5}\n"})
    found = await read(desk, loader(desk))
    desk.shop.commit("main", {name: None})
    assert isinstance(found, Faults)
    assert found.file == name
    with desk.configured("budget: {task: 2}\n"):
        desk.shop.commit("main", {name: "budget: {task: 0.5}\n"})
        assert (await held(desk, loader(desk)))[0] == 2.0, "where there is the right one it holds"
        desk.shop.commit("main", {name: None})


async def test_a_file_that_is_too_large_is_not_taken_for_none(desk: Desk) -> None:
    with desk.configured("# " + "x" * 300_000 + "\n"):
        found = await read(desk, loader(desk))
    assert isinstance(found, Faults)
    assert found.file == CONFIG
    assert "too large" in str(found.faults[0])
