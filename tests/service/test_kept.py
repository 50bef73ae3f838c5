"""The files of a new App: what is in their way is seen before there is a secret, and nobody else reads them."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from claude_pool_gh.service.init import kept
from claude_pool_gh.service.init.kept import CannotKeep, CreatedApp
from claude_pool_gh.service.settings import Settings

PEM = "-----BEGIN RSA PRIVATE KEY-----\nkey\n-----END RSA PRIVATE KEY-----\n"
APP = CreatedApp.model_validate(
    {
        "id": 12,
        "slug": "claude-pool",
        "html_url": "https://github.com/apps/claude-pool",
        "pem": PEM,
        "webhook_secret": "it's a secret",
        "more": "that nobody needs",
    }
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "app with a space"


def sourced(folder: Path) -> dict[str, str]:
    """The variables that a shell has after it has read the file, as `init --app` tells people to do."""
    file = shlex.quote(str(folder / kept.SETTINGS_FILE))
    done = subprocess.run(
        ["/bin/sh", "-c", f"set -a; . {file}; env"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.partition("=") for line in done.stdout.splitlines())
    ours = ("CLAUDE_POOL_", "GITHUB_", "ANTHROPIC_")
    return {name: value for name, _, value in lines if name.startswith(ours)}


def test_a_shell_reads_what_a_server_needs(folder: Path) -> None:
    kept.ready(folder)
    kept.keep(folder, APP, Settings(), "https://pool.example.com")
    assert sourced(folder) == {
        "CLAUDE_POOL_APP_ID": "12",
        "CLAUDE_POOL_PRIVATE_KEY_FILE": str(folder / kept.KEY_FILE),
        "CLAUDE_POOL_WEBHOOK_SECRET": "it's a secret",
        "CLAUDE_POOL_PUBLIC_URL": "https://pool.example.com",
    }
    assert (folder / kept.KEY_FILE).read_text() == PEM
    assert "\n# ANTHROPIC_API_KEY=" in (folder / kept.SETTINGS_FILE).read_text()


def test_a_server_that_github_cannot_reach_asks_it_and_signs_with_a_secret_of_its_own(
    tmp_path: Path,
) -> None:
    without = APP.model_copy(update={"webhook_secret": None})
    found = []
    for name in ("one", "two"):
        kept.ready(tmp_path / name)
        kept.keep(tmp_path / name, without, Settings(), "")
        found.append(sourced(tmp_path / name))
    assert found[0]["CLAUDE_POOL_POLL"] == "30"
    assert "CLAUDE_POOL_PUBLIC_URL" not in found[0]
    secrets = {each["CLAUDE_POOL_WEBHOOK_SECRET"] for each in found}
    assert len(secrets) == 2
    assert min(map(len, secrets)) >= 32


def test_where_github_is_elsewhere_the_file_says_so(folder: Path) -> None:
    elsewhere = Settings(
        GITHUB_API_URL="https://git.example/api/v3", GITHUB_SERVER_URL="https://git.example"
    )
    kept.ready(folder)
    kept.keep(folder, APP, elsewhere, "")
    found = sourced(folder)
    assert found["GITHUB_API_URL"] == "https://git.example/api/v3"
    assert found["GITHUB_SERVER_URL"] == "https://git.example"


def test_nobody_else_can_read_the_files_whatever_the_umask_says(folder: Path) -> None:
    before = os.umask(0)
    try:
        kept.ready(folder)
        kept.keep(folder, APP, Settings(), "")
    finally:
        os.umask(before)
    modes = {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}
    assert modes == {kept.KEY_FILE: 0o600, kept.SETTINGS_FILE: 0o600, ".gitignore": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", [kept.KEY_FILE, kept.SETTINGS_FILE])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "link to nothing"])
def test_what_is_in_the_way_is_seen_before_there_is_a_secret(
    folder: Path, name: str, kind: str
) -> None:
    folder.mkdir(mode=0o700)
    match kind:
        case "file":
            (folder / name).touch()
        case "folder":
            (folder / name).mkdir()
        case "link":
            (folder / name).symlink_to(folder)
        case _:
            (folder / name).symlink_to(folder / "nowhere")
    with pytest.raises(CannotKeep, match=f"{name} is there already: name another folder"):
        kept.ready(folder)


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_git_ignores_already_is_left_as_it_is(folder: Path, kind: str) -> None:
    kept.ready(folder)
    own = folder / ".gitignore"
    if kind == "file":
        own.write_text("mine\n")
    else:
        own.symlink_to(folder / "nowhere")
    kept.keep(folder, APP, Settings(), "")
    assert own.is_symlink() or own.read_text() == "mine\n"
    assert not (folder / "nowhere").exists()


def test_in_a_clone_the_key_is_not_added(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    subprocess.run(["git", "init", "-q", folder], check=True)
    kept.ready(folder)
    kept.keep(folder, APP, Settings(), "")
    told = subprocess.run(
        ["git", "-C", folder, "status", "--porcelain", "--untracked-files=all"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == ""


def test_a_folder_that_others_can_read_is_refused_with_the_way_out(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o750)
    with pytest.raises(CannotKeep, match=r"can be read by other users: chmod 700 "):
        kept.ready(folder)


def test_a_file_in_place_of_the_folder_is_said(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(CannotKeep, match=r"cannot be made: "):
        kept.ready(folder)


def test_a_link_that_was_laid_meanwhile_is_not_followed(folder: Path, tmp_path: Path) -> None:
    kept.ready(folder)
    (folder / kept.KEY_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=kept.KEY_FILE):
        kept.keep(folder, APP, Settings(), "")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("slug", "a b"), ("slug", "A"), ("slug", "a/../b"), ("html_url", "javascript:alert(1)")],
)
def test_an_answer_that_names_something_odd_is_no_app(field: str, value: str) -> None:
    told = APP.model_dump() | {field: value}
    with pytest.raises(ValueError, match=field):
        CreatedApp.model_validate(told)


def test_no_secret_of_an_app_is_shown_by_accident() -> None:
    assert not [secret for secret in ("BEGIN RSA", "it's a secret") if secret in f"{APP!r}{APP}"]
