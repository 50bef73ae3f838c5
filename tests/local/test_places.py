"""Two scripts with one `state`, started in two folders."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool_gh import Isolation, Pool
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from tests.local.house import git
from tests.pool.kit import GUARD, until
from tests.pool.puppet import Gate, Puppet, said


async def write(task: AgentTask, folder: Path, _line: AgentChannel) -> AgentOutcome:
    (folder / f"{task.prompt}.txt").write_text("x")
    return said()


async def test_each_works_in_its_own_folder_also_after_the_other_was_stopped(
    tmp_path: Path,
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    agent = Puppet(Gate())
    async with Pool.open(agent, folder=tmp_path / "a", state=tmp_path / "state") as pool:
        left = await pool.submit("left")
        await until(lambda: agent.running == 1)
    agent.act = write
    async with Pool.open(agent, folder=tmp_path / "b", state=tmp_path / "state") as pool:
        assert (await asyncio.wait_for(pool.run("mine"), GUARD)).success
    assert [path.name for path in tmp_path.glob("[ab]/*")] == ["mine.txt"]
    async with Pool.open(agent, folder=tmp_path / "a", state=tmp_path / "state") as pool:
        await pool.wait(left, timeout_secs=GUARD)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("[ab]/*")) == [
        "a/left.txt",
        "b/mine.txt",
    ]


async def test_a_worktree_is_one_of_the_repository_that_it_was_submitted_in(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "--quiet")
        (tmp_path / name / f"of-{name}.txt").write_text("x")
        git(tmp_path / name, "add", ".")
        git(tmp_path / name, "commit", "--quiet", "--message", name)
    seen: list[str] = []

    async def look(_task: AgentTask, folder: Path, _line: AgentChannel) -> AgentOutcome:
        seen.extend(path.name for path in folder.glob("*.txt"))
        return said()

    agent = Puppet(Gate())
    async with Pool.open(agent, folder=tmp_path / "a", state=tmp_path / "state") as pool:
        await pool.submit("first")
        await until(lambda: agent.running == 1)
        left = await pool.submit("left", isolation=Isolation.worktree)
    agent.act = look
    async with Pool.open(agent, folder=tmp_path / "b", state=tmp_path / "state") as pool:
        assert (await asyncio.wait_for(pool.run("mine"), GUARD)).success
        assert seen == ["of-b.txt"]
    async with Pool.open(agent, folder=tmp_path / "a", state=tmp_path / "state") as pool:
        assert (await pool.wait(left, timeout_secs=GUARD)).success
    assert set(seen[1:]) == {"of-a.txt"}
