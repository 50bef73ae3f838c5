"""What the settings let an agent do, with the real CLI: it does that, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh import Ending, PermissionMode, PoolConfig, SlotConfig
from claude_pool_gh.rehearsal.model import ModelRequest, Reply, ScriptedModel, say, use
from tests.local.house import HAIKU, SONNET, House, Run, in_turn

pytestmark = pytest.mark.long  # a real CLI for each, and more of them than `make test` has time for

READ = use("Read", {"file_path": "a.txt"})
EDIT = use("Edit", {"file_path": "a.txt", "old_string": "hello", "new_string": "changed"})
READ_AND_EDIT = in_turn(READ, EDIT, say("done"))
EDITOR = ("Read", "Edit")
NO_DETECTION = PoolConfig(detect_permission_prompts=False)
OLD, NEW = "hello\n", "changed\n"


@pytest.fixture
def runtime(model: ScriptedModel, short_folder: Path) -> House:
    return House(model, short_folder)


def offered(run: Run) -> set[str]:
    """The tools that the model was shown, without the CLI's own stand-in for more of them."""
    return set(run.requests[0].tools) - {"DeferredToolPlaceholder"}


# which tools there are


@pytest.mark.parametrize(
    ("settings", "tools"),
    [
        ({}, {"Read", "Grep", "Glob"}),
        ({"tools": ("Read", "Write")}, {"Read", "Write"}),
        ({"tools": ()}, set()),
        ({"disallowed_tools": ("Grep",), "allowed_tools": ("Grep",)}, {"Read", "Glob"}),
    ],
    ids=["usual", "named", "none", "disallowed"],
)
async def test_the_model_is_offered_the_tools_of_the_settings(
    runtime: House, settings: Mapping[str, Any], tools: set[str]
) -> None:
    run = await runtime.run(in_turn(say("done")), **settings)
    assert run.result.success
    assert offered(run) == tools


async def test_a_tool_that_was_not_given_does_nothing(runtime: House) -> None:
    run = await runtime.run(
        READ_AND_EDIT, permission_mode=PermissionMode.accept_edits, tools=("Read",)
    )
    assert "No such tool" in run.told
    assert runtime.file == OLD


# permission modes


async def test_accept_edits_edits(runtime: House) -> None:
    run = await runtime.run(
        READ_AND_EDIT, tools=EDITOR, permission_mode=PermissionMode.accept_edits
    )
    assert run.result.success
    assert runtime.file == NEW


async def test_a_permission_prompt_is_detected(runtime: House) -> None:
    run = await runtime.run(READ_AND_EDIT, tools=EDITOR)
    assert (run.result.ending, run.result.success) == (Ending.failed, False)
    assert "Edit" in run.result.reason
    assert "Read" not in run.result.reason
    assert "`allowed_tools`" in run.result.reason
    assert run.result.output == "done", "what it said is not lost"
    assert runtime.file == OLD


async def test_without_detection_the_agent_goes_on_without(runtime: House) -> None:
    run = await runtime.run(READ_AND_EDIT, pool=NO_DETECTION, tools=EDITOR)
    assert run.result.ending is Ending.completed
    assert "haven't granted" in run.told
    assert runtime.file == OLD


async def test_plan_edits_nothing_whatever_is_allowed(runtime: House) -> None:
    run = await runtime.run(
        READ_AND_EDIT,
        pool=NO_DETECTION,
        tools=EDITOR,
        permission_mode=PermissionMode.plan,
        allowed_tools=("Edit",),
    )
    assert run.result.ending is Ending.completed
    assert "plan mode" in run.told
    assert runtime.file == OLD


async def test_a_refusal_of_the_plan_mode_is_called_that(runtime: House) -> None:
    run = await runtime.run(READ_AND_EDIT, tools=EDITOR, permission_mode=PermissionMode.plan)
    assert run.result.ending is Ending.failed
    assert (
        run.result.reason
        == "the agent wanted to use Edit, and the permission mode `plan` does not let it"
    )


async def test_the_narrowest_setting_names_the_mode(runtime: House) -> None:
    pool = PoolConfig(permission_mode=PermissionMode.plan, unattended_mode=True)
    run = await runtime.run(
        READ_AND_EDIT,
        pool=pool,
        slot=SlotConfig(permission_mode=PermissionMode.accept_edits),
        tools=EDITOR,
    )
    assert run.result.success
    assert runtime.file == NEW


async def test_bypassing_permissions_is_for_the_trusted(runtime: House) -> None:
    with pytest.raises(ValueError, match="trusted=True"):
        await runtime.run_once(tools=EDITOR, permission_mode=PermissionMode.bypass_permissions)
    assert runtime.model.requests == []


async def test_a_trusted_agent_bypasses_permissions_unless_it_is_root(runtime: House) -> None:
    running = runtime.run_once(
        READ_AND_EDIT,
        agent=runtime.agent(trusted=True),
        tools=EDITOR,
        permission_mode=PermissionMode.bypass_permissions,
    )
    if os.geteuid() == 0:
        with pytest.raises(ValueError, match="does not let root"):
            await running
        assert runtime.model.requests == []
    else:
        await running
        assert runtime.file == NEW


# rules


async def test_allowed_tools_add_up_and_need_no_question(runtime: House) -> None:
    write = use("Write", {"file_path": "new.txt", "content": "new\n"})
    run = await runtime.run(
        in_turn(READ, EDIT, write, say("done")),
        pool=PoolConfig(allowed_tools=("Edit(a.txt)",)),
        slot=SlotConfig(allowed_tools=("Write(new.txt)",)),
        tools=("Read", "Edit", "Write"),
        allowed_tools=("Grep",),
    )
    assert run.result.success, run.result.reason
    assert (runtime.file, (runtime.folder / "new.txt").read_text()) == (NEW, "new\n")


