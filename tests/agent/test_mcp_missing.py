"""An MCP server that was asked for and is not there: the run fails before it costs anything, and says which."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from claude_pool_gh import Ending, PoolConfig, SlotConfig, TaskOverrides
from claude_pool_gh.agent.passes import Pass
from claude_pool_gh.rehearsal.model import ScriptedModel, say
from tests.local.house import House, in_turn


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    return House(model, short_folder)


GONE: Final[dict[str, dict[str, Any]]] = {
    "no such program": {"command": "/nonexistent"},
    "ends at once": {"command": "/bin/false"},
    "nobody listens": {"type": "http", "url": "http://127.0.0.1:9/mcp"},
}


@pytest.mark.parametrize("name", GONE)
async def test_a_server_that_does_not_start_fails_the_run_before_it_costs_anything(
    runtime: House, name: str
) -> None:
    run = await runtime.run(in_turn(say("done")), mcp_servers={"gone": GONE[name]})
    assert (run.result.ending, run.result.cost_microdollars, run.requests) == (Ending.failed, 0, [])
    assert run.result.reason.startswith(
        "MCP servers did not start: 'gone' (failed); check `command` or `url`"
    )


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"comand": "x"}, "needs either `command`, .* or `url`, .* it has `comand`"),
        ({}, "it has nothing"),
        ({"command": ""}, "`command` of the MCP server 't' must be a text"),
        ({"command": "x", "url": "http://x"}, "it has `command`, `url`"),
        ({"url": "http://x"}, "add its `type`: `http` or `sse`"),
    ],
)
def test_an_entry_that_names_no_server_is_refused_when_the_settings_are_made(
    entry: dict[str, Any], wrong: str
) -> None:
    for kind in (PoolConfig, SlotConfig, TaskOverrides):
        with pytest.raises(ValueError, match=wrong):
            kind(mcp_servers={"t": entry})


async def test_nothing_is_asked_before_the_cli_has_said_what_it_runs_with() -> None:
    usual, good, bad = (Pass("run.1", frozenset()) for _ in range(3))
    assert await usual.is_checked()
    for each in (good, bad):
        each.unchecked = True
    waiting = [asyncio.create_task(each.is_checked()) for each in (good, bad)]
    await asyncio.sleep(0.05)
    assert not any(each.done() for each in waiting)
    good.checked.set()
    bad.over.set()
    assert await asyncio.gather(*waiting) == [True, False]
