"""What holds in a repository, where each value came from, and what is said of a file with a mistake in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from claude_pool_gh.config.load import flat
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.rehearsal.github import Repository
from tests.acceptance.world import World, world

CONFIG: Final = ".github/claude-pool.yml"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[World]:
    """An organization with defaults in its repository `.github`, which the App sees."""
    async with world(tmp_path) as made:
        home = made.github.create_repository("octo/.github", files={"README.md": "Ours.\n"})
        made.github.add_repositories(made.installation, home)
        await made.github.settle()
        yield made


def home_of(here: World) -> Repository:
    """The repository with the organization's defaults."""
    return here.github.repository("octo/.github")


def rows_of(answer: str) -> dict[str, tuple[str, str]]:
    """Key -> value and source, from the tables of `/pool config`."""
    found = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?) \|$", answer, re.MULTILINE)
    return {key: (value.strip("`"), source.strip("`")) for key, value, source in found}


@pytest.mark.rotating(2)
async def test_a_repositorys_own_file_goes_before_the_organizations_key_by_key(here: World) -> None:
    ours = "budget: {chain: 5, thread: 8}\npermissions: {cost: read, status: admin}\nreview: {exclude: [docs/**]}\n"
    own = "budget: {chain: 4}\npermissions: {status: read}\nreview: {turns: 7}\n"
    home_of(here).commit("main", {CONFIG: ours})
    here.repository.commit("main", {CONFIG: own}, author=here.maintainer)

    await here.say("/pool config")
    rows = rows_of(await here.answered())
    expected = {
        "budget.chain": ("4.0", CONFIG),
        "budget.thread": ("8.0", "octo/.github"),
        "permissions.cost": ("read", "octo/.github"),
        "permissions.status": ("read", CONFIG),
        "review.turns": ("7", CONFIG),
        "budget.task": ("1.0", "default"),
    }
    assert {key: rows[key] for key in expected} == expected
    assert rows["review.exclude"][1] == "octo/.github"
    every = {*flat(RepositoryConfig()), "permissions.cost", "permissions.status"} - {"permissions"}
    assert set(rows) == every, "every value is there"
    assert {source for _, source in rows.values()} == {CONFIG, "octo/.github", "default"}

    # And what is shown is what holds: roles and caps.
    reader = here.github.create_user("reader")
    await here.say("/pool cost\n/pool status", by=reader)
    assert "| thread | $0.00 | $8.00 | $8.00 |" in await here.said("has spent **$0.00** this month")
    await here.said("No commands yet.")
    assert here.model.requests == []

    # In the organization's own repository `.github` the file is that repository's, once.
    home = home_of(here)
    home.grant(here.maintainer, "write")
    number = home.open_issue("x", "y", here.maintainer).number
    await here.github.comment(here.maintainer, home, number, "/pool config")
    await here.until(lambda: [c for c in home.comments(number) if c.author.id == here.app.bot.id])
    assert rows_of(home.comments(number)[-1].body)["budget.chain"] == ("5.0", CONFIG)


async def test_without_files_everything_is_as_it_comes(here: World) -> None:
    await here.say("/pool config")
    answer = await here.answered()
    assert answer.startswith("No configuration file: all settings are at their defaults.")
    assert {source for _, source in rows_of(answer).values()} == {"default"}
    # Limits that somebody has written down are never passed over in silence.
    here.repository.commit(
        "main", {".github/claude-pool.yaml": "budget: {chain: 1}\n"}, author=here.maintainer
    )
    await here.say("/pool review")
    told = await here.answered(2)
    assert told.startswith(
        "`.github/claude-pool.yaml` on the default branch has errors, so nothing was run:"
    )
    assert f"rename it to {CONFIG}" in told


@pytest.mark.parametrize(
    ("ours", "own", "file", "problem"),
    [
        (
            "budget:\n  chian: 2\n",
            "",
            "octo/.github",
            "line 2: unknown key `chian`, did you mean `chain`?",
        ),
        (
            "",
            "model: x\n\nrevew: {}\n",
            CONFIG,
            "line 3: unknown key `revew`, did you mean `review`?",
        ),
        (
            "",
            "permissions:\n  reveiw: read\n",
            CONFIG,
            "line 2: unknown key `reveiw`, did you mean `review`?",
        ),
        ("budget: [\n", "model: claude-x\n", "octo/.github", "line 2: "),
        (
            "run_in: app\n",
            "runs: app\n",
            "octo/.github",
            "line 1: unknown key `run_in`, did you mean `runs_in`?",
        ),
    ],
    ids=["the organization's", "the repository's", "a verb", "no YAML", "both"],
)
async def test_a_mistake_in_either_file_is_answered_with_file_line_and_nearest_key(
    here: World, ours: str, own: str, file: str, problem: str
) -> None:
    home_of(here).commit("main", {CONFIG: ours})
    here.repository.commit("main", {CONFIG: own}, author=here.maintainer)
    await here.say("/pool review")
    answer = await here.answered()
    assert answer.startswith(f"`{file}` on the default branch has errors, so nothing was run:")
    assert f"- {problem}" in answer
    await here.say("/pool review", by=here.github.create_user("stranger"))
    await here.said("needs the role **write**")
    here.repository.add_label(here.pull, "pool:review", here.maintainer)
    await here.github.settle()
    await here.quiet()
    assert here.rows("SELECT count(*) FROM chains") == [(0,)]


async def test_the_default_branch_decides_whatever_its_name(here: World) -> None:
    here.repository.commit("trunk", {CONFIG: "budget: {chain: 2}\n"}, author=here.maintainer)
    here.repository.commit("main", {CONFIG: "budget: {chain: 9}\n"}, author=here.maintainer)
    here.repository.commit("feature", {CONFIG: "budget: {chain: 99}\n"}, author=here.maintainer)
    await here.say("/pool config")
    assert rows_of(await here.answered())["budget.chain"] == ("9.0", CONFIG)
    here.repository.state.default_branch = "trunk"
    await here.say("/pool config")
    assert rows_of(await here.answered(2))["budget.chain"] == ("2.0", CONFIG)


async def test_an_organization_whose_defaults_the_app_may_not_see_has_none(here: World) -> None:
    home_of(here).commit("main", {CONFIG: "budget: {chain: 5}\n"})
    here.github.remove_repositories(here.installation, home_of(here))
    await here.github.settle()
    await here.say("/pool config")
    assert rows_of(await here.answered())["budget.chain"] == ("3.0", "default")
