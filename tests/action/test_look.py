"""The first step: whether there is work is decided without a network, and never wrongly with no."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_pool_gh.action import look
from claude_pool_gh.action.look import Fault, Inputs
from claude_pool_gh.commands.lines import command_lines
from claude_pool_gh.github import intake
from claude_pool_gh.github.deliveries import VerifiedDelivery
from tests.action.runner import ROOT

READY = Inputs(has_key=True, has_token=True)
PAYLOADS = Path(__file__).parents[1] / "github/data/payloads.jsonl"


def says_yes(body: str) -> bool:
    return not look.reason("issue_comment", {"action": "created", "comment": {"body": body}}, READY)


PIECES = st.sampled_from(
    [
        "/pool",
        "/POOL",
        "/Pool review",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\0",
        "> ",
        "```\n",
        "<!--",
        "-->",
        "word",
        "/pools",
        "$$",
        "\u00a0",
        "-- \n",
        "\ud800",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
@example("x" * 65_530 + "\n/pool review")
@example("Thanks!\n\n/pool review")
@example("/pool")
def test_it_never_says_no_where_the_server_finds_a_command(body: str) -> None:
    text = body.encode(errors="replace").decode()
    if command_lines(text):
        assert says_yes(body)


@pytest.mark.parametrize(
    "body", ["just talking", "see /pool review", " /pool review", "/pools", "", "/poolreview"]
)
def test_it_says_no_to_what_is_surely_no_command(body: str) -> None:
    assert not says_yes(body)


def test_it_agrees_with_the_server_on_every_sample_of_githubs() -> None:
    """Each sample with a command where its text stands, if it has one."""
    seen = 0
    for line in PAYLOADS.read_text().splitlines():
        event, payload = json.loads(line)
        for holder in ("comment", "review"):
            if isinstance(payload.get(holder), dict):
                payload[holder]["body"] = "Thanks!\n\n/pool review"
        found = intake.recognise(VerifiedDelivery("x", event, payload))
        if isinstance(found, intake.Found) and found.requests:
            seen += 1
            assert look.reason(event, payload, READY) == "", event
    assert seen


def test_every_event_from_which_the_server_takes_commands_is_known_here() -> None:
    """A new reader of the server's must be known to the first step, or its commands are never heard in a job."""
    pull = {
        "number": 1,
        "head": {"sha": "a" * 40},
        "base": {"ref": "main"},
        "draft": False,
        "updated_at": "x",
    }
    whole = {
        "repository": {
            "id": 1,
            "name": "shop",
            "owner": {"id": 1, "login": "octo", "type": "User"},
        },
        "sender": {"id": 7, "login": "mona", "type": "User"},
        "issue": {"number": 1, "updated_at": "x"},
        "pull_request": pull,
        "comment": {
            "id": 3,
            "body": "/pool review",
            "user": {"id": 7, "login": "mona", "type": "User"},
        },
        "review": {
            "id": 3,
            "body": "/pool review",
            "user": {"id": 7, "login": "mona", "type": "User"},
        },
        "label": {"name": "pool:review"},
        "check_run": {
            "id": 5,
            "external_id": "check:1:1:review:abc",
            "completed_at": "x",
            "requested_action": {"identifier": "approve:0123456789"},
        },
        "check_suite": {"id": 6, "updated_at": "x", "pull_requests": [pull]},
        "merge_group": {
            "head_ref": "refs/heads/gh-readonly-queue/main/pr-1-abcdef1",
            "head_sha": "a" * 40,
        },
    }
    asking = []
    for event, action in sorted(intake.EVENTS):
        payload = {**whole, "action": action}
        found = intake.recognise(VerifiedDelivery("x", event, payload))
        if isinstance(found, intake.Found) and found.requests:
            asking.append(event)
            assert look.reason(event, payload, READY) == "", (event, action)
    assert set(asking) == {
        "issue_comment",
        "pull_request_review",
        "pull_request_review_comment",
        "issues",
        "pull_request",
        "check_run",
        "check_suite",
    }


@pytest.mark.parametrize(
    "event", ["schedule", "workflow_dispatch", "push", "repository_dispatch", "merge_group"]
)
def test_an_event_that_asks_for_nothing_by_itself_needs_the_input(event: str) -> None:
    with pytest.raises(Fault, match="input `command`"):
        look.reason(event, {"action": "x"}, READY)
    assert look.reason(event, {}, READY._replace(command="/pool review")) == ""


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("issue_comment", {"action": "edited", "comment": {"body": "/pool review"}}),
        ("issues", {"action": "labeled", "label": {"name": "bug"}}),
        ("pull_request_target", {"action": "closed"}),
        ("pull_request", {"action": "opened", "pull_request": {"draft": True}}),
        ("check_run", {"action": "rerequested", "check_run": {"external_id": "theirs"}}),
        ("issue_comment", {"action": "created", "comment": None}),
        ("issue_comment", {"action": ["created"]}),
    ],
)
def test_what_asks_for_nothing_is_no_fault(event: str, payload: Mapping[str, Any]) -> None:
    assert look.reason(event, payload, READY)


