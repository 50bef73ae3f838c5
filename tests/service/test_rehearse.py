"""The bot on the repository at hand: a command that is rehearsed, and a recorded event that is replayed."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from claude_pool_gh.rehearsal import bot, stage
from claude_pool_gh.rehearsal.example import added_line
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.service.cli import main
from claude_pool_gh.service.rehearsals.rehearse_command import (
    LocalCommits,
    RehearsalOptions,
    RehearsedCommand,
)
from claude_pool_gh.service.rehearsals.replay import name_of, read_event
from tests import ours


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=mona", "-c", "user.email=mona@example.com")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with a change on a branch."""
    folder = tmp_path / "my shop"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for message, files in (
        ("Begin", stage.base_files()),
        ("Add vouchers\n\nAnd a discount.", stage.head_files()),
    ):
        write(folder, files)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", message)
        if message == "Begin":
            git(folder, "checkout", "--quiet", "-b", "vouchers")
    return folder


async def test_a_server_that_does_not_start_says_why_once_and_imports_nothing_of_the_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('taken from the folder here')\n")
    monkeypatch.chdir(tmp_path)
    server = bot.Bot(tmp_path / "state", ours.environment())
    with pytest.raises(bot.DidNotStart) as caught:
        await server.start()
    assert "taken from the folder here" not in str(caught.value)
    assert str(caught.value).count("CLAUDE_POOL_APP_ID is not set") == 1
    assert "Traceback" not in str(caught.value)
    assert server.last_words[-1] == "`claude-pool-gh doctor` checks everything."
    assert not server.runs


async def test_a_server_that_never_listens_is_told_apart_from_one_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot, "_START_SECONDS", 0.2)
    slow = bot.Bot(tmp_path, ours.environment(), command=("sleep", "60"))
    with pytest.raises(
        bot.DidNotStart, match=r"not listen within 0\.2 seconds:\nit printed nothing"
    ):
        await slow.start()
    assert not slow.runs
    gone = bot.Bot(tmp_path, ours.environment(), command=("echo", "a word"))
    with pytest.raises(bot.DidNotStart, match="the server did not start:\na word"):
        await gone.start()


async def test_a_rehearsal_that_waits_says_so_and_ends_when_its_server_does(tmp_path: Path) -> None:
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        repository, mona = github.create_repository("octo/shop"), github.create_user("mona")
        issue = repository.open_issue("It is slow", author=mona)
        server = bot.Bot(tmp_path, ours.environment(), command=("sleep", "60"))
        server.process = await asyncio.create_subprocess_exec(*server.command)
        server.log.append("a last line")
        asked = RehearsedCommand(github, server, repository, issue, mona)
        told: list[str] = []
        assert await asked.over(0.2, told.append) == "It did not finish within 0.2 seconds"
        (waits,) = told
        assert waits.startswith("  waiting for ")
        assert waits.endswith("the server's last line: a last line")
        await server.kill()
        assert await asked.over(60, told.append) == "The server has ended"


@pytest.mark.rotating(4)
@pytest.mark.timeout(300)
def test_an_audit_is_rehearsed_with_every_file_opened(shop: Path) -> None:
    done = CliRunner().invoke(main, ["rehearse", "/pool audit", "--folder", str(shop)])
    assert done.exit_code == 0, done.output
    assert "AUDITED" not in done.output, "neither not nor partly"
    assert "Nothing found" in done.output


def test_what_a_repository_and_an_event_say_does_not_drive_the_terminal(shop: Path) -> None:
    evil = "octo\x1b]0;X\x07cat\u202e"
    said = comment("/pool revew")
    said["sender"]["login"] = evil
    said["action"] = evil
    printed = replayed(shop, said)
    assert "]0;X" in printed, "it is told, as it is"
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


def test_what_cannot_be_rehearsed_is_said(shop: Path, tmp_path: Path) -> None:
    same = ["rehearse", "/pool review", "--folder", str(shop), "--head", "main"]
    assert "a pull request would be empty" in CliRunner().invoke(main, same).output
    none = ["rehearse", "/pool review", "--folder", str(shop), "--base", "nowhere"]
    assert "has no commit 'nowhere'" in CliRunner().invoke(main, none).output
    assert (
        "is no git repository"
        in CliRunner().invoke(main, ["rehearse", "/pool help", "--folder", str(tmp_path)]).output
    )
    assert (
        "neither a file nor a command"
        in CliRunner().invoke(main, ["rehearse", "nothing.py"]).output
    )


