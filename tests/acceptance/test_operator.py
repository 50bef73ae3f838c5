"""What whoever runs the server has of it: a log that says how things end, and files that nobody else can read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.model import Fail
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.world import World, world


def line_of(w: World, action: str) -> str:
    """The newest line of the real log about something."""
    found = [line for line in w.bot.log if f"action={action}" in line]
    assert found, "\n".join(w.bot.log)
    return found[-1]


async def test_a_review_leaves_lines_with_its_ids_and_files_for_the_owner_alone(
    tmp_path: Path,
) -> None:
    """Also where the process that starts the server lets everybody read what it writes."""
    before = os.umask(0o022)
    try:
        async with world(tmp_path) as w:
            w.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
            await w.say("/pool review")
            await w.reviewed()
            await w.written()
            written = [line for line in w.bot.log if "action=effect_written" in line]
            command, run, chain = (
                line_of(w, each) for each in ("command_handled", "run_ended", "chain_ended")
            )
            state = tmp_path / "state"
            shown = {str(path): stat.filemode(path.lstat().st_mode) for path in state.rglob("*")}
            ours = {path: mode for path, mode in shown.items() if not Path(path).is_symlink()}
    finally:
        os.umask(before)
    assert len(ours) > 20
    assert {path: mode for path, mode in ours.items() if not mode.endswith("------")} == {}
    assert " INFO " in command
    assert 'where=octo/shop#1 command="/pool review" chain=' in command
    assert " user=mona outcome=started ms=" in command
    assert "where=octo/shop#1 chain=" in run
    assert " verb=review user=mona " in run
    assert "outcome=completed" in run
    assert " usd=0.0" in run
    for kind in ("comment", "check", "review", "reaction"):
        (first,) = [
            line
            for line in written
            if f" kind={kind} " in line and "outcome=made" in line and "octo/shop" in line
        ][:1]
        assert " INFO " in first
    tracking = next(line for line in written if " kind=comment " in line)
    assert " where=octo/shop#1 outcome=made ms=" in tracking
    published = next(line for line in written if " kind=review " in line)
    assert "where=octo/shop#1 chain=" in published
    assert " verb=review user=mona outcome=made ms=" in published
    assert "outcome=findings" in chain
    assert " usd=0.0" in chain
    assert " ms=" in chain


async def test_a_key_that_the_models_api_refuses_is_an_error_in_the_log(tmp_path: Path) -> None:
    """Only whoever runs the server can do something about it. Others' text moves no terminal."""
    async with world(tmp_path) as w:
        w.model.script = lambda _request: Fail(
            401, "authentication_error", "invalid x-api-key\x1b[31m\nnext"
        )
        await w.say("/pool review")
        await w.reviewed()
        for action in ("run_ended", "chain_ended"):
            line = line_of(w, action)
            assert " ERROR " in line
            assert "outcome=failed" in line
            assert "refused the server's key" in line
            assert "`claude-pool-gh doctor` says how" in line
        refused = line_of(w, "model_refused")
        assert " ERROR " in refused
        assert "where=octo/shop#1" in refused
        assert "verb=review user=mona" in refused
        assert "status=401" in refused
        assert 'do="set ANTHROPIC_API_KEY to a valid key' in refused
        assert "\x1b" not in "\n".join(w.bot.log)


async def test_machines_read_the_log_as_json_and_a_level_leaves_out_what_is_below(
    tmp_path: Path,
) -> None:
    more = {"CLAUDE_POOL_LOG": "json", "CLAUDE_POOL_LOG_LEVEL": "debug"}
    async with world(tmp_path, more=more) as w:
        await w.say("/pool help")
        await w.answered()
        await w.written()
        lines = [json.loads(line) for line in w.bot.log if not line.startswith("listening on ")]
    (command,) = [line for line in lines if line.get("action") == "command_handled"]
    assert command["level"] == "INFO"
    assert command["where"] == "octo/shop#1"
    assert command["command"] == "/pool help"
    assert command["user"] == "mona"
    assert command["outcome"] == "answered"
    assert command["ms"] >= 0
    assert any(line["level"] == "DEBUG" for line in lines)
    async with world(tmp_path / "quiet", more={"CLAUDE_POOL_LOG_LEVEL": "WARNING"}) as w:
        await w.say("/pool help")
        await w.answered()
        await w.written()
        assert [line for line in w.bot.log if " INFO " in line] == []
