"""No command prints a secret, whatever goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from claude_pool_gh.service.server.serve import check_agents
from claude_pool_gh.service.settings import Settings
from tests import forked, ours

SECRETS = {
    "CLAUDE_POOL_DATABASE_URL": "postgresql://bot:canary-database@127.0.0.1:9/pool?sslpassword=canary-query",
    "CLAUDE_POOL_WEBHOOK_SECRET": "canary-webhook-secret-of-at-least-32-characters",
    "CLAUDE_POOL_PRIVATE_KEY": "canary-private-key",
    "ANTHROPIC_API_KEY": "sk-ant-canary-model-key",
    "GITHUB_TOKEN": "canary-token",
    "CLAUDE_POOL_PROXY": "http://bot:canary-proxy@127.0.0.1:9",
    "ANTHROPIC_BASE_URL": "http://bot:canary-gateway@127.0.0.1:9",
}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("pool", "status"), 1),
        (("show", "abc"), 1),
        (("doctor",), 1),
        (("serve",), 1),
        (("action",), 2),
        (("run", "hi", "--slots", "1"), 1),
    ],
)
async def test_no_command_prints_a_secret(
    tmp_path: Path, command: tuple[str, ...], code: int
) -> None:
    told = ours.environment(
        HOME=str(tmp_path),
        GITHUB_API_URL="http://127.0.0.1:9",
        CLAUDE_POOL_APP_ID="1",
        CLAUDE_POOL_MODEL_PATIENCE="0",
        **SECRETS,
    )
    ran = await forked.cli(*command, environment=told, folder=tmp_path)
    assert "canary" not in ran.told
    assert "Traceback" not in ran.told
    assert ran.code == code, ran.told


@pytest.mark.parametrize("command", [("pool", "status"), ("show", "abc")])
async def test_looking_makes_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    told = ours.environment(HOME=str(tmp_path))
    ran = await forked.cli(*command, environment=told, folder=tmp_path)
    assert ran.code == 1
    assert f"there is no database at sqlite:///{tmp_path}/.state/pool.sqlite" in ran.told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["", "canary, and no key"])
def test_a_key_that_cannot_sign_is_named_before_the_server_listens(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        {"CLAUDE_POOL_APP_ID": "1"} | SECRETS | {"CLAUDE_POOL_PRIVATE_KEY": key}
    ).items():
        monkeypatch.setenv(name, value)
    (missing,) = check_agents(Settings())
    assert "CLAUDE_POOL_PRIVATE_KEY" in missing
    assert "canary" not in missing


def test_the_passwords_in_addresses_are_secrets_too() -> None:
    given = Settings(proxy="http://bot:prox%40y@127.0.0.1:9", ANTHROPIC_BASE_URL="http://a:b@c")
    assert {"prox@y", "b"} <= set(given.all_secrets)
    assert Settings(proxy="http://127.0.0.1:9").all_secrets == ()
    assert Settings(database_url="sqlite:////srv/pool.sqlite").all_secrets == ()


def test_a_key_that_cannot_be_read_is_no_secret_and_hides_no_other(tmp_path: Path) -> None:
    given = Settings(private_key_file=tmp_path / "none.pem", webhook_secret=SecretStr("canary"))
    assert given.all_secrets == ("canary",)
