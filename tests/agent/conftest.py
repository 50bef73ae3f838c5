"""A bench per test, one database for all of them, and nothing of this machine to be seen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.processes import launching
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.storage import Database, migrations
from tests.agent.bench import REAL_KEY, Bench, WallClock, done, zombies

KEPT = ("PATH", "LANG", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short name: the CLI puts a socket below the temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="t-")).resolve()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_of_this_machine(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, home or credentials of this machine; temporary files in a folder of the test's own."""
    for name in set(os.environ) - set(KEPT):
        if not name.startswith("PYTEST"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(short_folder / "home"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", REAL_KEY)
    (short_folder / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder / "tmp"))


@pytest.fixture(params=["namespace", "reaper"])
def each_mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The test runs in both ways of holding processes."""
    if request.param == "reaper":
        monkeypatch.setenv("CLAUDE_POOL_PROCESS_MODE", "reaper")
    launching.mode.cache_clear()
    if launching.mode() != request.param:
        pytest.skip("this machine allows no PID namespace")
    yield request.param
    launching.mode.cache_clear()


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/pool.sqlite")
    migrations.upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel.start(lambda _: done()) as model:
        yield model


@pytest.fixture
async def gateway(database: Database, model: ScriptedModel) -> AsyncIterator[Gateway]:
    gateway = Gateway(Meter(database, WallClock()), model.url, REAL_KEY, read_on=0.5)
    await gateway.start()
    yield gateway
    await gateway.close()


@pytest.fixture
async def bench(
    database: Database, model: ScriptedModel, gateway: Gateway, short_folder: Path
) -> AsyncIterator[Bench]:
    folder = short_folder / "tree"
    folder.mkdir()
    (folder / "a.txt").write_text("hello\n")
    bench = Bench(database, model, gateway, folder)
    await bench.open_chain()
    yield bench
    assert zombies() == []
    assert list((short_folder / "tmp").glob("cpg-*")) == [], "a run left its folder behind"
