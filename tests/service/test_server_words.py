"""Why a server or a worker does not start, and how it stops."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET
from claude_pool_gh.service.server import serve, worker
from claude_pool_gh.service.server.sandboxes import sandbox_of
from claude_pool_gh.service.server.serve import StartError, StopSignals, end_what_runs, opened
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import migrations

POSTGRES = "postgresql://bot:canary@127.0.0.1:9/pool"


@pytest.fixture(scope="module")
def pem() -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def whole(pem: str, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "app_id": "1",
        "private_key": pem,
        "webhook_secret": WEBHOOK_SECRET,
        "ANTHROPIC_API_KEY": "sk-ant-x",
        "database_url": POSTGRES,
    }
    return Settings(**given | more)


def lacks(check: Any, settings: Settings) -> list[str]:
    try:
        check(settings)
    except StartError as error:
        return str(error).splitlines()
    return []


def test_with_all_that_it_needs_nothing_is_missing(pem: str) -> None:
    assert lacks(serve.check, whole(pem)) == []
    assert lacks(worker.check, whole(pem)) == []
    assert lacks(worker.check, whole(pem, webhook_secret="")) == []
    assert lacks(serve.check, whole(pem, database_url="")) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"app_id": ""}, "CLAUDE_POOL_APP_ID is not set"),
        ({"private_key": ""}, "CLAUDE_POOL_PRIVATE_KEY or CLAUDE_POOL_PRIVATE_KEY_FILE is not set"),
        ({"ANTHROPIC_API_KEY": ""}, "ANTHROPIC_API_KEY is not set"),
    ],
)
def test_what_both_need_is_named_by_both(pem: str, more: dict[str, Any], said: str) -> None:
    for check in (serve.check, worker.check):
        (line,) = lacks(check, whole(pem, **more))
        assert line.startswith(said)


@pytest.mark.parametrize("secret", ["", "short"])
def test_only_a_server_needs_the_webhook_secret(pem: str, secret: str) -> None:
    settings = whole(pem, webhook_secret=secret)
    (line,) = lacks(serve.check, settings)
    assert line.startswith("CLAUDE_POOL_WEBHOOK_SECRET")
    assert lacks(worker.check, settings) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"database_url": ""}, "CLAUDE_POOL_DATABASE_URL must be the server's postgresql://..."),
        ({"database_url": "sqlite:////a"}, "CLAUDE_POOL_DATABASE_URL must be the server's"),
        ({"slots": 0}, "CLAUDE_POOL_SLOTS is 0: a worker without slots would run nothing"),
        (
            {"public_url": "https://a.example", "webhook_secret": ""},
            "CLAUDE_POOL_WEBHOOK_SECRET is not set: with CLAUDE_POOL_PUBLIC_URL, links",
        ),
    ],
)
def test_what_a_worker_alone_lacks(pem: str, more: dict[str, Any], said: str) -> None:
    (line,) = lacks(worker.check, whole(pem, **more))
    assert line.startswith(said)


def test_all_that_is_missing_is_named_at_once(pem: str) -> None:
    bare = Settings(slots=0, database_url="", private_key=pem[:50])
    assert len(lacks(worker.check, bare)) == 5
    assert len(lacks(serve.check, bare)) == 4


@asynccontextmanager
async def raising(error: Exception | None) -> AsyncIterator[Any]:
    if error is not None:
        raise error
    yield


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OperationalError("SELECT", {}, ConnectionError("bot:canary@host")),
            "the database cannot be opened (ConnectionError)",
        ),
        (migrations.NewerSchema("made by a newer version"), "made by a newer version"),
        (PoolError("another server works"), "another server works"),
    ],
)
async def test_a_database_that_cannot_be_used_is_said_without_its_address(
    error: Exception, said: str
) -> None:
    with pytest.raises(StartError) as raised:
        async with opened(raising(error)):
            raise AssertionError
    assert str(raised.value) == said


async def test_what_breaks_while_a_server_runs_is_not_taken_for_a_start_that_failed() -> None:
    @asynccontextmanager
    async def well() -> AsyncIterator[Any]:
        yield 7

    with pytest.raises(PoolError, match="later"):
        async with opened(well()):
            raise PoolError("later")


async def test_an_address_of_monitors_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        readiness = type("Readiness", (), {"look_for_ever": asyncio.Event().wait})
        monitor = type("Monitor", (), {"readiness": readiness})
        there: Any = type("There", (), {"monitor": monitor})
        with pytest.raises(StartError, match=f"^127.0.0.1 port {port} cannot be listened on: addr"):
            async with serve.monitored(there, Settings(metrics_port=port)):
                raise AssertionError


async def test_the_first_signal_lets_what_runs_end_and_the_second_does_not() -> None:
    signals = StopSignals()
    signals.listen()
    try:
        for number, second in ((signal.SIGTERM, False), (signal.SIGINT, True)):
            os.kill(os.getpid(), number)
            async with asyncio.timeout(5):
                await (signals.second if second else signals.first).wait()
            assert (signals.first.is_set(), signals.second.is_set()) == (True, second)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)


@dataclass
class Ending:
    """A pool that takes its time to hand its chains over, and its monitor."""

    left: list[str] = field(default_factory=list)
    seconds: float = 0.0
    seen: list[str] = field(default_factory=list)

    def stop(self) -> None:
        self.seen.append("not ready")

    async def hand_over(self, seconds: float) -> list[str]:
        self.seen.append(f"ends within {seconds:g}")
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.seen.append("cut off")
            raise
        return self.left

    @property
    def runtime(self) -> Any:
        return type("Ending", (), {"monitor": self, "pool": self})


@pytest.mark.parametrize(("left", "actions"), [([], ["stopping"]), (["a"], ["stopping", "left"])])
async def test_what_was_left_in_the_middle_is_told(
    left: list[str], actions: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ending = Ending(left)
    await end_what_runs(ending.runtime, 7, StopSignals())
    assert ending.seen == ["not ready", "ends within 7"]
    assert [vars(each)["action"] for each in caplog.records] == actions


async def test_a_second_signal_waits_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    ending, signals = Ending(seconds=1_000), StopSignals()
    stopping = asyncio.ensure_future(end_what_runs(ending.runtime, 60, signals))
    await asyncio.sleep(0.01)
    assert not stopping.done()
    signals.second.set()
    async with asyncio.timeout(5):
        await stopping
    await asyncio.sleep(0)
    assert ending.seen[-1] == "cut off"
    warned = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [vars(each)["action"] for each in warned] == ["stopping_at_once"]


def test_checks_run_where_the_settings_ask_for_them(tmp_path: Path) -> None:
    assert sandbox_of(Settings()) is None
    made = sandbox_of(
        Settings(
            checks=True,
            state_dir=Path("relative"),
            check_folders=f"{tmp_path}:tools:",
            check_memory_mb=64,
            slots=0,
        )
    )
    assert made is not None
    assert made.private == Path("relative").absolute()
    assert made.folders == (tmp_path, Path("tools").absolute())
    assert (made.bounds.memory, made.at_once) == (64 * 2**20, 1)
    more = sandbox_of(Settings(checks=True, slots=9))
    assert more is not None
    assert (more.at_once, more.folders) == (9, ())