@pytest.mark.parametrize(
    ("inputs", "environment", "named"),
    [
        ({"has_key": False}, {}, "anthropic_api_key: it is empty"),
        ({"has_token": False}, {}, "github_token: it is empty"),
        ({"budget_usd": "three"}, {}, "budget_usd: 'three' is not a number"),
        ({"budget_usd": "nan"}, {}, "budget_usd: 'nan' is not above 0"),
        ({"budget_usd": "-1"}, {}, "budget_usd: '-1' is not above 0"),
        ({"slots": "0"}, {}, "slots: '0' is no whole number from 1 to 64"),
        ({"number": "seven"}, {}, "number: 'seven' is no number"),
        ({"model": "sonnet"}, {}, "model: 'sonnet' is no full id"),
        ({"command": "/pool review"}, {}, "needs the input `number`"),
        ({"command": "/pool audit", "dry_run": "true"}, {}, "needs the input `number`"),
        ({"command": "/pool audit\n/pool review"}, {}, "needs the input `number`"),
        ({"command": "/pool audits"}, {}, "needs the input `number`"),
        ({}, {"CLAUDE_CODE_USE_BEDROCK": "1"}, "Amazon Bedrock is not supported"),
        ({}, {"CLAUDE_CODE_USE_VERTEX": "true"}, "Google Vertex AI is not supported"),
    ],
)
def test_a_fault_names_what_to_change(
    inputs: Mapping[str, Any], environment: Mapping[str, str], named: str
) -> None:
    with pytest.raises(Fault, match=named):
        look.check("schedule", {}, READY._replace(**inputs), environment)
    look.check("schedule", {}, READY, {"CLAUDE_CODE_USE_BEDROCK": "0"})
    for audit in ("/pool audit", "audit security src", "/pool audit defects --plan"):
        look.check("schedule", {}, READY._replace(command=audit), {})  # it has its report issue


def test_a_fork_is_told_why_there_is_no_key() -> None:
    here, elsewhere = {"id": 1, "fork": True}, {"id": 2, "fork": True}
    payload = {"repository": here, "pull_request": {"number": 1, "head": {"repo": elsewhere}}}
    keyless = READY._replace(has_key=False)
    for event in ("pull_request", "pull_request_review"):
        with pytest.raises(Fault, match="ordinary comment") as told:
            look.check(event, payload, keyless, {})
        assert "Add a secret" not in str(told.value), "there may be one: no fork is given it"
    for event in ("pull_request_target", "issue_comment"):
        with pytest.raises(Fault, match="Add a secret"):
            look.check(event, payload, keyless, {})
    payload["pull_request"] = {"number": 1, "head": {"repo": here}}
    with pytest.raises(Fault, match="Add a secret"):
        look.check("pull_request", payload, keyless, {})  # in a repository that is a fork itself


OPENED = {"action": "opened", "pull_request": {"number": 1, "draft": True}}
SHOWN = ("/pool review", "true")


@pytest.mark.parametrize(
    ("event", "payload", "given", "expected"),
    [
        ("pull_request", OPENED, {}, SHOWN),
        ("pull_request", OPENED | {"action": "synchronize"}, {}, SHOWN),
        ("pull_request", OPENED | {"action": "reopened"}, {}, SHOWN),
        ("pull_request", OPENED, {"dry_run": "true"}, SHOWN),
        ("pull_request", OPENED, {"dry_run": "false"}, ("", "false")),
        ("pull_request", OPENED, {"dry_run": "No"}, ("", "No")),
        ("pull_request", OPENED, {"dry_run": "perhaps"}, ("", "perhaps")),
        ("pull_request", OPENED, {"command": "/pool fix it"}, ("/pool fix it", "")),
        ("pull_request", OPENED | {"action": "labeled"}, {}, ("", "")),
        ("pull_request", OPENED | {"action": "closed"}, {}, ("", "")),
        ("pull_request", {"action": ["opened"]}, {}, ("", "")),
        ("pull_request_target", OPENED, {}, ("", "")),
        ("issue_comment", OPENED, {}, ("", "")),
        ("schedule", {}, {}, ("", "")),
    ],
)
def test_a_pull_requests_own_event_is_a_dry_run_unless_the_workflow_says_otherwise(
    event: str, payload: Mapping[str, Any], given: Mapping[str, Any], expected: tuple[str, str]
) -> None:
    found = look.meant(event, payload, Inputs(**given))
    assert (found.command, found.dry_run) == expected


def test_that_dry_run_needs_no_key_and_any_other_job_of_the_event_does() -> None:
    keyless = Inputs(has_token=True)
    look.check("pull_request", OPENED, look.meant("pull_request", OPENED, keyless), {})
    with pytest.raises(Fault, match="anthropic_api_key: it is empty"):
        look.check("pull_request", OPENED, keyless._replace(dry_run="false"), {})


@pytest.mark.parametrize("python", ["", "#!/bin/sh\necho old >&2\nexit 1\n"])
def test_without_a_python_that_can_read_it_the_first_step_says_what_to_add(
    tmp_path: Path, python: str
) -> None:
    """There is none in many a container; one of 3.7 ended with a SyntaxError, and none with "not found"."""
    programs = tmp_path / "bin"
    programs.mkdir()
    bash = shutil.which("bash")
    assert bash is not None
    if python:
        (programs / "python3").write_text(python)
        (programs / "python3").chmod(0o755)
    told, page = tmp_path / "output", tmp_path / "page"
    done = subprocess.run(
        [bash, str(ROOT / "claude_pool_gh/action/look.sh")],
        env={
            "PATH": str(programs),
            "GITHUB_OUTPUT": str(told),
            "GITHUB_STEP_SUMMARY": str(page),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    why = "Python 3.11 or newer is needed: add actions/setup-python before this action"
    assert (done.returncode, done.stdout, done.stderr) == (1, f"::error::{why}\n", "")
    assert told.read_text() == "outcome=misconfigured\npython=none\n"
    assert page.read_text() == f"claude-pool: {why}.\n"
