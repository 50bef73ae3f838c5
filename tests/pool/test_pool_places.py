"""What was submitted from one folder never runs in another, whoever opens the store next, and from where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, WorkspaceRequest
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.run.folders import SharedFolder
from claude_pool_gh.pool.store.places import queue_of
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.storage import Transaction
from tests.pool.kit import GUARD, ended, parked, until
from tests.pool.puppet import Gate, OpenPool, Puppet, echo

Folders = Callable[[str], SharedFolder]


@dataclass
class Placed(Puppet):
    """Remembers where it ran what."""

    places: list[tuple[str, str]] = field(default_factory=list)

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        self.places.append((task.prompt, folder.name))
        return await super().run(task, folder, line)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    def make(name: str) -> SharedFolder:
        (tmp_path / name).mkdir(exist_ok=True)
        return SharedFolder(tmp_path / name)

    return make


async def test_after_a_restart_in_another_folder_nothing_runs_in_the_wrong_place(
    open_pool: OpenPool, folders: Folders
) -> None:
    agent = Placed(Gate())
    async with open_pool(agent, workspaces=folders("a")) as pool:
        ids = [await pool.submit(f"edit {number}") for number in range(2)]
        await until(lambda: agent.running == 1)
    agent.act = echo
    async with open_pool(agent, workspaces=folders("b")) as pool:
        assert (await asyncio.wait_for(pool.run("mine"), GUARD)).success
        await pool._core.dispatcher.take_over()
        assert [await pool.result(each) for each in ids] == [None] * 2
        assert (await pool.status()).pending_tasks == 1, "it can be seen from here"
    assert agent.places == [("edit 0", "a"), ("mine", "b")]
    async with open_pool(agent, workspaces=folders("a")) as pool:
        for each in ids:
            assert (await pool.wait(each, timeout_secs=GUARD)).success
    assert sorted(agent.places[2:]) == [("edit 0", "a"), ("edit 1", "a")]


async def test_two_programs_on_one_store_work_each_in_its_own_folder(
    open_pool: OpenPool, folders: Folders
) -> None:
    one, two = Placed(), Placed()
    async with (
        open_pool(one, workspaces=folders("a")) as a,
        open_pool(two, workspaces=folders("b")) as b,
    ):
        results = await asyncio.wait_for(
            asyncio.gather(
                a.fan_out([f"a{n}" for n in range(10)]), b.fan_out([f"b{n}" for n in range(10)])
            ),
            GUARD,
        )
    assert all(each.success for some in results for each in some)
    assert sorted(one.places) == [(f"a{n}", "a") for n in range(10)]
    assert sorted(two.places) == [(f"b{n}", "b") for n in range(10)]


async def test_what_was_approved_from_another_folder_goes_on_in_its_own(
    open_pool: OpenPool, folders: Folders
) -> None:
    agent = Placed()
    async with open_pool(agent, workspaces=folders("a")) as pool:
        chain = await pool.submit_chain(
            [ChainStep(name="one", prompt="1", gate=True), ChainStep(name="two", prompt="2")]
        )
        await parked(pool, chain)
    async with open_pool(agent, workspaces=folders("b")) as pool:
        await pool.approve(chain)
        assert (await asyncio.wait_for(pool.run("mine"), GUARD)).success
        assert (await pool.chain_progress(chain)).status == "queued"
    async with open_pool(agent, workspaces=folders("a")) as pool:
        assert (await ended(pool, chain)).success
    assert agent.places == [("1", "a"), ("mine", "b"), ("2", "a")]


async def test_the_same_folder_under_another_name_is_the_same(
    open_pool: OpenPool, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Placed(Gate())
    async with open_pool(agent, workspaces=folders("a")) as pool:
        task_id = await pool.submit("edit")
        await until(lambda: agent.running == 1)
    agent.act = echo
    (tmp_path / "link").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    async with open_pool(agent, workspaces=SharedFolder(Path("link"))) as pool:
        monkeypatch.chdir("/")
        assert (await pool.wait(task_id, timeout_secs=GUARD)).success
        assert (await asyncio.wait_for(pool.run("more"), GUARD)).success
    assert agent.places == [("edit", "a"), ("edit", "a"), ("more", "a")]


async def test_what_an_earlier_version_queued_goes_on_where_that_would_have_run_it(
    open_pool: OpenPool, folders: Folders
) -> None:
    agent = Placed(Gate())
    async with open_pool(agent, workspaces=folders("a")) as pool:
        task_id = await pool.submit("edit")
        await until(lambda: agent.running == 1)

    def as_it_was(tx: Transaction) -> None:
        plan = tx.execute(sa.select(chains.c.plan)).scalar_one()
        tx.execute(
            chains.update().values(pool="main", plan=plan | {"workspace": {"isolation": "none"}})
        )

    agent.act = echo
    async with open_pool(agent, workspaces=folders("b")) as pool:
        await pool.database.transact(as_it_was)
    async with open_pool(agent, workspaces=folders("a")) as pool:
        assert (await pool.wait(task_id, timeout_secs=GUARD)).success


async def test_a_folder_is_never_lent_to_a_plan_of_another(folders: Folders) -> None:
    a, b = folders("a"), folders("b")
    spec = await a.pinned(Isolation.none)
    async with a.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)) as lent:
        assert lent.folder == a.folder
    with pytest.raises(
        NoWorkspace, match=f"to work in {a.folder}, and this pool works in {b.folder}"
    ):
        async with b.lease(WorkspaceRequest(run_id="r.1", slot="s", spec=spec)):
            pytest.fail("it was lent")


def test_pools_without_a_folder_share_by_name_alone() -> None:
    assert queue_of("main", None) == "main"
    assert (
        len({queue_of(name, folder) for name in "xy" for folder in (None, Path("/a"), Path("/b"))})
        == 6
    )


async def test_whoever_opens_a_state_from_another_folder_is_told_what_waits_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    gate, agent = Gate(), Puppet()
    agent.act = gate
    async with Pool.open(agent, state=tmp_path / "state", workspaces=SharedFolder(here)) as pool:
        await pool.submit("x")
        await until(lambda: agent.running == 1)
    for folder, told in ((there, True), (here, False)):
        caplog.clear()
        async with Pool.open(Puppet(), state=tmp_path / "state", workspaces=SharedFolder(folder)):
            pass
        assert (f"1 submitted to work in {here} are unfinished" in caplog.text) is told
