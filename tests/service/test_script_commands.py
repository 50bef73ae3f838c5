"""`claude-pool-gh run`, `chain` and `pool status`, as a user in a terminal or a pipe meets them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claude_pool_gh import ClaudeAgent, Pool, PoolConfig
from claude_pool_gh.rehearsal.companion import Companion
from claude_pool_gh.rehearsal.model import (
    Answer,
    Fail,
    ScriptedModel,
    Text,
    ToolUse,
    say,
    use,
)
from tests import forked, ours

HERE = Path(__file__).parents[2]
ASKED = "This is a scripted answer, in the place of a model's, to: "


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel.start(Companion(pace=0)) as model:
        yield model


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A git repository with one file."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.py").write_text("print('a')\n")
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@a", "commit", "-qm", "A"],
    ):
        subprocess.run(
            ["git", *command],
            cwd=folder,
            check=True,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
    return folder


async def claude_pool(
    model: ScriptedModel, folder: Path, *arguments: str, key: str = "x"
) -> tuple[int, str, str]:
    """Run the command line in a folder, with no environment but its own; exit code, output, errors."""
    environment = ours.environment(
        HOME=str(folder.parent), COLUMNS="200", ANTHROPIC_BASE_URL=model.url, ANTHROPIC_API_KEY=key
    )
    ran = await forked.cli(*arguments, environment=environment, folder=folder)
    return ran.code, ran.out, ran.err


async def test_the_answer_of_a_prompt_goes_to_a_pipe_alone_and_its_bill_beside_it(
    model: ScriptedModel, work: Path
) -> None:
    code, out, err = await claude_pool(model, work, "run", "What is {args.x}?")
    assert (code, out.strip()) == (0, f"{ASKED}What is {{args.x}}?")
    assert "$0.0" in err
    assert "claude-sonnet-5-5" in err


@pytest.mark.long
async def test_a_prompt_that_fails_says_why_and_exits_with_one(
    model: ScriptedModel, work: Path
) -> None:
    code, out, err = await claude_pool(model, work, "run", "Go", "--tools", "Bash")
    assert (code, out) == (1, "")
    assert "Bash cannot be held to the run's folder" in err
    assert "with --trusted" in err
    assert model.requests == []


async def test_a_prompt_that_fails_on_its_way_prints_nothing_where_answers_go(
    model: ScriptedModel, work: Path
) -> None:
    model.script = lambda _: Fail(400, "invalid_request_error", "not like this")
    code, out, err = await claude_pool(model, work, "run", "Go")
    assert (code, out) == (1, "")
    assert "not like this" in err
    model.script = lambda _: Fail(400, "invalid_request_error", "not like this")
    (work / "mine.yml").write_text(
        "name: mine\ndescription: d\nsteps:\n  - {name: a, prompt: Go}\n"
    )
    code, out, err = await claude_pool(model, work, "chain", "mine.yml")
    assert (code, out) == (1, "")
    assert "not like this" in err


@pytest.mark.long
async def test_a_prompt_that_is_cut_off_leaves_no_half_answer_in_a_pipe(
    model: ScriptedModel, work: Path
) -> None:
    half = Answer((Text("The first half "), ToolUse("Read", {"file_path": "a.py"})))
    model.script = lambda _: half
    code, out, err = await claude_pool(model, work, "run", "Go", "--turns", "1")
    assert (code, out) == (1, "")
    assert "The first half" in err
    code, out, _ = await claude_pool(model, work, "run", "Go", "--turns", "1", "--json")
    assert (code, json.loads(out)["success"]) == (1, False)


async def test_a_refusal_names_the_flag_and_the_exact_amount(
    model: ScriptedModel, work: Path
) -> None:
    code, out, err = await claude_pool(model, work, "run", "Go", "--budget", "0.0123")
    assert (code, out) == (1, "")
    assert "the cap per task of $0.0123 has $0.0123 left, asked for $0.0" in err
    assert err.rstrip().endswith("to change it, set --budget")
    code, _, err = await claude_pool(model, work, "run", "Go", "--state-dir", "state")
    assert code == 1
    assert "such as with --state-dir /" in err
    code, _, err = await claude_pool(model, work, "run", "Go", "--slots", "20", "--tools", "Bash")
    assert "cannot be held to the run's folder" in err, "20 slots are no fault"


async def test_the_status_of_a_script_s_store_shows_no_cap_that_does_not_hold_there(
    model: ScriptedModel, work: Path
) -> None:
    state = str(work.parent / "state")
    await claude_pool(model, work, "run", "Go", "--state-dir", state)
    _, out, _ = await claude_pool(model, work, "pool", "status", "--state-dir", state)
    assert "spent" in out
    assert "cap" not in out
    _, out, _ = await claude_pool(
        model, work, "pool", "status", "--state-dir", state, "--budget-usd", "7"
    )
    assert "cap $7.00 a month" in out
    async with Pool.open(
        ClaudeAgent(key="x"), state=state, config=PoolConfig(budget_microdollars=5_000_000)
    ) as pool:
        await pool.cancel(await pool.submit("Go"))
    _, out, _ = await claude_pool(model, work, "pool", "status", "--state-dir", state)
    assert "cap $5.00 a month" in out


async def test_without_a_key_it_says_what_to_set(model: ScriptedModel, work: Path) -> None:
    code, _, err = await claude_pool(model, work, "chain", "nosuch", key="")
    assert (code, "unknown workflow `nosuch`" in err) == (1, True)
    code, _, err = await claude_pool(model, work, "chain", "review", key="")
    assert (code, 'rehearse "/pool review"' in err) == (1, True)
    code, _, err = await claude_pool(model, work, "run", "Go", key="")
    assert code == 1
    assert "ANTHROPIC_API_KEY" in err


@pytest.mark.long
async def test_a_workflow_runs_by_name_and_stops_at_its_gate_where_nobody_can_be_asked(
    model: ScriptedModel, work: Path
) -> None:
    code, out, err = await claude_pool(model, work, "chain", "issue_to_pr", "issue=Print b too")
    assert (code, out) == (2, "")
    assert "describe waits for approval" in err
    assert "no decision was made" in err


@pytest.mark.long
async def test_a_workflow_that_waits_is_rejected_and_approved_later_by_its_id(
    model: ScriptedModel, work: Path
) -> None:
    code, _, err = await claude_pool(model, work, "chain", "issue_to_pr", "issue=Print b too")
    assert code == 2, err
    _, out, _ = await claude_pool(model, work, "pool", "list", "--json")
    (row,) = json.loads(out)
    assert f"claude-pool-gh pool approve|reject|cancel {row['chain_id']}" in err
    asked = len(model.requests)
    code, out, err = await claude_pool(model, work, "pool", "reject", row["chain_id"], "Shorter")
    assert (code, out) == (2, ""), err
    assert "Shorter" in str(model.requests[asked:])
    code, out, err = await claude_pool(model, work, "pool", "approve", row["chain_id"], key="")
    assert (code, out.strip()) == (0, '{"title": "scripted", "body": "scripted"}'), err


@pytest.mark.long
async def test_a_workflow_goes_through_its_gate_with_approve(
    model: ScriptedModel, work: Path
) -> None:
    code, out, err = await claude_pool(
        model, work, "chain", "issue_to_pr", "issue=Print b too", "--approve"
    )
    assert code == 0, err
    assert out.strip() == '{"title": "scripted", "body": "scripted"}'
    assert [line.split(":")[0].strip() for line in err.splitlines() if ": done" in line] == [
        "plan",
        "implement",
        "tests",
        "describe",
    ]


@pytest.mark.long
async def test_a_workflow_of_ones_own_runs_from_a_file_and_a_faulty_one_names_the_line(
    model: ScriptedModel, work: Path
) -> None:
    good = "name: mine\ndescription: d\narguments: [{name: who}]\nsteps:\n  - name: a\n    prompt: Greet {args.who}\n"
    (work / "mine.yml").write_text(good)
    code, out, _ = await claude_pool(model, work, "chain", "mine.yml", "who=Mona")
    assert (code, out.strip()) == (0, f"{ASKED}Greet Mona")
    (work / "bad.yml").write_text(good.replace("prompt:", "promt:"))
    code, _, err = await claude_pool(model, work, "chain", "bad.yml", "who=Mona")
    assert code == 1
    assert "bad.yml, line 6: unknown key `promt`, did you mean `prompt`?" in err
    code, _, err = await claude_pool(model, work, "chain", "mine.yml")
    assert code == 1
    assert "needs who" in err


WRITES = """name: mine
description: d
isolation: worktree
steps:
  - {name: a, prompt: Write, config: {tools: [Write], allowed_tools: [Write]}}
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("asked", "alone"),
    [(None, True), ("none", False), ("clone", True)],
    ids=["as the workflow says", "none", "clone"],
)
async def test_the_isolation_that_is_asked_for_goes_before_the_workflow_s(
    model: ScriptedModel, work: Path, asked: str | None, alone: bool
) -> None:
    (work / "mine.yml").write_text(WRITES)
    model.script = lambda request: (
        use("Write", {"file_path": "new.txt", "content": "x"}),
        say("done"),
    )[request.turn]
    more = () if asked is None else ("--isolation", asked)
    code, out, err = await claude_pool(model, work, "chain", "mine.yml", *more)
    assert (code, out.strip()) == (0, "done"), err
    assert ("kept as commit" in err, not (work / "new.txt").exists()) == (alone, alone)


