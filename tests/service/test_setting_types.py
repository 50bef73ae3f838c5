"""How single values of settings are read, and how addresses are shown."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import pytest
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from claude_pool_gh.service.doctor import doctor_network
from claude_pool_gh.service.monitoring.endpoints import healthz
from claude_pool_gh.service.setting_types import (
    Address,
    DatabaseAddress,
    Days,
    OptionalAddress,
    OrNone,
    UpperCase,
    host_and_port,
    without_login,
)
from tests.service.test_doctor_rows import settings

OPTIONAL_DAYS: Final[TypeAdapter[Any]] = TypeAdapter(Annotated[Days, OrNone])
LEVEL: Final[TypeAdapter[Any]] = TypeAdapter(
    Annotated[Literal["DEBUG", "INFO", "ERROR"], UpperCase]
)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as tried:
            tried.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:secret@proxy:3128", "http://proxy:3128"),
        ("http://me@proxy", "http://proxy"),
        ("http://m@e:sec@ret@proxy/path", "http://proxy/path"),
        ("https://host/path?key=secret#part", "https://host/path"),
        ("http://[::1]:8", "http://[::1]:8"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("me@example.com", "me@example.com"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_secret(text: str, shown: str) -> None:
    assert without_login(text) == shown


@pytest.mark.parametrize(
    ("host", "shown"),
    [("127.0.0.1", "127.0.0.1:8080"), ("pool.lan", "pool.lan:8080"), ("::1", "[::1]:8080")],
)
def test_a_port_is_told_apart_from_an_address_of_ipv6(host: str, shown: str) -> None:
    assert host_and_port(host, 8080) == shown


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
async def test_a_server_of_this_kind_is_known_at_an_address_of_ipv6(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "::1", 0).start()
    port = runner.addresses[0][1]
    try:
        given = settings(tmp_path, host="::1", port=port)
        sign = await asyncio.to_thread(doctor_network.address, given)
    finally:
        await runner.cleanup()
    assert (sign.found, sign.fix) == (f"[::1]:{port}: a server of this kind answers there", "")


@pytest.mark.parametrize(
    "value",
    [
        "example.com",
        "ftp://example.com",
        "https://",
        "https:///path",
        "https://example.com:0",
        "https://example.com:70000",
        "https://example.com:many",
        "https://[::1",
        "https://exa mple.com",
        "https://example.com/\tpath",
        "https://example.com/?a=b",
        "https://example.com/#part",
        "//example.com",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(value: str) -> None:
    for kind in (Address, OptionalAddress):
        with pytest.raises(ValidationError, match="wants an address such as"):
            TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("value", ["http://[::1]:8080", "https://git.example/api/v3", "HTTPS://A"])
def test_an_address_of_the_web_is_taken_as_it_is(value: str) -> None:
    assert TypeAdapter(Address).validate_python(value) == value


def test_only_where_an_address_is_optional_it_may_be_empty() -> None:
    assert TypeAdapter(OptionalAddress).validate_python("") == ""
    with pytest.raises(ValidationError):
        TypeAdapter(Address).validate_python("")


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("", True),
        ("sqlite:////var/pool.sqlite", True),
        ("postgres://a/b", True),
        ("postgresql+psycopg://a/b", True),
        ("postgresql://me:pw@a/b?sslmode=require", True),
        ("postgresqlx://a/b", False),
        ("mysql://a/b", False),
        ("/var/pool.sqlite", False),
        (" sqlite://", False),
    ],
)
def test_a_database_is_one_of_two(value: str, taken: bool) -> None:
    if taken:
        assert TypeAdapter(DatabaseAddress).validate_python(value) == value
        return
    with pytest.raises(ValidationError, match="wants sqlite:////path or postgresql://user@host"):
        TypeAdapter(DatabaseAddress).validate_python(value)


@pytest.mark.parametrize(
    ("value", "days"),
    [("none", None), (" None\n", None), (None, None), ("7", 7.0), (7, 7.0), ("365.5", 365.5)],
)
def test_days_are_a_number_or_the_word_for_ever(value: Any, days: float | None) -> None:
    assert OPTIONAL_DAYS.validate_python(value) == days


@pytest.mark.parametrize("value", ["6.99", 6.99, -1, "inf", "nan", "never", "nonesuch", True])
def test_other_days_are_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        OPTIONAL_DAYS.validate_python(value)


def test_a_level_is_read_in_any_case() -> None:
    assert [LEVEL.validate_python(each) for each in ("debug", " Error ", "INFO")] == [
        "DEBUG",
        "ERROR",
        "INFO",
    ]
    with pytest.raises(ValidationError):
        LEVEL.validate_python(3)