@pytest.mark.parametrize("tool", ["Write", "Edit"])
async def test_a_rule_with_a_path_holds_for_that_path(runtime: House, tool: str) -> None:
    """The CLI knows paths only in rules for `Edit`: one for `Write` becomes that."""
    inside, beside = (
        use("Write", {"file_path": name, "content": "x"}) for name in ("src/new.txt", "new.txt")
    )
    run = await runtime.run(
        in_turn(inside, beside, say("done")),
        tools=("Read", "Edit", "Write"),
        allowed_tools=(f"{tool}(src/**)",),
    )
    assert "Write" in run.result.reason
    assert (runtime.folder / "src" / "new.txt").exists()
    assert not (runtime.folder / "new.txt").exists()


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_disallowed_path_is_refused_whatever_allows_it(
    runtime: House, *, trusted: bool
) -> None:
    run = await runtime.run(
        in_turn(use("Write", {"file_path": "src/new.txt", "content": "x"}), say("done")),
        agent=runtime.agent(trusted=trusted),
        tools=("Read", "Write"),
        allowed_tools=("Write",),
        disallowed_tools=("Write(src/**)",),
    )
    assert "denied" in run.told
    assert not (runtime.folder / "src").exists()
    assert run.result.ending is Ending.completed, "nobody would have been asked"


async def test_a_refusal_by_the_guard_is_no_permission_prompt(runtime: House) -> None:
    (runtime.place / "secret.txt").write_text("swordfish")
    outside = use("Read", {"file_path": str(runtime.place / "secret.txt")})
    alone = await runtime.run(in_turn(outside, say("done")))
    assert alone.result.ending is Ending.completed
    assert "outside the worktree" in alone.told
    both = await runtime.run(in_turn(outside, READ, EDIT, say("done")), tools=EDITOR)
    assert both.result.ending is Ending.failed
    assert "may use Edit," in both.result.reason
    assert "swordfish" not in "".join(request.text for request in runtime.model.requests)


# trust

TOUCH = use("Bash", {"command": "touch made-by-bash"})


async def test_bash_is_refused_to_an_agent_that_is_not_trusted(runtime: House) -> None:
    with pytest.raises(ValueError, match=r"Bash .*trusted=True"):
        await runtime.run_once(in_turn(TOUCH), tools=("Read", "Bash"), allowed_tools=("Bash",))
    assert runtime.model.requests == []


async def test_a_trusted_agent_runs_bash(runtime: House) -> None:
    run = await runtime.run(
        in_turn(TOUCH, say("done")),
        agent=runtime.agent(trusted=True),
        tools=("Read", "Bash"),
        allowed_tools=("Bash",),
    )
    assert run.result.success, run.result.reason
    assert offered(run) == {"Read", "Bash"}
    assert (runtime.folder / "made-by-bash").exists()


async def test_trust_allows_nothing_by_itself(runtime: House) -> None:
    run = await runtime.run(
        in_turn(TOUCH, say("done")), agent=runtime.agent(trusted=True), tools=("Read", "Bash")
    )
    assert "may use Bash," in run.result.reason
    assert not (runtime.folder / "made-by-bash").exists()


async def test_a_rule_refuses_a_command_that_others_allow(runtime: House) -> None:
    run = await runtime.run(
        in_turn(use("Bash", {"command": "rm a.txt"}), TOUCH, say("done")),
        agent=runtime.agent(trusted=True),
        tools=("Read", "Bash"),
        allowed_tools=("Bash",),
        disallowed_tools=("Bash(rm *)",),
    )
    assert run.result.ending is Ending.completed, run.result.reason
    assert (runtime.file, (runtime.folder / "made-by-bash").exists()) == (OLD, True)


# subagents


def delegate(**more: str) -> Any:
    """A model that hands a task on to a subagent, which reads a file before it answers."""
    call = {
        "description": "look",
        "prompt": "What does the file say?",
        "subagent_type": "general-purpose",
    } | more

    def script(request: ModelRequest) -> Reply:
        if "What does the file say?" in _first(request):
            return READ if request.turn == 0 else say("It says hello.")
        return use("Agent", call) if request.turn == 0 else say("The subagent has answered.")

    return script


def _first(request: ModelRequest) -> str:
    """What a conversation began with."""
    return str(request.body["messages"][0]["content"])


async def test_a_subagent_is_paid_for_by_its_task(runtime: House) -> None:
    run = await runtime.run(delegate(), agent=runtime.agent(trusted=True), tools=("Agent", "Read"))
    assert (run.result.ending, run.result.output) == (
        Ending.completed,
        "The subagent has answered.",
    )
    subagents = [
        request for request in run.requests if "What does the file say?" in _first(request)
    ]
    assert [request.turn for request in subagents] == [0, 1]
    assert "1\thello" in subagents[1].text, "it has read the file"
    assert "It says hello." in run.told
    assert len(run.ledger) == len(run.requests) >= 4
    assert run.result.cost_microdollars == runtime.model.bill.total


async def test_a_model_that_the_settings_do_not_name_is_refused(runtime: House) -> None:
    run = await runtime.run(
        delegate(model="opus"),
        agent=runtime.agent(trusted=True),
        tools=("Agent", "Read"),
        fallback_model=HAIKU,
    )
    assert run.result.ending is Ending.failed
    assert "claude-opus" in run.result.reason
    assert "may not use" in run.result.reason
    assert {request.model for request in run.requests} == {SONNET}


async def test_a_subagent_is_not_for_an_agent_that_is_not_trusted(runtime: House) -> None:
    with pytest.raises(ValueError, match="trusted=True"):
        await runtime.run_once(delegate(), tools=("Agent", "Read"))
    assert runtime.model.requests == []
