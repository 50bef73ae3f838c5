"""MCP servers of the settings reach the agent; those of a stranger's folder do not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from claude_pool_gh import Ending, PoolConfig, SlotConfig
from claude_pool_gh.rehearsal.model import ModelRequest, Reply, ScriptedModel, say, use
from tests.local.house import KEY, House, in_turn

pytestmark = pytest.mark.long  # a real CLI for each, and more of them than `make test` has time for

TOKEN: Final = "tracker-token-0815"
SERVER: Final = """
import json, os, sys

name, mark = sys.argv[1:]
with open(mark, "a") as file:
    file.write(name + " ")
tool = {"name": "greet", "description": "Greets", "inputSchema": {"type": "object", "properties": {}}}
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    if asked["method"] == "initialize":
        result = {
            "protocolVersion": asked["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": name, "version": "1"},
        }
    elif asked["method"] == "tools/list":
        result = {"tools": [tool]}
    elif asked["method"] == "tools/call":
        told = {"from": name, **asked["params"]["arguments"], "seen": dict(os.environ)}
        result = {"content": [{"type": "text", "text": json.dumps(told)}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""
GREET: Final = use("mcp__t__greet", {"who": "Bob"})


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    (short_folder / "server.py").write_text(SERVER)
    return House(model, short_folder)


def server(runtime: House, name: str = "one", **environment: str) -> dict[str, Any]:
    """A server as settings name it."""
    command = [
        sys.executable,
        "-IS",
        str(runtime.place / "server.py"),
        name,
        str(runtime.place / "started"),
    ]
    return {"command": command[0], "args": command[1:], "env": environment}


def started(runtime: House) -> str:
    """The servers that were started."""
    mark = runtime.place / "started"
    return mark.read_text() if mark.exists() else ""


async def test_a_server_offers_its_tool_and_answers(runtime: House) -> None:
    run = await runtime.run(
        in_turn(GREET, say("done")),
        mcp_servers={"t": server(runtime)},
        allowed_tools=("mcp__t__*",),
    )
    assert run.result.success, run.result.reason
    assert "mcp__t__greet" in run.requests[0].tools
    answer = json.loads(run.told)
    assert (answer["from"], answer["who"]) == ("one", "Bob")
    assert KEY not in run.told


async def test_a_server_that_is_not_allowed_would_have_to_be_asked_for(runtime: House) -> None:
    script, servers = in_turn(GREET, say("done")), {"t": server(runtime)}
    attended = await runtime.run(script, mcp_servers=servers)
    assert attended.result.ending is Ending.failed
    assert "mcp__t__greet" in attended.result.reason
    assert "`allowed_tools`" in attended.result.reason


async def test_unattended_the_agent_is_told_no_and_goes_on(runtime: House) -> None:
    script, servers = in_turn(GREET, say("done")), {"t": server(runtime)}
    run = await runtime.run(script, pool=PoolConfig(unattended_mode=True), mcp_servers=servers)
    assert (run.result.ending, run.result.output) == (Ending.completed, "done")
    assert "don't ask mode" in run.told


async def test_a_later_server_replaces_one_of_its_name(runtime: House) -> None:
    def call(name: str) -> Reply:
        return use(f"mcp__{name}__greet", {})

    def three(who: str, names: str) -> dict[str, dict[str, Any]]:
        return {name: server(runtime, f"{who}-{name}") for name in names}

    run = await runtime.run(
        in_turn(call("a"), call("b"), call("c"), say("done")),
        pool=PoolConfig(
            mcp_servers=three("pool", "abc"), allowed_tools=("mcp__a__*", "mcp__b__*", "mcp__c__*")
        ),
        slot=SlotConfig(mcp_servers=three("slot", "bc")),
        mcp_servers=three("task", "c"),
    )
    assert run.result.success, run.result.reason
    answers = [json.loads(request.last)["from"] for request in run.requests[1:]]
    assert answers == ["pool-a", "slot-b", "task-c"]
    assert sorted(started(runtime).split()) == ["pool-a", "slot-b", "task-c"]


async def test_no_token_of_a_server_is_on_a_command_line(runtime: House) -> None:
    seen: list[str] = []

    def look(_request: ModelRequest) -> Reply:
        for process in psutil.process_iter():
            try:
                seen.append(" ".join(process.cmdline()))
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return GREET

    run = await runtime.run(
        in_turn(look, say("done")),
        mcp_servers={"t": server(runtime, TOKEN=TOKEN)},
        allowed_tools=("mcp__t__*",),
    )
    assert json.loads(run.told)["seen"]["TOKEN"] == TOKEN, "the server itself has it"
    assert any("--mcp-config" in line for line in seen), "the CLI was looked at"
    assert any(str(runtime.place / "server.py") in line for line in seen), "the server too"
    assert not any(TOKEN in line for line in seen)


@pytest.mark.parametrize(
    ("strict", "trusted", "runs"),
    [(True, True, False), (False, False, False), (False, True, True)],
    ids=["strict", "not trusted", "both"],
)
async def test_the_folders_servers_are_for_the_trusted_who_ask_for_them(
    runtime: House, *, strict: bool, trusted: bool, runs: bool
) -> None:
    (runtime.folder / ".mcp.json").write_text(
        json.dumps({"mcpServers": {"t": server(runtime, "the folder's")}})
    )
    run = await runtime.run(
        in_turn(GREET, say("done")),
        agent=runtime.agent(trusted=trusted),
        pool=PoolConfig(strict_mcp_config=strict),
        allowed_tools=("mcp__t__*",),
    )
    assert run.result.success, run.result.reason
    assert ("mcp__t__greet" in run.requests[0].tools) is runs
    assert bool(started(runtime)) is runs
    assert ("No such tool" in run.told) is not runs


async def test_the_settings_server_replaces_the_folders_of_its_name(runtime: House) -> None:
    (runtime.folder / ".mcp.json").write_text(
        json.dumps({"mcpServers": {"t": server(runtime, "folder")}})
    )
    run = await runtime.run(
        in_turn(GREET, say("done")),
        agent=runtime.agent(trusted=True),
        pool=PoolConfig(strict_mcp_config=False),
        mcp_servers={"t": server(runtime, "task")},
        allowed_tools=("mcp__t__*",),
    )
    assert json.loads(run.told)["from"] == "task"
    assert started(runtime).split() == ["task"]
