"""A thread of the simulated GitHub, as a rehearsal prints it at its end."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.github import Issue, Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.service.console import Console
from claude_pool_gh.service.rehearsals.rehearsal_page import show_thread, step_line, visible

LINES = "".join(f"line_{number} = {number}\n" for number in range(1, 10))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("a<!-- hidden\nmark -->b", "ab"),
        ("<details><summary>More</summary>\nwithin\n</details>", "**▾ More**\nwithin"),
        ("<sub>small</sub>", "small"),
        ("  \n", ""),
        ("<script>stays</script>", "<script>stays</script>"),
    ],
)
def test_folds_are_opened_and_marks_gone(body: str, shown: str) -> None:
    assert visible(body) == shown


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("### `/pool review` running\n\n| ✓ brief | 1 s |\n| ▶ **find** | $0.10 |\n", "find"),
        ("| ▶ find, part 2 of 3 | running |\n| ▶ verify | |", "find, part 2 of 3"),
        ("### Reviewed\n\nall well", "Reviewed"),
        ("<!-- mark -->\n## `/pool ask` failed\n", "`/pool ask` failed"),
        ("&#84;his is &lt;it&gt;", "This is <it>"),
        ("", ""),
    ],
)
def test_the_line_of_a_running_comment_that_changes(body: str, line: str) -> None:
    assert step_line(body) == line


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as made:
        yield made


@pytest.fixture
def mona(github: SimulatedGitHub) -> User:
    return github.create_user("mona")


@pytest.fixture
def repository(github: SimulatedGitHub) -> Repository:
    return github.create_repository("mona/shop", files={"kept.py": LINES, "gone.py": LINES})


@pytest.fixture
def pull(repository: Repository, mona: User) -> Pull:
    """A pull request that deletes one file, and some lines of another."""
    changed = LINES.replace("line_4 = 4\n", "").replace("line_8 = 8", "line_8 = 'eight'")
    repository.commit("change", {"kept.py": changed, "gone.py": None})
    return repository.open_pull("change", author=mona)


def shown(repository: Repository, thread: Issue) -> str:
    out = Console(file=io.StringIO(), width=80, color_system=None)
    show_thread(out, repository, thread)
    assert isinstance(out.file, io.StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines())


async def test_what_bots_said_is_shown_and_what_people_said_is_not(
    github: SimulatedGitHub, repository: Repository, mona: User
) -> None:
    issue = repository.open_issue("A fault", author=mona)
    app = github.create_app("claude-pool")
    await github.comment(mona, repository, issue.number, "/pool ask why")
    await github.comment(app.bot, repository, issue.number, "Because.<!-- mark -->")
    said = shown(repository, issue)
    assert f"What #{issue.number} shows now" in said
    assert "claude-pool[bot]" in said
    assert "Because." in said
    assert "/pool ask why" not in said
    assert "mark" not in said


async def test_a_comment_on_a_line_is_shown_with_the_lines_around_it(
    repository: Repository, pull: Pull, mona: User
) -> None:
    comment = {"path": "kept.py", "line": 7, "side": "RIGHT", "body": "Why *eight*?"}
    repository.review(pull, mona, body="A word.", comments=[comment])
    said = shown(repository, pull)
    assert "mona reviewed" in said
    assert "A word." in said
    assert "\nkept.py:7\n" in said
    assert "line_6 = 6\nline_7 = 7\nline_8 = 'eight'\nline_9 = 9" in said
    assert "Why eight?" in said


@pytest.mark.parametrize("path", ["kept.py", "gone.py"])
async def test_a_comment_on_a_line_that_is_gone_is_shown_with_that_line(
    repository: Repository, pull: Pull, mona: User, path: str
) -> None:
    comment = {"path": path, "line": 4, "side": "LEFT", "body": "Who needs it?"}
    repository.review(pull, mona, comments=[comment])
    said = shown(repository, pull)
    assert f"\n{path}:4\n" in said
    assert "line_4 = 4" in said
    assert "Who needs it?" in said
