"""One wrong thing at a time: what `doctor` says of it, and what to do."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.doctor import doctor, doctor_github, doctor_network
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.settings import Settings
from tests import ours

NOWHERE = "http://127.0.0.1:9"
KEY = "sk-ant-a-key-that-nobody-may-see"


@pytest.fixture
async def github(tmp_path: Path) -> AsyncIterator[SimulatedGitHub]:
    async with SimulatedGitHub.start(tmp_path / "github") as made:
        yield made


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel.start(Reviewer()) as made:
        yield made


def settings(folder: Path, **more: Any) -> Settings:
    given: dict[str, Any] = {"state_dir": folder / "state", "ANTHROPIC_API_KEY": KEY}
    return Settings(**(given | more))


async def told(
    check: Callable[[Settings], Diagnosis | Iterable[Diagnosis]], with_: Settings
) -> list[Diagnosis]:
    """What one check says, through the wrapper that all of them run in."""
    return await asyncio.to_thread(lambda: list(doctor._safely("it", check, with_)))


async def one(check: Callable[[Settings], Diagnosis | Iterable[Diagnosis]], with_: Settings) -> str:
    (sign,) = await told(check, with_)
    return f"{sign.found} -> {sign.fix}"


async def test_the_model_is_asked_for_by_name(model: ScriptedModel, tmp_path: Path) -> None:
    def asking(**more: Any) -> Settings:
        return settings(tmp_path, **({"ANTHROPIC_BASE_URL": model.url} | more))

    assert (await one(doctor._model, asking())).endswith(" -> ")
    assert "set ANTHROPIC_API_KEY" in await one(doctor._model, asking(ANTHROPIC_API_KEY=""))
    model.unknown = frozenset({"claude-nosuch"})
    said = await one(doctor._model, asking(model="claude-nosuch"))
    assert "knows no claude-nosuch -> set CLAUDE_POOL_MODEL" in said
    model.unknown = frozenset({"claude-sonnet-5-5"})
    said = await one(doctor._model, asking(ANTHROPIC_BASE_URL=f"{model.url}/v1"))
    assert "-> leave /v1 out of ANTHROPIC_BASE_URL" in said
    model.refuses = KEY
    said = await one(doctor._model, asking())
    assert "refuses the key (401) -> set ANTHROPIC_API_KEY" in said
    assert KEY not in said
    said = await one(doctor._model, asking(ANTHROPIC_BASE_URL="http://127.0.0.1:9"))
    assert "cannot be reached" in said
    assert "check ANTHROPIC_BASE_URL" in said
    assert "cannot be reached" in await one(
        doctor._model, asking().model_copy(update={"anthropic_base_url": "nonsense"})
    )


async def test_a_private_key_that_cannot_be_used_is_described(tmp_path: Path) -> None:
    garbage, empty = tmp_path / "garbage.pem", tmp_path / "empty.pem"
    garbage.write_bytes(b"\xff\xfe not text")
    empty.write_text("")
    missing = await one(
        doctor._private_key, settings(tmp_path, private_key_file=tmp_path / "none.pem")
    )
    assert (
        f"CLAUDE_POOL_PRIVATE_KEY_FILE={tmp_path}/none.pem cannot be read: No such file" in missing
    )
    assert "cannot be read" in await one(
        doctor._private_key, settings(tmp_path, private_key_file=garbage)
    )
    assert "is not set" in await one(
        doctor._private_key, settings(tmp_path, private_key_file=empty)
    )
    said = await one(doctor._private_key, settings(tmp_path, private_key="garbage"))
    assert "CLAUDE_POOL_PRIVATE_KEY holds no private key" in said
    assert "-----BEGIN RSA PRIVATE KEY-----" in said


async def test_an_app_that_cannot_be_asked_names_the_cause(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    app = github.create_app("claude-pool", webhook_secret=WEBHOOK_SECRET)
    ours = {"app_id": str(app.id), "private_key": app.private_key, "GITHUB_API_URL": github.api_url}

    async def said(**more: Any) -> str:
        signs = await told(doctor_github.examine, settings(tmp_path, **(ours | more)))
        return "\n".join(f"{sign.what}: {sign.found} -> {sign.fix}" for sign in signs)

    assert "set CLAUDE_POOL_APP_ID" in await said(app_id="")
    assert "CLAUDE_POOL_APP_ID" in await said(app_id="999999")
    assert "not asked -> first fix the private key" in await said(private_key="")
    assert "the private key" in await said(private_key="garbage")
    assert "the private key" in await said(private_key_file=tmp_path / "none.pem", private_key="")
    assert "https://HOST/api/v3" in await said(GITHUB_API_URL=github.url)
    assert await said(GITHUB_API_URL="http://127.0.0.1:9") == (
        "GitHub App: http://127.0.0.1:9 cannot be reached: [Errno 111] Connection refused -> "
        "check GITHUB_API_URL and this machine's way to it (CLAUDE_POOL_PROXY is not set)"
    )
    app.webhook_url = "https://bot.example/hooks"
    assert "webhook: events are sent to https://bot.example/hooks -> set its URL" in await said()
    app.webhook_url, app.webhook_secret = "https://bot.example/webhook", ""
    assert "no secret is set in the App -> enter CLAUDE_POOL_WEBHOOK_SECRET" in await said()


async def test_what_an_installation_has_not_granted_is_said(
    github: SimulatedGitHub, tmp_path: Path
) -> None:
    app = github.create_app("claude-pool", webhook_secret=WEBHOOK_SECRET)
    repository = github.create_repository("octo/shop", files={"a": "b"})
    github.install(app, "octo", [repository])
    installation = next(iter(github.world.installations.values()))
    installation.permissions = {**installation.permissions, "checks": "read"}
    signs = await told(
        doctor_github.examine,
        settings(
            tmp_path, app_id=str(app.id), private_key=app.private_key, GITHUB_API_URL=github.api_url
        ),
    )
    said = {sign.what: sign for sign in signs}
    assert said["permissions"].fix == ""
    assert "octo has not granted checks: write" in said["installation"].found
    assert "its owner must accept that" in said["installation"].fix


async def test_the_state_folder_is_looked_at_and_not_made(tmp_path: Path) -> None:
    assert "(will be made) -> " in await one(doctor._state, settings(tmp_path))
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state").chmod(0o755)
    assert f"-> chmod 700 {tmp_path}/state" in await one(doctor._state, settings(tmp_path))
    (tmp_path / "file").write_text("")
    said = await one(doctor._state, settings(tmp_path, state_dir=tmp_path / "file"))
    assert "is a file -> remove it" in said
    said = await one(doctor._state, settings(tmp_path, state_dir=tmp_path / "file" / "state"))
    assert f"{tmp_path}/file is a file -> set CLAUDE_POOL_STATE_DIR" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
async def test_root_is_told_to_ask_as_the_user_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    assert (await one(doctor._state, settings(tmp_path))).endswith(" -> ")
    os.chown(tmp_path / "state", 65_534, 65_534)
    assert "belongs to nobody -> run this as nobody" in await one(doctor._state, settings(tmp_path))


async def test_the_database_is_read_and_not_migrated(tmp_path: Path) -> None:
    assert "(will be made)" in await one(doctor._database, settings(tmp_path))
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "pool.sqlite").write_bytes(b"no database" * 100)
    said = await one(doctor._database, settings(tmp_path))
    assert "file is not a database -> " in said
    assert "claude-pool-gh restore --replace" in said
    secret = "postgres://bot:S3cretPw@127.0.0.1:9/pool"
    said = await one(doctor._database, settings(tmp_path, database_url=secret))
    assert "S3cretPw" not in said
    assert "check CLAUDE_POOL_DATABASE_URL" in said
    unread = settings(tmp_path).model_copy(update={"database_url": "mysql://bot:S3cretPw@x/y"})
    said = await one(doctor._database, unread)
    assert "must begin with sqlite:/// or postgresql://" in said
    assert "S3cretPw" not in said
    unread = settings(tmp_path).model_copy(update={"database_url": "S3cretPw no url"})
    said = await one(doctor._database, unread)
    assert "S3cretPw" not in said


async def test_a_port_in_use_and_an_address_of_another_machine_are_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = await one(doctor_network.address, settings(tmp_path, port=port))
        assert "CLAUDE_POOL_PORT" in said
    assert "is free" in await one(doctor_network.address, settings(tmp_path, port=0))
    other = await one(doctor_network.address, settings(tmp_path, host="203.0.113.7"))
    assert "-> set CLAUDE_POOL_HOST to an address of this machine" in other


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "not found -> install git"),
        ("exit 3", "does not say its version -> install git"),
        ("echo git version 2.20.1", "2.20.1 -> "),
        ("echo git version 2.30.0", "2.30.0 -> "),
    ],
)
async def test_git_is_run(
    script: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        (tmp_path / "git").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await one(doctor._git, settings(tmp_path))
    assert said in found
    assert found.endswith(" -> ") is (script == "echo git version 2.30.0")


@pytest.mark.parametrize(
    ("command", "said"), [("doctor", "✗ git: not found"), ("serve", "git is not found: install")]
)
def test_where_there_is_no_git_the_command_says_so(command: str, said: str, tmp_path: Path) -> None:
    """A process of its own: what reads commits runs git when it is imported."""
    told = {"HOME": "/", "CLAUDE_POOL_STATE_DIR": f"{tmp_path}/state", "GITHUB_API_URL": NOWHERE}
    done = subprocess.run(
        ours.cli(command),
        env=ours.environment(PATH=str(tmp_path), ANTHROPIC_BASE_URL=NOWHERE, **told),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


async def test_whatever_a_check_meets_becomes_a_sign_without_secrets(tmp_path: Path) -> None:
    def broken(_settings: Settings) -> Diagnosis:
        raise RuntimeError(f"it broke beside {KEY}")

    (sign,) = await told(broken, settings(tmp_path))
    assert sign.found == "RuntimeError: it broke beside ***"
    assert sign.fix


async def test_a_key_that_cannot_be_read_shows_no_other_secret(tmp_path: Path) -> None:
    def broken(_settings: Settings) -> Diagnosis:
        raise RuntimeError(f"it broke beside {KEY}")

    for file in (tmp_path / "nowhere.pem", tmp_path / "binary.pem"):
        (tmp_path / "binary.pem").write_bytes(b"\xff\xfe")
        (sign,) = await told(broken, settings(tmp_path, private_key_file=file))
        assert sign.found == "RuntimeError: it broke beside ***"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
async def test_a_folder_that_cannot_be_written_names_the_commands(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    said = await one(doctor._state, settings(tmp_path, state_dir=tmp_path / "shut" / "state"))
    assert f"mkdir -p {tmp_path}/shut/state && chown" in said
