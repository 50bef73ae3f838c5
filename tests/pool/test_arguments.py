"""A value that cannot hold is refused by the call that brings it, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh import Pool, usual_state
from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig, TaskOverrides
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from tests.pool.puppet import OpenPool, Puppet

OPEN: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"config": {"model": "x"}}, TypeError, r"`config` must be a PoolConfig, .* PoolConfig\.model_validate"),
    ({"config": 3}, TypeError, "`config` must be a PoolConfig, not of the type int"),
    ({"config": TaskOverrides()}, TypeError, "not of the type TaskOverrides"),
    ({"slots": -1}, ValueError, "`slots` is -1"),
    ({"slots": "four"}, TypeError, "`slots` must be a number or a list of SlotConfig"),
    ({"slots": True}, TypeError, "`slots` must be a number"),
    ({"slots": [{"role": "x"}]}, TypeError, "`slots` must be a SlotConfig, not of the type dict"),
    ({"slots": [None]}, TypeError, "one of them is None"),
    ({"folder": "/no/such/folder"}, ValueError, "`folder` does not exist: /no/such/folder"),
    ({"folder": __file__}, ValueError, "`folder` is no folder"),
    ({"folder": 3}, TypeError, "`folder` must be a path"),
    ({"state": "state"}, ValueError, "state=True"),
]


@pytest.mark.parametrize(("given", "error", "words"), OPEN)
async def test_a_pool_is_not_opened_with_it(
    given: dict[str, Any], error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        async with Pool.open(Puppet(), **given):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_a_task_or_chain_is_not_queued_with_it(tmp_path: Path) -> None:
    wrong: Any
    async with Pool.open(Puppet(), folder=tmp_path) as pool:
        for wrong in (None, 3, b"x"):
            with pytest.raises(TypeError, match="`prompt` must be a text"):
                await pool.run(wrong)
        for wrong in ({"model": "x"}, PoolConfig()):
            with pytest.raises(TypeError, match="`config` must be a TaskOverrides"):
                await pool.submit("x", config=wrong)
            with pytest.raises(TypeError, match="`config` must be a TaskOverrides"):
                await pool.fan_out(["x"], config=wrong)
        for wrong in ("tag", [1], 3):
            with pytest.raises(TypeError, match="`tags` must be a list of texts"):
                await pool.run("x", tags=wrong)
        wrong = "one prompt"
        with pytest.raises(TypeError, match="`prompts` must be a list of texts, not of the type str"):
            await pool.fan_out(wrong)
        wrong = [{"name": "a", "prompt": "x"}]
        with pytest.raises(TypeError, match="`every step` must be a ChainStep, not of the type dict"):
            await pool.submit_chain(wrong)
        wrong = {"tags": ["a"]}
        with pytest.raises(TypeError, match="`options` must be a ChainOptions"):
            await pool.submit_workflow("x", options=wrong)
        wrong = ChainOptions()
        with pytest.raises(TypeError, match="`config` must be a SlotConfig"):
            await pool.configure_slot("slot-0", wrong)
        await pool.configure_slot("slot-0", SlotConfig())
        assert await pool.tasks() == []


async def test_state_true_keeps_the_work_in_a_place_of_the_folder_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "kept"))
    here, other = tmp_path / "a", tmp_path / "b" / "a"
    for folder in (here, other):
        folder.mkdir(parents=True)
    async with Pool.open(Puppet(), folder=here, state=True) as pool:
        await pool.run("x")
    async with Pool.open(Puppet(), folder=here, state=True) as pool:
        assert len(await pool.tasks()) == 1
    async with Pool.open(Puppet(), folder=other, state=True) as pool:
        assert await pool.tasks() == []
    assert usual_state(here) != usual_state(other)
    assert (usual_state(here) / "pool.sqlite").exists()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"priority": "high"}, "`priority` must be a whole number"),
        ({"priority": 1.5}, "`priority` must be a whole number"),
        ({"priority": 10**30}, "`priority` is 10"),
        ({"max_rejections": None}, "`max_rejections` must be a whole number"),
        ({"review": "no"}, "`review` must be True or False"),
    ],
)
async def test_what_would_disturb_others_later_is_refused_at_once(
    open_pool: OpenPool, more: dict[str, Any], problem: str
) -> None:
    async with open_pool(Puppet()) as pool:
        with pytest.raises((TypeError, ValueError), match=problem):
            await pool.submit("x", **more)
        assert await pool.tasks() == []


@pytest.mark.parametrize("field", ["task_budget_usd", "chain_budget_usd", "budget_microdollars"])
def test_a_budget_that_no_database_keeps_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="less than or equal to 100000"):
        PoolConfig.model_validate({field: 10**18})
