"""A verb that was added to a copy of the package with three files, driven as a user would: nothing else was touched."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.bot import Bot
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Reply, ToolUse
from tests.acceptance.colleague import RESULT
from tests.acceptance.world import World, world

ROOT, NEW = Path(__file__).parents[2], Path(__file__).parents[1] / "new_verb"
PLACES = {
    "example.py": "conversation/verbs/example.py",
    "example.yml": "recipes/workflows/example.yml",
    "SKILL.md": "recipes/skills/example-skill/SKILL.md",
}


@dataclass(slots=True)
class CopiedBot(Bot):
    """The server of the copy: `-P`, or Python would take the package of the folder in which the tests run."""

    command: Sequence[str] = (sys.executable, "-P", "-m", "claude_pool_gh.service.cli", "serve")


def copied(folder: Path, **changed: tuple[str, str]) -> dict[str, str]:
    """Copy the package with the new verb in it; what leads a server there."""
    package = folder / "copy" / "claude_pool_gh"
    shutil.copytree(ROOT / "claude_pool_gh", package)
    for name, place in PLACES.items():
        text = (NEW / name).read_text()
        for before, after in (changed[key] for key in changed if key == place.rpartition(".")[2]):
            assert before in text
            text = text.replace(before, after)
        (package / place).parent.mkdir(exist_ok=True)
        (package / place).write_text(text)
    return {"PYTHONPATH": str(package.parent)}


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[World]:
    """The stage, with the server of the copy."""
    async with world(tmp_path, more=copied(tmp_path), bot_type=CopiedBot) as made:
        yield made


def explains(request: ModelRequest) -> Reply:
    """The model's side."""
    assert (
        "You explain code to somebody who has not read it." in f"{request.system}\n{request.text}"
    )
    path = "shop/prices.py" if "What to explain: shop/prices.py" in request.text else "nothing"
    place = {"path": "shop/prices.py", "start_line": 7, "end_line": 9}
    return Answer((ToolUse(RESULT, {"answer": f"It is about {path}.", "places": [place]}),))


async def test_a_verb_of_three_files_is_understood_permitted_run_and_reported(there: World) -> None:
    there.model.script = explains
    reader = there.github.create_user("reader")
    there.repository.grant(reader, "read")

    await there.say("/pool help")
    shown = await there.said("| command | on | needs | does |")
    assert (
        "| `/pool example [PATH]` | PR, issue | write | Explains a file, or what the thread is about. |"
        in shown
    )
    await there.say("/pool help example")
    assert "- `--budget USD` maximum cost" in await there.said(
        "`/pool example [PATH]`\n\nExplains a file"
    )
    await there.say("/pool exmaple")
    await there.said("Did you mean `/pool example`?")
    await there.say("/pool example a.py b.py")
    await there.said("`example` takes no 'b.py'")
    await there.say("/pool run example")
    await there.said("`/pool run` needs the name of a workflow")
    await there.say("/pool example", by=reader)
    await there.said(
        "`/pool example` needs the role **write** in this repository; yours is **read**"
    )
    assert there.model.requests == []

    await there.say("/pool example shop/prices.py --budget 0.50")
    answer = await there.said("It is about shop/prices.py.")
    link = f"{there.github.url}/octo/shop/blob/{there.pull.head_sha}/shop/prices.py#L7-L9"
    assert f"Where to look: [`shop/prices.py:7-9`]({link})" in answer
    report = await there.shows("example", "### ✅ Answered")
    assert "of $0.50" in report

    # A recipe of the repository's own is held to what the verb reads, before anything is spent on it.
    await there.written()
    asked = len(there.model.requests)
    recipe = (NEW / "example.yml").read_text().replace("- name: answer", "- name: say")
    permissions = "permissions: {example: read}\n"
    files = {
        ".github/claude-pool/workflows/example.yml": recipe,
        ".github/claude-pool.yml": permissions,
    }
    there.repository.commit("main", files, author=there.maintainer)
    await there.say("/pool example", by=reader)
    await there.said("the workflow example needs a step `answer` before `reply`")
    assert len(there.model.requests) == asked


async def test_a_server_whose_verb_does_not_fit_its_recipe_does_not_start_and_says_why(
    tmp_path: Path,
) -> None:
    more = copied(tmp_path, yml=("- name: answer", "- name: say"))
    async with world(tmp_path, more=more, bot_type=CopiedBot, start=False) as here:
        with pytest.raises(RuntimeError) as refused:
            await here.bot.start()
    said = str(refused.value)
    assert (
        "the verb example: recipes/workflows/example.yml needs a step `answer` before `reply`"
        in said
    )
    assert "Traceback" not in said