async def test_the_pull_request_is_the_newest_commits(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(shop, "commit", "--quiet", "--amend", "--message", "Gutscheine für alle\n\nAnd a discount.")
    own = tmp_path / "own.gitconfig"
    own.write_text("[i18n]\nlogOutputEncoding = latin1\n[log]\nshowSignature = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(own))
    monkeypatch.chdir(shop)
    wanted = RehearsalOptions(command="/pool review", folder=Path())
    local = await LocalCommits.read(wanted, tmp_path / "scratch")
    titles = (local.name, local.title, local.body)
    assert titles == ("my-shop", "Gutscheine für alle", "And a discount."), "whoever runs it"
    same = dataclasses.replace(wanted, base="vouchers")
    with pytest.raises(click.ClickException):
        await LocalCommits.read(same, tmp_path / "scratch")


def comment(body: str, association: str = "MEMBER") -> dict[str, Any]:
    user = {"id": 5, "login": "octocat", "type": "User"}
    return {
        "action": "created",
        "issue": {"number": 12, "title": "T", "updated_at": "x", "pull_request": {"url": "x"}},
        "comment": {"id": 99, "body": body, "user": user, "author_association": association},
        "repository": {
            "id": 7,
            "name": "shop",
            "owner": {"id": 1, "login": "octo", "type": "Organization"},
        },
        "sender": user,
    }


def replayed(shop: Path, payload: Any, *more: str) -> str:
    file = shop.parent / "event.json"
    file.write_text(payload if isinstance(payload, str) else json.dumps(payload))
    done = CliRunner().invoke(main, ["replay", str(file), "--folder", str(shop), *more])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.output


def test_a_comments_commands_are_judged_one_by_one(shop: Path) -> None:
    said = replayed(shop, comment("/pool review\n/pool revew\n/pool help"))
    assert "issue_comment (created) by octocat" in said
    assert "the role write" in said
    review, mistake, helped = said.split("\n\n/pool ")[1:]
    assert "starts a run for octocat, at most $3.00" in review
    assert "find: an agent" in review
    assert "is refused" in mistake
    assert "`/pool review`" in mistake
    assert "is answered" in helped


def test_programs_get_each_decision_in_parts(shop: Path) -> None:
    told = json.loads(replayed(shop, comment("/pool review\n/pool revew\n/pool help"), "--json"))
    review, mistake, helped = told.pop("commands")
    assert told == {
        "event": "issue_comment",
        "action": "created",
        "sender": "octocat",
        "role": "write",
        "ignored": "",
        "malformed": False,
        "noted": [],
    }
    assert (review["line"], review["fate"], review["asked_by"]) == (
        "/pool review",
        "started",
        "octocat",
    )
    assert review["budget_microdollars"] == 3_000_000
    steps = {each["name"]: each for each in review["steps"]}
    assert steps["find"]["model"].startswith("claude-")
    assert (steps["brief"]["model"], steps["brief"]["gate"]) == ("", False)
    assert (mistake["fate"], helped["fate"]) == ("refused", "answered")
    assert "`/pool review`" in mistake["text"]


def test_a_stranger_is_refused_and_told_the_role_that_is_needed(shop: Path) -> None:
    said = replayed(shop, comment("/pool review", "NONE"))
    assert "the role read" in said
    assert "is refused" in said
    assert "starts a run" in replayed(shop, comment("/pool review", "NONE"), "--role", "admin")


@pytest.mark.rotating(3)
def test_the_configuration_here_counts(shop: Path) -> None:
    git(shop, "checkout", "--quiet", "main")
    write(shop, {".github/claude-pool.yml": "runs_in: action\n"})
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message", "Configure")
    git(shop, "checkout", "--quiet", "vouchers")
    assert "the repository's commands run in its Action" in replayed(shop, comment("/pool review"))
    assert "starts a run" in replayed(shop, comment("/pool review"), "--runs-in", "action")
    done = CliRunner().invoke(main, ["rehearse", "/pool review", "--folder", str(shop)])
    assert done.exit_code == 1
    assert "The bot gives no answer: the repository's commands run in its Action" in done.output


def test_what_asks_for_nothing_is_said_with_the_reason(shop: Path) -> None:
    edited = comment("/pool review") | {"action": "edited"}
    assert "Nothing is done: " in replayed(shop, edited)
    assert "There is no command in it" in replayed(shop, comment("just talking"))


def test_an_event_is_read_in_each_form_in_which_one_is_recorded() -> None:
    payload = comment("/pool help")
    assert read_event(json.dumps(payload), "") == ("issue_comment", payload)
    delivery = {"id": 1, "event": "issue_comment", "request": {"headers": {}, "payload": payload}}
    assert read_event(json.dumps(delivery), "") == ("issue_comment", payload)
    assert name_of({"pull_request": {}, "comment": {}}) == "pull_request_review_comment"
    assert name_of({"pull_request": {}, "review": {}}) == "pull_request_review"
    for text in ("{", "[]", "{}"):
        with pytest.raises(click.ClickException):
            read_event(text, "")


def test_the_example_quotes_a_line_that_the_diff_adds() -> None:
    diff = (
        "--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,4 @@ def f():\n one\n-two\n+\n+    return two\n three\n"
    )
    assert added_line(diff) == ("x.py", 3, "    return two")
    assert added_line("--- a/x.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n") is None
