"""`init` in a clone, called as the command calls it: no GitHub is asked where everything is named."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from claude_pool_gh.service.cli import main
from claude_pool_gh.service.init import action
from claude_pool_gh.service.init.action import ActionOptions
from claude_pool_gh.service.init.files import CONFIGURATION, WORKFLOW
from claude_pool_gh.service.settings import Settings

NOWHERE = "http://127.0.0.1:9"
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def wishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ActionOptions:
    """A clone of github.com's octo/shop, on a machine that has git and no token."""
    programs, clone = tmp_path / "bin", tmp_path / "shop"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(programs))
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    subprocess.run(["git", "init", "--quiet", clone], check=True)
    address = "git@github.com:octo/shop.git"
    subprocess.run(["git", "-C", clone, "remote", "add", "origin", address], check=True)
    return ActionOptions(
        settings=Settings(GITHUB_API_URL=NOWHERE),
        folder=clone,
        remote="origin",
        action=f"octo/pool@{SHA}",
        pull_request=False,
        yes=True,
        dry_run=False,
    )


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow, as on a disk without room: the system's error names no file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def written(wishes: ActionOptions) -> set[str]:
    there = wishes.folder / ".github"
    return {str(each.relative_to(wishes.folder)) for each in there.rglob("*") if each.is_file()}


def test_both_files_are_written_at_the_top_also_from_a_folder_below_it(
    wishes: ActionOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    below = wishes.folder / "src" / "deep"
    below.mkdir(parents=True)
    action.set_up(replace(wishes, folder=below))
    assert written(wishes) == {WORKFLOW, CONFIGURATION}
    assert f"uses: octo/pool@{SHA}\n" in (wishes.folder / WORKFLOW).read_text()
    out = capsys.readouterr().out
    assert f"octo/shop, cloned in {wishes.folder}\n" in out
    assert f"git add {WORKFLOW} {CONFIGURATION}" in out
    how = (
        "gh secret set ANTHROPIC_API_KEY --repo octo/shop, or https://github.com/octo/shop/settings"
    )
    assert f"not checked (no token to ask GitHub with). If it is not set: {how}" in out


def test_a_second_time_there_is_nothing_to_write(
    wishes: ActionOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    action.set_up(wishes)
    capsys.readouterr()
    action.set_up(wishes)
    out = capsys.readouterr().out
    assert out.count(": already there\n") == 2
    assert "There is nothing to write." in out


def test_a_dry_run_shows_the_files_and_does_not_tell_of_the_secret(
    wishes: ActionOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    action.set_up(replace(wishes, dry_run=True, action="", yes=False))
    out = capsys.readouterr().out
    assert written(wishes) == set()
    assert "shown as OWNER and COMMIT" in out
    assert "    " + "runs_in: action" in out
    assert "Nothing was written: this was a dry run." in out
    assert "ANTHROPIC_API_KEY: " not in out.partition("Nothing was written")[2]


def test_a_program_gets_the_result_and_a_person_what_is_said_beside_it(
    wishes: ActionOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(wishes.folder)
    asked = ["init", "--json", "--action", wishes.action]
    dry = json.loads(CliRunner().invoke(main, [*asked, "--dry-run"]).stdout)
    done = CliRunner().invoke(main, asked, input="y\n")
    assert done.exit_code == 0, done.stderr
    assert "Write these files?" in done.stderr
    told = json.loads(done.stdout)
    texts = {each["path"]: each.pop("text") for each in told["files"]}
    assert {path: (wishes.folder / path).read_text() for path in texts} == texts
    assert told == {
        "repository": "octo/shop",
        "action": f"octo/pool@{SHA}",
        "files": [{"path": path, "standing": "new"} for path in (WORKFLOW, CONFIGURATION)],
        "written": [WORKFLOW, CONFIGURATION],
        "pull_request": None,
        "secret_set": None,
    }
    assert (len(dry["files"]), dry["written"]) == (2, [])
    again = json.loads(CliRunner().invoke(main, [*asked, "--yes"]).stdout)
    assert ([each["standing"] for each in again["files"]], again["written"]) == (["same"] * 2, [])
    refused = CliRunner().invoke(main, [*asked, "--remote", "upstream"])
    assert (refused.exit_code, refused.stdout) == (1, "")


def test_a_disk_without_room_is_not_taken_for_a_github_that_is_away(
    wishes: ActionOptions,
) -> None:
    with full_disk(), pytest.raises(click.ClickException) as raised:
        action.set_up(wishes)
    assert "File too large" in raised.value.message
    assert "cannot be written" in raised.value.message
    assert NOWHERE not in raised.value.message
    assert written(wishes) == set(), "what is left would not be replaced the next time"


def test_a_github_that_is_away_is_named(wishes: ActionOptions) -> None:
    with pytest.raises(click.ClickException, match=f"{NOWHERE} cannot be reached") as raised:
        action.set_up(replace(wishes, action="octo/pool"))
    assert "Traceback" not in raised.value.message
    assert written(wishes) == set()


@pytest.mark.parametrize("path", [WORKFLOW, ".github"])
def test_what_is_in_the_way_is_named_with_its_path(wishes: ActionOptions, path: str) -> None:
    there = wishes.folder / path
    there.parent.mkdir(parents=True, exist_ok=True)
    if path == WORKFLOW:
        there.mkdir()
    else:
        there.write_text("a file")
    with pytest.raises(
        click.ClickException, match=rf"{wishes.folder}/\.github.* cannot be written"
    ):
        action.set_up(wishes)


@pytest.mark.parametrize("yes", [False, True])
def test_a_pull_request_needs_a_token(wishes: ActionOptions, yes: bool) -> None:
    with pytest.raises(click.ClickException, match="a pull request needs a token"):
        action.set_up(replace(wishes, pull_request=True, yes=yes))


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("https://git.example", "the remote is on github.com, not on git.example"),
        ("https://GitHub.com/", ""),
    ],
)
def test_the_remote_has_to_be_on_the_host_that_is_meant(
    wishes: ActionOptions, server: str, said: str
) -> None:
    settings = Settings(GITHUB_API_URL=NOWHERE, GITHUB_SERVER_URL=server)
    if not said:
        action.set_up(replace(wishes, settings=settings))
        return
    with pytest.raises(click.ClickException, match=said) as raised:
        action.set_up(replace(wishes, settings=settings))
    assert "export GITHUB_SERVER_URL=https://github.com" in raised.value.message
