"""What a run may do, as rules for the CLI: never more than the settings give, and inside the folder for strangers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.agent import powers
from claude_pool_gh.pool.model.config import PermissionMode
from tests.agent.bench import a_task

BYPASS, EDITS = PermissionMode.bypass_permissions, PermissionMode.accept_edits


@pytest.mark.parametrize(
    ("changes", "trusted", "says"),
    [
        ({}, False, None),
        ({"tools": ("Read", "Edit", "Write", "NotebookEdit", "TodoWrite")}, False, None),
        ({"tools": ("Read", "Bash", "WebFetch")}, False, "Bash, WebFetch cannot be held"),
        ({"tools": ("Read", "Bash", "WebFetch")}, True, None),
        ({"permission_mode": BYPASS}, False, "only for ClaudeAgent(trusted=True)"),
        ({"permission_mode": EDITS}, False, None),
    ],
)
def test_a_run_cannot_have_what_no_folder_holds_unless_it_is_trusted(
    changes: dict[str, Any], *, trusted: bool, says: str | None
) -> None:
    why = powers.refusal(a_task("t", **changes), trusted=trusted)
    assert (why is None) is (says is None)
    assert (says or "") in (why or "")


@pytest.mark.parametrize(("user", "refused"), [(0, True), (1000, False)])
def test_bypassing_permissions_is_refused_to_root_before_the_cli_does(
    user: int, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    why = powers.refusal(a_task("t", permission_mode=BYPASS), trusted=True)
    assert ("run as another user" in (why or "")) is refused


@pytest.mark.parametrize(
    ("changes", "trusted", "rules"),
    [
        # nobody can be asked: it has all that it was given, each held to its folder
        ({}, False, ["Read(./**)", "Grep(./**)", "Glob(./**)"]),
        ({}, True, ["Read", "Grep", "Glob"]),
        ({"tools": ("Read", "Edit", "Write")}, False, ["Read(./**)", "Edit(./**)"]),
        # where somebody might be asked, only reading needs no question
        ({"tools": ("Read", "Edit"), "permission_mode": EDITS}, False, ["Read(./**)"]),
        ({"tools": ("Read", "Bash"), "permission_mode": EDITS}, True, ["Read"]),
        ({"tools": (), "allowed_tools": ("Read", "Read")}, True, ["Read"]),
        ({"tools": (), "allowed_tools": ("Write(docs/**)",)}, True, ["Edit(docs/**)"]),
        ({"tools": (), "allowed_tools": ("Write(docs/**)",)}, False, ["Edit(docs/**)"]),
        ({"tools": (), "allowed_tools": ("NotebookEdit(a.ipynb)",)}, True, ["Edit(a.ipynb)"]),
        ({"tools": (), "allowed_tools": ("TodoWrite",)}, False, ["TodoWrite"]),
        ({"tools": (), "allowed_tools": ("mcp__shop__find",)}, False, ["mcp__shop__find"]),
        ({"tools": (), "allowed_tools": ("Bash(git status)",)}, True, ["Bash(git status)"]),
        ({"tools": (), "allowed_tools": ("Bash(git status)",)}, False, []),
        ({"tools": (), "allowed_tools": ("WebFetch",)}, False, []),
        ({"tools": (), "allowed_tools": ("Read(//etc/**)",)}, False, []),
        ({"tools": (), "allowed_tools": ("Read(/src/**)",)}, False, []),
        ({"tools": (), "allowed_tools": ("Read(~/.ssh/**)",)}, False, []),
        ({"tools": (), "allowed_tools": ("Read(src/../../**)",)}, False, []),
        ({"tools": (), "allowed_tools": ("Read(~/.ssh/**)",)}, True, ["Read(~/.ssh/**)"]),
        ({"tools": (), "allowed_tools": ("Read(src/**)",)}, False, ["Read(src/**)"]),
    ],
)
def test_what_needs_no_question_reaches_no_further_than_the_folder_of_who_is_not_trusted(
    changes: dict[str, Any], rules: list[str], *, trusted: bool
) -> None:
    assert powers.allowed(a_task("t", **changes), trusted=trusted) == rules


def test_what_may_cost_or_reach_out_is_refused_by_rule_unless_it_was_given() -> None:
    task = a_task("t", disallowed_tools=("Write(secrets/**)", "Bash(rm *)"))
    assert powers.disallowed(task) == [
        "WebFetch",
        "WebSearch",
        "Agent",
        "SendMessage",
        "Edit(secrets/**)",
        "Bash(rm *)",
    ]
    given = a_task("t", tools=("Read", "WebFetch", "Agent"))
    assert powers.disallowed(given) == ["WebSearch", "SendMessage"]


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("Read", True),
        ("Edit", False),
        ("StructuredOutput", True),
        ("mcp__shop__find", True),
        ("mcp__shopping__find", False),
        ("mcp__other__find", False),
    ],
)
def test_a_run_has_its_own_tools_the_one_for_its_answer_and_those_of_its_servers(
    tool: str, *, given: bool
) -> None:
    task = a_task("t", mcp_servers={"shop": {}})
    assert powers.is_given(tool, task) is given
    prose = a_task("t", schema=None)
    assert not powers.is_given("StructuredOutput", prose)
    assert powers.tools(prose) == {"Read", "Grep", "Glob"}


@pytest.mark.parametrize(
    ("changes", "trusted", "held"),
    [
        ({}, False, "nothing"),
        ({"tools": ()}, False, "nothing"),
        ({"tools": ("Read", "Edit")}, False, "the folder"),
        ({"tools": ("Read", "TodoWrite")}, False, "the folder"),
        ({}, True, "anything"),
        ({"mcp_servers": {"shop": {}}}, False, "anything"),
    ],
)
def test_a_run_is_held_to_what_its_tools_may_change(
    changes: dict[str, Any], held: str, *, trusted: bool
) -> None:
    folders = powers.may_change(a_task("t", **changes), Path("/srv"), trusted=trusted)
    assert folders == {"nothing": (), "the folder": (Path("/srv"),), "anything": None}[held]


OWN, THEIRS = {"command": "own"}, {"command": "theirs"}


@pytest.mark.parametrize(
    ("strict", "trusted", "names"),
    [
        (True, True, {"shop": OWN}),
        (False, False, {"shop": OWN}),
        (True, False, {"shop": OWN}),
        (False, True, {"shop": OWN, "more": THEIRS}),
    ],
)
def test_the_folders_servers_are_started_only_where_it_is_trusted_and_asked_for(
    short_folder: Path, names: dict[str, Any], *, strict: bool, trusted: bool
) -> None:
    file = {"mcpServers": {"shop": THEIRS, "more": THEIRS}}
    (short_folder / ".mcp.json").write_text(json.dumps(file))
    task = a_task("t", mcp_servers={"shop": OWN}, strict_mcp_config=strict)
    assert powers.servers(task, short_folder, trusted=trusted) == names


@pytest.mark.parametrize("text", [None, "", "[", "[]", "{}", '{"mcpServers": ["shop"]}', "null"])
def test_a_folder_whose_file_names_no_servers_adds_none(
    short_folder: Path, text: str | None
) -> None:
    if text is not None:
        (short_folder / ".mcp.json").write_text(text)
    task = a_task("t", mcp_servers={"shop": OWN}, strict_mcp_config=False)
    assert powers.servers(task, short_folder, trusted=True) == {"shop": OWN}
