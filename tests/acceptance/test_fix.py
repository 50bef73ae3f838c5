"""`/pool fix`: a patch by an agent, a word by a person, a push of exactly that."""

from __future__ import annotations

import re

import pytest

from claude_pool_gh.rehearsal import stage
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World

ID = re.compile(r"/pool approve ([0-9a-f]{10})")


@pytest.fixture
def colleague(here: World) -> Colleague:
    """The model, which mends what it is told."""
    made = Colleague(planted=stage.PLANTED)
    here.model.script = made
    return made


async def waiting(here: World, line: str = "/pool fix the discount must count from ten pieces") -> str:
    """Ask for a fix and wait for its gate; the gate's ID."""
    await here.say(line)
    shown = await here.shows("fix", "AWAITING APPROVAL")
    return str(ID.findall(shown)[0])


async def test_a_fix_is_shown_approved_and_pushed_as_shown(here: World, colleague: Colleague) -> None:
    before = here.pull.head_sha
    gate = await waiting(here)

    shown = here.comment_of("fix")
    assert shown.startswith("### ⏸ AWAITING APPROVAL: 1 file, +1 -1\n")
    assert f"```\n/pool approve {gate}\n```" in shown
    assert "| `shop/prices.py` | 1 | 1 |  |" in shown
    assert f"On `{before[:9]}`, commit `" in shown
    assert "**not checked**: this server runs nothing of a repository's" in shown
    assert "+    if quantity >= BULK_FROM:" in shown
    assert here.pull.head_sha == before, "nothing is pushed before somebody says so"
    assert "@mona `/pool fix` waits for approval: 1 file, +1 -1." in await here.said(
        f"`/pool approve {gate}`"
    )

    await here.say(f"/pool approve {gate}")
    await here.shows("fix", "### ✅ Pushed")
    assert "if quantity >= BULK_FROM:" in here.repository.read("feature", "shop/prices.py").decode()
    (commit,) = re.findall(r"Pushed ([0-9a-f]{9}):", here.comment_of("fix"))
    assert here.pull.head_sha.startswith(commit), "what was shown is what was pushed"
    log = here.repository.git.text("log", "-1", "--format=%an <%ae>%n%P%n%B", "feature")
    author, parent, message = log.split("\n", 2)
    assert author == f"claude-pool[bot] <{here.app.bot.id}+claude-pool[bot]@users.noreply.github.com>"
    assert parent == before
    assert message.startswith("Apply /pool fix on pull request 1\n\nMade by an agent for mona")
    check = next(run for run in here.repository.check_runs(before) if run.name == "claude-pool/fix")
    assert (check.conclusion, check.title) == ("success", f"Pushed {commit}: 1 file, +1 -1")