@pytest.mark.long
@pytest.mark.parametrize("asked", ["worktree", "clone"])
async def test_a_prompt_alone_gets_the_isolation_that_is_asked_for(
    model: ScriptedModel, work: Path, asked: str
) -> None:
    model.script = lambda request: (
        use("Write", {"file_path": "new.txt", "content": "x"}),
        say("done"),
    )[request.turn]
    (work / "draft.txt").write_text("not committed")
    code, _, err = await claude_pool(
        model, work, "run", "Go", "--tools", "Write", "--allow", "Write", "--isolation", asked
    )
    assert code == 0, err
    assert "1 uncommitted file is not seen by agents" in err
    assert "draft.txt" in err
    assert "kept as commit" in err
    assert not (work / "new.txt").exists()


@pytest.mark.long
async def test_status_shows_what_a_store_holds(model: ScriptedModel, work: Path) -> None:
    await claude_pool(model, work, "run", "One", "--state-dir", "../store")
    await claude_pool(model, work, "chain", "issue_to_pr", "issue=x", "--state-dir", "../store")
    code, _, err = await claude_pool(model, work, "run", "One", "--state-dir", "inside")
    assert (code, "keep the pool's state outside" in err) == (1, True)
    code, out, _ = await claude_pool(model, work, "pool", "status", "--state-dir", "../store")
    assert code == 0
    assert "awaiting approval" in out
    assert "waits for approval" in out
    assert "describe" in out
    code, _, err = await claude_pool(model, work, "pool", "status", "--state-dir", "../nowhere")
    assert code == 1
    assert "there is no database at" in err
