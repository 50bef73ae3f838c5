"""What whoever runs the server has of it: a log that says how things end, and files that nobody else can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

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
    assert "where=octo/shop#1 verb=review" in run
    assert "user=mona" in run
    assert "outcome=completed" in run
    assert "outcome=findings" in chain
    assert " usd=0.0" in chain
    assert " ms=" in chain


@pytest.mark.rotating(4)
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
        assert "\x1b" not in "\n".join(w.bot.log)
