"""`claude-pool-gh init` as a maintainer runs it: in a clone, against the simulated GitHub."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from claude_pool_gh.config.load import load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.rehearsal.github import Repository, SimulatedGitHub, User
from claude_pool_gh.service.init import files, remote
from tests import forked
from tests.rehearsal.contract.checker import shared

ROOT = Path(__file__).parents[2]
SHA = "0123456789abcdef0123456789abcdef01234567"
WORKFLOW, CONFIGURATION = ".github/workflows/claude-pool.yml", ".github/claude-pool.yml"


@dataclass(slots=True)
class Place:
    """A maintainer's clone."""

    github: SimulatedGitHub
    repository: Repository
    mona: User
    clone: Path
    token: str = ""
    api_url: str = ""

    async def init(self, *arguments: str, said: str = "") -> tuple[int, str]:
        """Run it in the clone; its exit code and everything that it printed."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.clone),
            "PYTHONPATH": str(ROOT),
            "GITHUB_API_URL": self.api_url or self.github.api_url,
            "GITHUB_SERVER_URL": self.github.url,
            "GH_TOKEN": self.token,
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        ran = await forked.cli(
            "init", *arguments, environment=environment, folder=self.clone, given=said
        )
        assert not self.token or self.token not in ran.told
        return ran.code, ran.told

    @property
    def written(self) -> list[str]:
        """Every file under .github."""
        there = sorted((self.clone / ".github").rglob("*.yml"))
        return [str(each.relative_to(self.clone)) for each in there]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    contract = shared()
    contract.clear()
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        github.observe(contract)
        repository, mona = github.create_repository("octo/shop"), github.create_user("mona")
        repository.grant(mona, "admin")
        clone = tmp_path / "shop"
        subprocess.run(["git", "init", "-q", str(clone)], check=True)
        address = f"{github.url}/octo/shop.git"
        subprocess.run(["git", "-C", str(clone), "remote", "add", "origin", address], check=True)
        yield Place(github, repository, mona, clone, github.create_token(mona))
        contract.assert_clean()


async def test_the_files_are_written_after_a_yes_and_the_secret_is_asked_for_by_its_name(
    place: Place,
) -> None:
    code, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", said="y\n")
    assert code == 0, text
    assert place.written == [CONFIGURATION, WORKFLOW]
    workflow = (place.clone / WORKFLOW).read_text()
    assert workflow == (ROOT / "examples/workflows/commands.yml").read_text().replace(
        "OWNER/claude-pool-gh@COMMIT", f"acme/claude-pool-gh@{SHA}"
    )
    page = f"{place.github.url}/octo/shop/settings/secrets/actions/new"
    how = f"gh secret set ANTHROPIC_API_KEY --repo 127.0.0.1/octo/shop, or {page}"
    assert f"Secret ANTHROPIC_API_KEY: not set. Set it: {how}\n" in text
    place.repository.state.organization_secrets.append("ANTHROPIC_API_KEY")
    _, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", "--yes")
    assert (
        "There is nothing to write.\nSecret ANTHROPIC_API_KEY: set in its organization.\n" in text
    )


async def test_nothing_is_done_without_a_yes_and_nothing_in_a_dry_run(place: Place) -> None:
    code, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", said="n\n")
    assert code == 1
    assert "Write these files? [y/N]" in text
    code, text = await place.init("--dry-run", "--pull-request")
    assert code == 0, text
    assert "      - uses: OWNER/claude-pool-gh@COMMIT\n" in text
    assert "shown as OWNER and COMMIT" in text
    assert "--action OWNER/claude-pool-gh\n" in text
    assert "    runs_in: action\n" in text
    assert "Nothing was written" in text
    assert place.written == []
    assert {each.method for each in place.github.requests} <= {"GET"}
    assert place.repository.pulls == []


async def test_what_somebody_has_written_is_never_replaced(place: Place) -> None:
    (place.clone / WORKFLOW).parent.mkdir(parents=True)
    (place.clone / WORKFLOW).write_text("mine")
    code, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", "--yes")
    assert code == 0
    assert f"{WORKFLOW}: already there and different: it is left as it is\n" in text
    assert (place.clone / WORKFLOW).read_text() == "mine"
    assert place.written == [CONFIGURATION, WORKFLOW]


async def test_a_pull_request_is_opened_and_the_clone_stays_as_it_is(place: Place) -> None:
    arguments = ("--action", f"acme/claude-pool-gh@{SHA}", "--pull-request", "--yes")
    code, text = await place.init(*arguments)
    assert code == 0, text
    (pull,) = place.repository.pulls
    assert f"Opened {place.github.url}/octo/shop/pull/{pull.number}\n" in text
    assert (pull.title, pull.base_ref, pull.author.login) == ("Set up claude-pool", "main", "mona")
    assert f"@{SHA}" in place.repository.read(pull.head_sha, WORKFLOW).decode()
    assert place.repository.read(pull.head_sha, CONFIGURATION).decode() == files.configuration()
    assert "gh secret set ANTHROPIC_API_KEY" in pull.body
    assert place.written == []
    code, text = await place.init(*arguments)
    assert code == 1
    assert (
        "octo/shop has the branch claude-pool/setup already: merge its pull request, or delete"
        in text
    )


async def test_the_action_is_pinned_to_the_commit_of_its_release(place: Place) -> None:
    action = place.github.create_repository("acme/claude-pool-gh")
    released = action.head()
    action.git.set_ref("refs/tags/v0.1.0", released)
    action.commit("main", {"later": "x"})
    code, text = await place.init("--yes", "--action", "acme/claude-pool-gh")
    assert code == 0, text
    assert (
        f"- uses: acme/claude-pool-gh@{released} # v0.1.0\n" in (place.clone / WORKFLOW).read_text()
    )
    code, text = await place.init("--dry-run", "--action", "acme/claude-pool-gh")
    assert code == 0, text
    assert f"The action is pinned to acme/claude-pool-gh at {released}\n" in text
    action.git.set_ref("refs/tags/v0.1.0", None)
    code, text = await place.init("--dry-run", "--action", "acme/claude-pool-gh")
    assert code == 0, text
    assert "shown as COMMIT: the action's commit. acme/claude-pool-gh has no tag v0.1.0" in text
    code, text = await place.init("--yes", "--action", "acme/claude-pool-gh")
    assert code == 1
    assert "acme/claude-pool-gh has no tag v0.1.0" in text
    assert "name the commit: --action acme/claude-pool-gh@COMMIT" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--yes"], "name the action's repository: --action OWNER/claude-pool-gh"),
        (["--yes", "--action", "acme/claude-pool-gh@v1"], "with all 40 digits of the commit"),
        (
            ["--remote", "upstream"],
            "this clone has no remote called upstream: name another one with --remote",
        ),
        (["--public-url", "https://a.example"], "--public-url goes with --app only"),
        (["--app", "--pull-request"], "--pull-request does not go with --app"),
    ],
)
async def test_what_cannot_be_done_is_said_in_words(
    place: Place, arguments: list[str], said: str
) -> None:
    code, text = await place.init(*arguments)
    assert code != 0
    assert said in text
    assert "Traceback" not in text
    assert place.written == []


async def test_a_token_that_may_not_do_it_is_told_what_it_lacks(place: Place) -> None:
    lacking = {"contents": "write", "pull_requests": "write"}
    place.token = place.github.create_token(place.github.actions_bot, place.repository, lacking)
    code, text = await place.init(
        "--action", f"acme/claude-pool-gh@{SHA}", "--pull-request", "--yes"
    )
    assert code == 1
    assert "your token needs contents, pull requests and workflows: write" in text
    code, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", "--yes")
    assert code == 0
    assert "not checked (GitHub answered: 403 Resource not accessible by integration)" in text


async def test_no_token_is_needed_to_write_files_and_one_is_to_open_a_pull_request(
    place: Place,
) -> None:
    place.token = ""
    code, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", "--yes")
    assert code == 0, text
    assert "not checked (no token to ask GitHub with). If it is not set: gh secret set" in text
    assert place.written == [CONFIGURATION, WORKFLOW]
    assert place.github.requests == []
    code, text = await place.init(
        "--action", f"acme/claude-pool-gh@{SHA}", "--yes", "--pull-request"
    )
    assert code == 1
    assert "a pull request needs a token" in text


async def test_what_goes_wrong_outside_is_said_in_words(place: Place) -> None:
    (place.clone / ".github").write_text("a file where a folder is needed")
    code, text = await place.init("--action", f"acme/claude-pool-gh@{SHA}", "--yes")
    assert code == 1
    assert re.search(r"^Error: .*\.github/workflows cannot be written: ", text, re.MULTILINE)
    place.api_url = "http://127.0.0.1:9/api/v3"
    code, text = await place.init("--action", "acme/claude-pool-gh", "--yes")
    assert code == 1
    assert "Error: http://127.0.0.1:9/api/v3 cannot be reached (ConnectionError)\n" in text


async def test_a_remote_on_another_host_gets_no_token_and_an_explanation(place: Place) -> None:
    address = "https://oauth2:hidden@git.example/octo/shop.git"
    subprocess.run(
        ["git", "-C", str(place.clone), "remote", "set-url", "origin", address], check=True
    )
    code, text = await place.init("--yes", "--action", "acme/claude-pool-gh")
    assert code == 1
    assert (
        "export GITHUB_SERVER_URL=https://git.example GITHUB_API_URL=https://git.example/api/v3"
        in text
    )
    assert "hidden" not in text
    assert place.github.requests == []


def test_the_configuration_changes_nothing_and_names_every_key() -> None:
    text = files.configuration()
    verbs = frozenset(handlers())
    assert load(text, verbs) == RepositoryConfig(runs_in="action")
    keys = "\n".join(
        line.removeprefix("#") for line in text.splitlines() if not re.match(r"# \S", line)
    )
    assert load(keys, verbs) == RepositoryConfig(runs_in="action")
    given = yaml.safe_load(keys)
    wanted = RepositoryConfig().model_dump(mode="json")
    assert {
        name: sorted(each) if isinstance(each, dict) else 0 for name, each in given.items()
    } == {name: sorted(each) if isinstance(each, dict) else 0 for name, each in wanted.items()}
    assert load(keys.replace("outsiders: ask", "outsiders: trust"), verbs) == RepositoryConfig(
        runs_in="action", outsiders="trust"
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://github.com/octo/shop.git", ("github.com", "octo/shop")),
        ("https://github.com/octo/shop", ("github.com", "octo/shop")),
        ("https://mona:token@GitHub.com/octo/shop.git/", ("github.com", "octo/shop")),
        ("git@github.com:octo/shop.git", ("github.com", "octo/shop")),
        ("ssh://git@ssh.github.com:443/octo/shop.git", ("github.com", "octo/shop")),
        ("git@git.example:octo/my.shop", ("git.example", "octo/my.shop")),
    ],
)
def test_a_remote_is_read_in_each_form(address: str, expected: tuple[str, str]) -> None:
    found = remote.parsed(address)
    assert (found.host, found.full_name) == expected


@pytest.mark.parametrize(
    "address",
    [
        "/srv/shop.git",
        "../shop",
        "https://git.example/a/b/c.git",
        "file:///a/b",
        "",
        "https://[::1/octo/shop",
        "https://[octo]/octo/shop",
        "https://github.com/octo/..",
        "git@github.com:./shop",
    ],
)
def test_an_address_that_names_no_repository_is_refused(address: str) -> None:
    with pytest.raises(remote.NoRemote):
        remote.parsed(address)
