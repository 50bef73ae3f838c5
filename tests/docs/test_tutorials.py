"""The tutorials are followed line by line, as far as that goes on one machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.example import TITLE
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from tests.docs import tutorial
from tests.docs.site import ROOT
from tests.docs.tutorial import Shell, lines

SHA: Final = "0123456789abcdef0123456789abcdef01234567"
CHECKOUT: Final = (
    "Makefile",
    "claude_pool_gh",
    "examples",
    "pyproject.toml",
    "requirements-build.lock",
    "requirements.lock",
)
"""What of a checkout the rehearsal uses."""


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=mona", "-c", "user.email=mona@example.com")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def shop(folder: Path) -> Path:
    """A clone with a change on a branch."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    for branch, files in (("main", stage.base_files()), ("my-branch", stage.head_files())):
        git(folder, "checkout", "--quiet", "-B", branch)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", f"Work on {branch}")
    return folder


@pytest.mark.rotating(8)
@pytest.mark.timeout(600)
async def test_without_an_account(tmp_path: Path) -> None:
    """From `make demo` on; what it installs first is there already."""
    checkout, clone = tmp_path / "checkout", shop(tmp_path / "my shop")
    checkout.mkdir()
    for name in CHECKOUT:
        (checkout / name).symlink_to(ROOT / name)
    venv = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    tutorial.our_program(venv / "bin")
    said: dict[str, str] = {}
    async with Shell.start(checkout, tmp_path / "none") as shell:
        for line in lines("rehearsal", {"YOUR-CLONE": f"'{clone}'"}):
            said[line] = await shell.type(line)
    of_stage, review, between, plan = (
        next(text for line, text in said.items() if wanted in line)
        for wanted in ("make demo", '"/pool review"', "--head my-branch", "--plan")
    )
    assert "claude-pool/review: neutral, 2 findings" in of_stage
    assert stage.TITLE in of_stage
    for told in (review, between):
        assert "claude-pool/review: neutral" in told
        assert TITLE in told
        assert "A script answered in the model's place" in told
        assert "  claude-pool: " in told.partition("What #")[0], "its steps while it runs"
    assert "files in" in plan
    assert git(clone, "status", "--porcelain") == "", "nothing is written there"


@pytest.mark.rotating(5)
async def test_as_an_action(tmp_path: Path) -> None:
    """The key is stored with GitHub's own program, which is not ours to try."""
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        repository, mona = github.create_repository("octo/shop"), github.create_user("mona")
        repository.grant(mona, "admin")
        clone = shop(tmp_path / "shop")
        git(clone, "remote", "add", "origin", f"{github.url}/octo/shop.git")
        tutorial.our_program(tmp_path / "bin")
        told = {
            "GITHUB_API_URL": github.api_url,
            "GITHUB_SERVER_URL": github.url,
            "GITHUB_TOKEN": github.create_token(mona),
        }
        keep, *ours = lines("action", {"OWNER": "acme", "COMMIT": SHA})
        assert keep == "gh secret set ANTHROPIC_API_KEY"

        async def yes(_: re.Match[str]) -> str:
            return "y\n"

        async with Shell.start(clone, tmp_path / "bin", **told) as shell:
            written, opened = [await shell.type(line, {r"\[y/N\]": yes}) for line in ours]
        assert "Secret ANTHROPIC_API_KEY: not set. Set it: gh secret set" in written
        files = git(clone, "status", "--porcelain", "--untracked-files=all").split()[1::2]
        assert files == [".github/claude-pool.yml", ".github/workflows/claude-pool.yml"]
        (pull,) = repository.pulls
        assert f"/octo/shop/pull/{pull.number}\n" in opened
        for path in files:
            assert repository.read(pull.head_sha, path) == (clone / path).read_bytes()
