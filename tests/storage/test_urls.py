"""The address of a database: which kinds there are, what is made there, and that no password is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.storage import Database, Retries, for_people, parsed_url
from claude_pool_gh.storage.database import _NOTICE_A_LOST_SERVER


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////var/lib/pool.sqlite", "sqlite"),
        ("sqlite://", "sqlite"),
        ("postgresql://me@db/pool", "postgresql"),
        ("postgres://me@db/pool", "postgresql"),
        ("postgresql+psycopg://me@db/pool", "postgresql+psycopg"),
    ],
)
def test_these_are_addresses(url: str, driver: str) -> None:
    assert parsed_url(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "DATABASE_URL is no URL; write sqlite:////path/to/file or postgresql://..."),
        ("pool.sqlite", "DATABASE_URL is no URL"),
        ("postgresql//me:s3cret@db/pool", "DATABASE_URL is no URL"),
        ("mysql://me:s3cret@db/pool", "must begin with sqlite:/// or postgresql://, not mysql://"),
    ],
)
def test_any_other_is_refused_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as met:
        Database.open(url)
    assert "s3cret" not in str(met.value)
    assert met.value.__context__ is None or met.value.__suppress_context__, "its text repeats it"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://me:s3cret@db:5/pool", "postgresql://me:***@db:5/pool"),
        (
            "postgresql://me@db/pool?password=s3cret&sslmode=require",
            "postgresql://me@db/pool?password=...&sslmode=require",
        ),
        (
            "postgresql://me@db/pool?sslPassword=s3cret",
            "postgresql://me@db/pool?sslPassword=...",
        ),
        ("postgresql://me@db/pool?passfile=s3cret", "postgresql://me@db/pool?passfile=..."),
        ("sqlite:////var/lib/pool.sqlite", "sqlite:////var/lib/pool.sqlite"),
    ],
)
def test_an_address_is_shown_without_a_password_wherever_that_stands(url: str, shown: str) -> None:
    assert for_people(url) == shown


def test_who_only_looks_makes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state/x.sqlite"
    with pytest.raises(FileNotFoundError, match=f"there is no database at {url}"):
        Database.open_existing(url)
    assert list(tmp_path.iterdir()) == []
    Database.open(url).close()
    Database.open_existing(url).close()
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError):
        Database.open_existing(f"sqlite:///{tmp_path}/folder")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_an_address_without_a_file_is_a_database_for_this_process_alone(url: str) -> None:
    waits = Retries(seconds=0.5)
    one, other = Database.open(url, retries=waits), Database.open(url)
    await one.transact(lambda tx: tx.exec_driver_sql("CREATE TABLE t (n INTEGER)"))
    here = "SELECT count(*) FROM sqlite_master"
    assert await one.read(lambda tx: tx.exec_driver_sql(here).scalar_one()) == 1
    assert await other.read(lambda tx: tx.exec_driver_sql(here).scalar_one()) == 0
    assert one.retries is waits
    one.close()
    other.close()


def test_a_server_that_is_cut_off_is_noticed_unless_the_address_says_otherwise() -> None:
    """Nobody answers at the port: what matters is what a connection would be made with."""
    database = Database.open("postgresql://me@127.0.0.1:9/pool?connect_timeout=3")
    _, given = database.engine.dialect.create_connect_args(database.engine.url)
    assert given["connect_timeout"] == "3"
    assert set(_NOTICE_A_LOST_SERVER) - {"connect_timeout"} == {
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
    }
    database.close()
