"""Short names of models, and the least that a run with one needs: said at submit, and enough for a real CLI."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from claude_pool_gh import (
    CapReached,
    ClaudeAgent,
    Effort,
    PermissionMode,
    PoolConfig,
    TaskOverrides,
)
from claude_pool_gh.agent import models, process
from claude_pool_gh.agent.claude import _QUIET
from claude_pool_gh.pool.model.ports import AgentTask
from claude_pool_gh.rehearsal.model import ScriptedModel, say
from tests.agent.bench import a_task
from tests.local.house import House

MODES = (PermissionMode.default, PermissionMode.plan)
NAMES = [*models.ALIASES, "opusplan[1m]", "sonnet[1m]", "SONNET", " opus ", "claude-haiku-4-5"]


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    return House(model, short_folder)


async def by_the_cli(model: ScriptedModel, folder: Path, name: str, mode: PermissionMode) -> str:
    """The model that the CLI asks for, where it is given this name."""
    before = len(model.requests)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "x",
        **_QUIET,
    }
    command = [str(process.bundled_cli()), "-p", "Hi", "--model", name, "--permission-mode", mode]
    command += ["--setting-sources", "", "--output-format", "json"]
    cli = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await cli.communicate()
    assert json.loads(out)["is_error"] is False
    (asked,) = {request.model for request in model.requests[before:]}
    return asked


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
async def test_a_short_name_means_what_it_means_to_the_cli(
    model: ScriptedModel, short_folder: Path, name: str
) -> None:
    model.script = lambda _request: say("Hi")
    for mode in MODES:
        asked = await by_the_cli(model, short_folder, name, mode)
        assert models.plain(models.resolved(name, mode)) == asked, mode


@pytest.mark.parametrize(
    ("name", "mode", "model"),
    [
        ("haiku", PermissionMode.default, "claude-haiku-5-5"),
        ("haiku", PermissionMode.plan, "claude-sonnet-5-5"),
        ("Opus[1m]", PermissionMode.default, "claude-opus-5-5"),
        ("opusplan", PermissionMode.plan, "claude-opus-5-5"),
        ("claude-sonnet-4-5[1m]", PermissionMode.plan, "claude-sonnet-4-5[1m]"),
        ("somebody-elses", PermissionMode.default, "somebody-elses"),
    ],
)
def test_names_are_resolved(name: str, mode: PermissionMode, model: str) -> None:
    assert models.resolved(name, mode) == model


async def test_a_short_name_works_wherever_a_model_is_named(runtime: House) -> None:
    runtime.model.script = lambda _request: say("Hi")
    async with runtime.open(
        runtime.agent(model="sonnet"), config=PoolConfig(fallback_model="haiku")
    ) as pool:
        usual = await pool.run("Hi")
        own = await pool.run("Hi", config=TaskOverrides(model="opus", effort=Effort.low))
    assert usual.success, usual.reason
    assert own.success, own.reason
    assert [request.model for request in runtime.model.requests] == [
        "claude-sonnet-5-5",
        "claude-opus-5-5",
    ]


@pytest.mark.parametrize(
    "name", ["sonnet", "opus", "haiku", "claude-haiku-4-5", "claude-sonnet-4-5"]
)
async def test_the_least_that_is_named_is_enough_and_less_is_refused_at_submit(
    runtime: House, name: str
) -> None:
    runtime.model.script = lambda _request: say("Hi")
    task: AgentTask = a_task("t", system="", prompt="Say hi", model=name, schema=None)
    least = ClaudeAgent().least(task)
    async with runtime.open() as pool:
        with pytest.raises(
            CapReached, match=r"asked for .* set TaskOverrides\.max_budget_usd"
        ) as refused:
            await pool.run(
                "Say hi", config=TaskOverrides(model=name, max_budget_usd=(least - 1) / 1e6)
            )
        assert refused.value.asked == least
        assert runtime.model.requests == []
        result = await pool.run(
            "Say hi", config=TaskOverrides(model=name, max_budget_usd=least / 1e6)
        )
    assert result.success, result.reason
    assert 0 < result.cost_microdollars <= least


async def test_a_tight_budget_lets_every_slot_work_and_is_kept(runtime: House) -> None:
    """Its tasks begin with the least, take more as they need it, and the money goes as far as it goes."""
    runtime.model.script = lambda _request: say("Hi")
    config = PoolConfig(budget_microdollars=400_000)
    async with runtime.open(slots=2, config=config) as pool:
        results = await pool.fan_out(["Say hi"] * 4)
        status = await pool.status()
    assert [result.reason for result in results if not result.success] == []
    assert status.total_spend_microdollars == runtime.model.bill.total <= 400_000


async def test_what_a_run_may_not_have_is_refused_at_submit(runtime: House) -> None:
    async with runtime.open() as pool:
        with pytest.raises(ValueError, match=r"Bash cannot be held .* ClaudeAgent\(trusted=True\)"):
            await pool.submit("x", config=TaskOverrides(tools=["Bash"]))
