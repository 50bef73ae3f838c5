"""A worker's settings beside the server's: what it refuses to start with, what it logs, what is its own."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from claude_pool_gh.service.server import agreement, worker
from claude_pool_gh.service.server.serve import StartError, StopSignals
from claude_pool_gh.service.server.settings_watch import SettingsWatch
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations, server_settings

SERVER = Settings(app_id="1", budget_usd=100, model="m")


async def stored(folder: Path, settings: Settings) -> str:
    """The address of a database on which a server has started with these settings."""
    url = f"sqlite:///{folder}/pool.sqlite"
    database = Database.open(url)
    migrations.upgrade(database.engine)
    await database.transact(
        lambda tx: server_settings.write(tx, agreement.shared(SERVER))
    )  # an earlier one
    await database.transact(lambda tx: server_settings.write(tx, agreement.shared(settings)))
    database.close()
    return url


def test_of_every_setting_it_is_decided_whether_a_worker_may_have_another() -> None:
    decided = [*agreement.REFUSED, *agreement.WARNED, *agreement.OWN]
    assert sorted(decided) == sorted(Settings.model_fields)


def test_what_is_stored_of_a_server_holds_no_secret() -> None:
    secret = [
        name for name, field in Settings.model_fields.items() if field.annotation is SecretStr
    ]
    assert secret
    assert not {*secret, "database_url"} & {*agreement.shared(SERVER)}


def test_a_password_in_an_address_is_neither_stored_nor_told() -> None:
    address = "https://user:sekret@gw.example.com:8443/v1?key=sekret#sekret"
    own = SERVER.model_copy(update={"anthropic_base_url": address, "github_api_url": address})
    told = agreement.shared(own)
    assert told["anthropic_base_url"] == "https://gw.example.com:8443/v1"
    assert "sekret" not in f"{told}{agreement.compared(agreement.shared(SERVER), told)}"
    other = own.model_copy(update={"anthropic_base_url": address.replace("sekret", "another")})
    assert agreement.compared(told, agreement.shared(other)) == agreement.Differences((), ())
    earlier = told | {"public_url": "https://user:sekret@pool.example.com"}
    assert "sekret" not in str(agreement.compared(earlier, agreement.shared(SERVER)))


@pytest.mark.parametrize("cap", [99.5, 1000, None])
def test_another_cap_is_refused(cap: float | None) -> None:
    own = SERVER.model_copy(update={"budget_usd": cap})
    found = agreement.compared(agreement.shared(SERVER), agreement.shared(own))
    told = "none" if cap is None else f"{cap:g}"
    (line,) = found.refused
    assert line.startswith(f"CLAUDE_POOL_BUDGET_USD is {told} here, and 100 on the server: ")
    assert not found.warned


def test_a_setting_that_the_server_does_not_know_is_no_difference() -> None:
    server = agreement.shared(SERVER)
    del server["budget_usd"]
    own = SERVER.model_copy(update={"budget_usd": 1})
    assert agreement.compared(server, agreement.shared(own)) == agreement.Differences((), ())


async def test_a_worker_that_would_break_a_promise_does_not_open_its_pool(tmp_path: Path) -> None:
    url = await stored(tmp_path, SERVER.model_copy(update={"keep_chains_days": 900.0}))
    own = SERVER.model_copy(update={"database_url": url, "state_dir": tmp_path / "worker"})
    with pytest.raises(StartError, match="KEEP_CHAINS_DAYS is 365 here, and 900 on the server"):
        async with worker.agreed(own, SettingsWatch.of(own)):
            pytest.fail("it has started")
    assert not (tmp_path / "worker").exists()


async def test_other_differences_are_logged_before_the_pool_opens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = await stored(tmp_path, SERVER)
    own = SERVER.model_copy(
        update={
            "database_url": url,
            "state_dir": tmp_path / "worker",
            "model": "other",
            "slots": 7,
            "anthropic_api_key": SecretStr("k"),
        }
    )
    with caplog.at_level(logging.WARNING):
        async with worker.agreed(own, SettingsWatch.of(own)) as runtime:
            assert runtime.pool.load.slots == 7
    (line,) = [each for each in caplog.records if getattr(each, "action", "") == "settings_differ"]
    assert line.getMessage() == (
        "not the server's setting: CLAUDE_POOL_MODEL is other here, and m on the server"
    )


async def test_where_no_server_has_started_yet_nothing_is_compared(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/new.sqlite")
    assert await server_settings.read(database) == {}
    database.close()


async def test_a_server_that_starts_later_with_other_settings_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database.open(await stored(tmp_path, SERVER))
    try:
        watch = SettingsWatch(agreement.shared(SERVER), seconds=0.01)
        assert await watch.refused(database) == ()
        waiting = asyncio.create_task(worker.until_stopped(StopSignals(), watch, database))
        with caplog.at_level(logging.WARNING):
            await _started(database, SERVER.model_copy(update={"model": "other"}))
            async with asyncio.timeout(30):
                while not caplog.records:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # more looks: told once
            assert not waiting.done()
        (line,) = caplog.records
        assert line.getMessage().endswith("CLAUDE_POOL_MODEL is m here, and other on the server")
        await _started(database, SERVER.model_copy(update={"budget_usd": 5}))
        async with asyncio.timeout(30):
            (refused,) = await waiting
        assert refused.startswith("CLAUDE_POOL_BUDGET_USD is 100 here, and 5 on the server: ")
    finally:
        database.close()


async def test_a_worker_that_is_told_to_stop_ends_without_a_complaint(tmp_path: Path) -> None:
    database = Database.open(await stored(tmp_path, SERVER))
    try:
        signals = StopSignals()
        signals.first.set()
        watch = SettingsWatch.of(SERVER.model_copy(update={"budget_usd": 5}))
        async with asyncio.timeout(30):
            assert await worker.until_stopped(signals, watch, database) == ()
    finally:
        database.close()


async def _started(database: Database, settings: Settings) -> None:
    own = agreement.shared(settings)
    await database.transact(lambda tx: server_settings.write(tx, own))
