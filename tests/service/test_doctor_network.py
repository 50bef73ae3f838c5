"""What `doctor` says of clock, proxy and settings, and in which form."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from claude_pool_gh.service.cli import main
from claude_pool_gh.service.doctor import doctor, doctor_network
from claude_pool_gh.service.settings import Settings, read_what_can_be
from tests.service.test_doctor_rows import one, settings

NOWHERE = "http://127.0.0.1:9"
BARE = {
    "HOME": "/",
    "GITHUB_API_URL": NOWHERE,
    "ANTHROPIC_BASE_URL": NOWHERE,
    "ANTHROPIC_API_KEY": "sk-ant-a-key-that-nobody-may-see",
}


@asynccontextmanager
async def answering(seconds: float | None, seen: list[str]) -> AsyncIterator[str]:
    """A server whose clock is wrong by so many seconds; None: it does not say. `seen` gets what it was asked for."""

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.raw_path if "://" in request.raw_path else str(request.url))
        told = "" if seconds is None else email.utils.formatdate(time.time() + seconds, usegmt=True)
        return web.json_response({"id": "claude"}, headers={"Date": told})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "within 60 seconds of GitHub's -> "),
        (-3_600, "an hour away from GitHub's -> set this machine's clock"),
        (3_600, "an hour away from GitHub's -> set this machine's clock"),
        (None, "does not say what time it is -> "),
    ],
)
async def test_the_clock_is_compared_with_githubs(
    seconds: float | None, said: str, tmp_path: Path
) -> None:
    async with answering(seconds, []) as url:
        found = await one(doctor_network.clock, settings(tmp_path, GITHUB_API_URL=url))
    assert said in re.sub(r"\b(3[56]\d\d) seconds", "an hour", found)
    gone = await one(doctor_network.clock, settings(tmp_path, GITHUB_API_URL=NOWHERE))
    assert "not checked" in gone


async def test_the_model_is_asked_through_the_proxy_that_is_set_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    seen: list[str] = []
    async with answering(0, seen) as url:
        through = settings(tmp_path, ANTHROPIC_BASE_URL="http://api.invalid", proxy=url)
        assert (await one(doctor._model, through)).endswith(" -> ")
        assert seen == ["http://api.invalid/v1/models/claude-sonnet-5-5"]
        direct = settings(tmp_path, ANTHROPIC_BASE_URL=url)
        assert (await one(doctor._model, direct)).endswith(" -> ")
        dead = settings(tmp_path, ANTHROPIC_BASE_URL=url, proxy=NOWHERE)
        assert f"CLAUDE_POOL_PROXY is {NOWHERE}" in await one(doctor._model, dead)


def test_what_the_environment_names_is_put_aside_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os  # noqa: PLC0415 - to see what the block does to it

    monkeypatch.setenv("https_proxy", "http://corp:3128")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with doctor_network.as_the_server_goes(""):
        assert "https_proxy" not in os.environ
        sign = doctor_network.proxy(settings(tmp_path))
        assert sign.fix == ""
        assert "HTTPS_PROXY of the environment is ignored: if it is needed, set" in sign.found
    with doctor_network.as_the_server_goes("http://mine:1"):
        assert os.environ["https_proxy"] == os.environ["HTTP_PROXY"] == "http://mine:1"
        assert "NO_PROXY" not in os.environ
    assert os.environ["https_proxy"] == "http://corp:3128"
    assert os.environ["NO_PROXY"] == "localhost"
    assert "HTTP_PROXY" not in os.environ


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    return {**BARE, "CLAUDE_POOL_STATE_DIR": str(tmp_path / "state")}


def test_wrong_settings_are_rows_and_everything_else_is_examined(bare: dict[str, str]) -> None:
    wrong = {"CLAUDE_POOL_BUDGET": "5", "CLAUDE_POOL_PORT": "many", "CLAUDE_POOL_PUBLIC_URL": "x"}
    done = CliRunner().invoke(main, ["doctor"], env=bare | wrong)
    assert done.exit_code == 1
    for sign in (
        "✗ settings: CLAUDE_POOL_BUDGET cannot be used\n    correct or remove it: there is no such setting",
        "did you mean `CLAUDE_POOL_BUDGET_USD`",
        "✗ settings: CLAUDE_POOL_PORT cannot be used",
        "✗ settings: CLAUDE_POOL_PUBLIC_URL cannot be used",
        "✗ webhook secret",
        "✓ git",
        "✓ database",
    ):
        assert sign in done.output
    assert "127.0.0.1:8080" in done.output, "the default in place of a port that is none"


def test_monitors_get_json_and_nobody_gets_a_traceback_or_a_secret(bare: dict[str, str]) -> None:
    garbage = {
        "CLAUDE_POOL_APP_ID": "\x01one",
        "CLAUDE_POOL_PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
        "CLAUDE_POOL_WEBHOOK_SECRET": "ä",
        "CLAUDE_POOL_DATABASE_URL": "postgresql://bot:S3cretPw@127.0.0.1:9/x",
        "CLAUDE_POOL_HOST": "no host at all",
        "CLAUDE_POOL_STATE_DIR": "/proc/nothing/here",
        "CLAUDE_POOL_CHECKS": "1",
        "CLAUDE_POOL_MODEL": "../../x y",
        "CLAUDE_POOL_PROXY": "socks5://x",
    }
    done = CliRunner().invoke(main, ["doctor", "--json"], env=bare | garbage)
    assert done.exit_code == 1
    assert done.exception is None or isinstance(done.exception, SystemExit)
    told = json.loads(done.output)
    assert told["ok"] is False
    assert told["problems"] == sum(not each["ok"] for each in told["checks"]) > 3
    assert all(bool(each["fix"]) is not each["ok"] for each in told["checks"])
    examined = {each["check"] for each in told["checks"]}
    assert {"settings", "proxy", "clock", "model", "database", "disk", "GitHub App"} <= examined
    for secret in ("S3cretPw", BARE["ANTHROPIC_API_KEY"], "AAAA"):
        assert secret not in done.output
    assert "Traceback" not in done.output


def test_the_default_stands_in_for_each_setting_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CLAUDE_POOL_{name.upper()}", raising=False)
    monkeypatch.setenv("CLAUDE_POOL_SLOTS", "-1")
    monkeypatch.setenv("GITHUB_API_URL", "nonsense")
    monkeypatch.setenv("CLAUDE_POOL_MODEL", "claude-mine")
    found, faults = read_what_can_be({"port": "9000", "idle_timeout": "never"})
    assert (found.slots, found.github_api_url) == (2, "https://api.github.com")
    assert (found.port, found.idle_timeout, found.model) == (9000, 120.0, "claude-mine")
    assert sorted(fault.partition(":")[0] for fault in faults) == [
        "--idle-timeout",
        "CLAUDE_POOL_SLOTS",
        "GITHUB_API_URL",
    ]


async def test_a_port_that_the_server_itself_has_is_well(tmp_path: Path) -> None:
    async def ok(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.router.add_get("/healthz", ok)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        assert (await one(doctor_network.address, settings(tmp_path, port=port))).endswith(" -> ")
    finally:
        await runner.cleanup()
    async with answering(0, []) as url:
        taken = int(url.rpartition(":")[2])
        other = await one(doctor_network.address, settings(tmp_path, port=taken))
        assert other.endswith("-> stop what listens there, or set CLAUDE_POOL_PORT to another port")
        other = await one(doctor_network.metrics_address, settings(tmp_path, metrics_port=taken))
        assert other.endswith("or set CLAUDE_POOL_METRICS_PORT to another port")


async def test_the_address_of_monitors_is_looked_at_too(tmp_path: Path) -> None:
    async def said(**more: object) -> str:
        return await one(doctor_network.metrics_address, settings(tmp_path, **more))

    assert (await said()).startswith("not served")
    assert "is free -> " in await said(metrics_port=0)
    assert "-> set CLAUDE_POOL_METRICS_PORT to another port than" in await said(
        metrics_port=8080,
        metrics_host="0.0.0.0",  # noqa: S104 - not listened on
    )
    assert "-> set CLAUDE_POOL_METRICS_HOST to an address" in await said(
        metrics_port=8080, metrics_host="203.0.113.7"
    )


async def test_what_answers_at_the_public_address_is_told_and_never_a_fault(tmp_path: Path) -> None:
    async def said(url: str) -> str:
        return await one(doctor_network.public_url, settings(tmp_path, public_url=url))

    assert "from here it cannot be reached" in await said(NOWHERE)
    seen: list[str] = []
    async with answering(0, seen) as url:
        assert "no server of ours -> " in await said(url)
        assert seen == [f"{url}/chains/0000000000.md"]
    app = web.Application()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        ours = "http://{}:{}".format(*runner.addresses[0][:2])
        assert await said(ours) == f"{ours} -> "
    finally:
        await runner.cleanup()
