"""Chains that were started in a shell, decided on later: listed, approved, rejected, continued, cancelled, retried."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from claude_pool_gh import ChainStep, Pool
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.settings import Settings, variable
from claude_pool_gh.service.shell import stores
from claude_pool_gh.storage import Database
from tests.pool.puppet import Puppet, failed, said

BARE = {variable(name): None for name in Settings.model_fields}
GATED = [ChainStep(name="write", prompt="Write", gate=True), ChainStep(name="tell", prompt="Tell")]
PLAIN = [ChainStep(name="write", prompt="Write"), ChainStep(name="tell", prompt="Tell")]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(folder)
    return folder


async def stored(work: Path, steps: list[ChainStep], puppet: Puppet | None = None) -> str:
    """A chain in a store of its own, as `claude-pool-gh chain` leaves it at a gate or at its end."""
    state = stores.new_state(work)
    async with Pool.open(
        puppet or Puppet(), folder=work, name=f"script:{work}", state=state
    ) as pool:
        chain_id = await pool.submit_chain(steps)
        await pool.wait_chain(chain_id)
    return chain_id


def shell(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["pool", *arguments], env=BARE)


async def listed(*more: str) -> list[dict[str, Any]]:
    done = await shelled(lambda: shell("list", "--json", *more))
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def shelled(run: Callable[[], Result]) -> Result:
    """A command, which has an event loop of its own, in a thread of its own."""
    return await asyncio.to_thread(run)


async def breaks_at_second(task: AgentTask, _f: Path, _l: AgentChannel) -> AgentOutcome:
    return failed("no luck") if "Tell" in task.prompt else said("written")


async def test_a_parked_chain_is_listed_with_its_whole_id_and_the_command_that_decides(
    work: Path,
) -> None:
    chain_id = await stored(work, GATED)
    done = await shelled(lambda: shell("list"))
    assert chain_id in done.output
    assert "waits for approval (write)" in done.output
    (row,) = await listed()
    assert row["next_command"] == f"claude-pool-gh pool approve {chain_id}"
    assert (row["state"], row["waits_for"], row["step"]) == ("parked", "approval", "write")


async def test_approving_and_rejecting_later(work: Path) -> None:
    chain_id = await stored(work, GATED)
    wrong = await shelled(lambda: shell("continue", chain_id, "--no-wait"))
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "approve or reject it" in wrong.stderr
    done = await shelled(lambda: shell("approve", chain_id, "--no-wait"))
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    assert f"{chain_id} is queued" in done.stderr
    again = await shelled(lambda: shell("reject", chain_id, "no", "--no-wait"))
    assert (again.exit_code, again.stdout) == (1, "")
    assert "does not wait for approval" in again.stderr
    (row,) = await listed()
    assert (row["state"], row["finished_steps"]) == ("interrupted", 1)


async def test_the_last_approval_ends_a_chain_and_prints_its_result_without_a_key(
    work: Path,
) -> None:
    chain_id = await stored(work, GATED[:1])
    done = await shelled(lambda: shell("approve", chain_id))
    assert done.exit_code == 0, done.output
    assert done.stdout == "<Write>\n"
    assert await listed() == []
    (row,) = await listed("--all")
    assert (row["chain_id"], row["verdict"]) == (chain_id, "answered")


async def test_a_chain_that_failed_is_continued_under_a_new_id_and_keeps_its_finished_steps(
    work: Path,
) -> None:
    chain_id = await stored(work, PLAIN, Puppet(breaks_at_second))
    (row,) = await listed()
    assert row["next_command"] == f"claude-pool-gh pool continue {chain_id}"
    done = await shelled(lambda: shell("continue", chain_id, "--no-wait", "--budget", "2.5"))
    assert done.exit_code == 0, done.output
    rows = await listed("--all")
    new = next(each for each in rows if each["chain_id"] != chain_id)
    assert f"{chain_id} continues as {new['chain_id']}" in done.stderr
    assert (new["finished_steps"], new["step"]) == (1, "tell")
    puppet = Puppet()
    state = Path(new["state_dir"])
    async with Pool.open(puppet, folder=work, name=f"script:{work}", state=state) as pool:
        result = await pool.wait_chain(new["chain_id"])
    assert result is not None
    assert result.success
    (told,) = puppet.prompts
    assert told.startswith("Tell"), "the first step had been done"


async def test_a_chain_that_has_ended_is_retried_from_its_beginning(work: Path) -> None:
    chain_id = await stored(work, PLAIN)
    unfit = await shelled(lambda: shell("continue", chain_id, "--no-wait"))
    assert "did not end early" in unfit.stderr
    assert (await shelled(lambda: shell("retry", chain_id, "--no-wait"))).exit_code == 0
    rows = await listed("--all")
    (new,) = [each for each in rows if each["chain_id"] != chain_id]
    assert (new["finished_steps"], new["total_steps"]) == (0, 2)


async def test_a_chain_is_cancelled_also_where_its_process_is_gone(work: Path) -> None:
    parked = await stored(work, GATED)
    done = await shelled(lambda: shell("cancel", parked))
    assert (done.exit_code, done.stderr) == (0, f"{parked} is cancelled\n")
    again = await shelled(lambda: shell("cancel", parked, "--json"))
    assert "had ended already" in again.stderr
    assert json.loads(again.stdout)["chain_id"] == parked
    (row,) = await listed("--all")
    assert row["verdict"] == "cancelled"


@pytest.mark.parametrize("deed", [["approve"], ["reject"], ["continue"], ["retry"], ["cancel"]])
def test_an_unknown_id_says_how_to_find_one(work: Path, deed: list[str]) -> None:
    words = ["x"] if deed == ["reject"] else []
    done = shell(*deed, "chain-nosuch", *words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "claude-pool-gh pool list --all" in done.stderr
    assert work.exists()


@pytest.mark.parametrize(
    "command", [["list"], ["status"], ["list", "--state-dir", "nowhere"], ["cancel", "x"]]
)
def test_commands_that_only_read_make_no_files(work: Path, command: list[str]) -> None:
    shell(*command)
    assert sorted(work.parent.rglob("*")) == [work]


async def test_a_chain_of_github_is_decided_on_github(work: Path) -> None:
    chain_id = await stored(work, GATED)
    (store,) = stores.known(Settings(), work)
    database = Database.open_existing(store.url)
    await database.transact(
        lambda tx: tx.execute(chains.update().values(account={"thread": "1/2"}))
    )
    database.close()
    done = await shelled(lambda: shell("approve", chain_id, "--no-wait"))
    assert done.exit_code == 1
    assert "belongs to a conversation on GitHub" in done.stderr


async def test_a_store_without_a_chain_goes_and_one_that_ended_long_ago_too(work: Path) -> None:
    empty, parked = stores.new_state(work), await stored(work, GATED)
    async with Pool.open(Puppet(), folder=work, state=empty):
        pass
    await stored(work, PLAIN)
    every = sorted(empty.parent.iterdir())
    assert len(every) == 3
    for state in every:
        (state / "worktrees" / "checkouts-x").mkdir(parents=True)
        await stores.tidy(state)
    left = sorted(empty.parent.iterdir())
    assert left == [each for each in every if each != empty]
    assert not [each for each in left if (each / "worktrees" / "checkouts-x").exists()]
    await stores.remove_old(work)
    assert sorted(empty.parent.iterdir()) == left, "they are young"
    for state in left:
        os.utime(state / "pool.sqlite", (0, 0))
    await stores.remove_old(work)
    (kept,) = await listed("--all")
    assert kept["chain_id"] == parked, "what waits is kept"


async def test_what_another_program_has_started_is_decided_here_and_goes_on_there(
    work: Path,
) -> None:
    state = stores.new_state(work)
    async with Pool.open(Puppet(), folder=work, name="theirs", state=state) as pool:
        chain_id = await pool.submit_chain(GATED)
        await pool.wait_chain(chain_id)
    done = await shelled(lambda: shell("approve", chain_id))
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    assert f"{chain_id} is queued" in done.stderr
