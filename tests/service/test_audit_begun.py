"""Which run the next command carries or tells, with real git and a real store, and without an agent."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.conversation.audit.host import Subject
from claude_pool_gh.pool.model.config import Effort
from claude_pool_gh.pool.model.states import STEP, TASK, StepEvent, TaskEvent
from claude_pool_gh.pool.store import chains, tasks
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.moves import move
from claude_pool_gh.service.audit import carrying, local
from claude_pool_gh.service.audit.refused import NOT_COVERED, AuditRefused
from claude_pool_gh.service.audit.untold import Untold
from claude_pool_gh.storage import Database, Transaction
from tests.service.auditing import FILES, PRICES, commit, options

READ = {"ending": "completed", "structured": {"findings": []}}
PLANNED = {"plan": {"beyond": []}, "shards": [{"title": "shop"}]}


@dataclass
class Shell:
    """Commands for one checkout, up to where a pool would carry what they have begun."""

    folder: Path
    database: Database

    async def begin(self, **given: Any) -> ChainRow:
        """The chain of the next command."""
        asked = replace(options(None, self.folder), **given)
        checkout = await local.checkout_at(self.folder / "shop")
        bench = local._Bench.of(asked, checkout, self.database, self.folder / "worktrees")
        return await local._begun(bench, Untold(self.folder / "state"))

    async def end(self, chain: ChainRow, *, parts: int) -> None:
        """Let it be cancelled with its plan made, and this many parts read."""

        def store(tx: Transaction) -> None:
            step = next(each for each in chain.steps if each.name == "plan")
            move(tx, STEP, step.id, step.state, StepEvent.take_over, result=PLANNED)
            for at in range(parts):
                key = f"{chain.id}.find.{at}"
                tasks.add(tx, key, chain.id, "find", at, "shop", 1)
                move(tx, TASK, key, TASK.first, TaskEvent.take_over, outcome=READ)
            carrying.drop(tx, chains.get(tx, chain.id), 1)

        await self.database.transact(store)

    async def parts(self, chain: ChainRow) -> int:
        """The parts that a chain begins with as read."""
        return len(await self.database.read(lambda tx: tasks.of_chain(tx, chain.id, "find")))


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    commit(tmp_path / "shop", FILES)
    async with carrying.opened_store(tmp_path / "state") as database:
        yield Shell(tmp_path, database)


async def test_runs_that_never_began_lose_nothing_of_what_was_read_before_them(
    shell: Shell,
) -> None:
    first = await shell.begin()
    await shell.end(first, parts=2)
    Untold(shell.folder / "state").clear()
    second = await shell.begin()
    assert await shell.parts(second) == 2
    third = await shell.begin()
    assert third.id != second.id
    assert await shell.parts(third) == 2, "the one before, which is dropped, had taken them over"
    elsewhere = await shell.begin(only=("store/",))
    assert await shell.parts(elsewhere) == 0
    assert await shell.parts(await shell.begin()) == 2, "what was asked for between began nothing"


async def test_a_run_that_began_anew_is_the_one_that_counts(shell: Shell) -> None:
    await shell.end(await shell.begin(), parts=2)
    await shell.end(await shell.begin(fresh=True), parts=0)
    Untold(shell.folder / "state").clear()
    assert await shell.parts(await shell.begin()) == 0


async def test_of_two_at_once_the_second_is_told_what_runs_and_what_can_run_beside_it(
    tmp_path: Path,
) -> None:
    commit(tmp_path / "shop", FILES)
    state = tmp_path / "state" / "defects"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from claude_pool_gh.pool.run.dispatch_lock import dispatching_from_file\n"
        "with dispatching_from_file(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
    )
    state.mkdir(parents=True)
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(state / carrying.FILE)), stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        assert await other.stdout.readline() == b"held\n"
        keyed = options(None, tmp_path, settings={"ANTHROPIC_API_KEY": "x"})
        with pytest.raises(AuditRefused, match="another process runs this audit") as refused:
            await local.audit(keyed, tmp_path / "shop")
        assert "(--audit NAME)" in refused.value.message
        assert refused.value.exit_code == 2
    finally:
        other.kill()
        await other.wait()


async def test_a_run_without_its_reports_is_told_to_the_one_who_asks_for_the_same(
    shell: Shell,
) -> None:
    first = await shell.begin()
    await shell.end(first, parts=1)
    assert (await shell.begin()).id == first.id
    assert (await shell.begin(slots=1)).id == first.id


@pytest.mark.parametrize(
    "other",
    [{"model": "claude-x"}, {"effort": Effort.low}, {"only": ("shop/",)}, {"fresh": True}, {}],
    ids=["another model", "another effort", "other paths", "anew", "another commit"],
)
async def test_it_is_not_taken_for_an_answer_to_anything_else(
    shell: Shell, other: dict[str, object]
) -> None:
    first = await shell.begin()
    await shell.end(first, parts=1)
    if not other:
        commit(shell.folder / "shop", {"shop/prices.py": PRICES.replace("+", "*")})
    second = await shell.begin(**other)
    assert second.id != first.id
    assert await shell.parts(second) == 0


async def test_a_run_that_was_begun_at_another_commit_says_nothing_of_the_one_that_is_checked_out(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = Subject.model_validate((await shell.begin()).plan.context)
    same = await local.checkout_at(shell.folder / "shop")
    assert [local._code(code, subject, same) for code in (0, 1, 2)] == [0, 1, 2]
    capsys.readouterr()
    commit(shell.folder / "shop", {"shop/prices.py": PRICES.replace("+", "*")})
    other = await local.checkout_at(shell.folder / "shop")
    assert local._code(0, subject, other) == NOT_COVERED
    assert f"commit {other.commit[:9]}, which is checked out, was not read" in (
        capsys.readouterr().err
    )
