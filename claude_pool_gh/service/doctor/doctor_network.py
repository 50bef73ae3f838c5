"""The checks that `doctor` makes of this machine's clock, and of its way to GitHub and the model's API."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import aiohttp

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.doctor.diagnosis import Diagnosis
from claude_pool_gh.service.monitoring.clock_skew import SKEW_SECONDS, skew_of
from claude_pool_gh.service.setting_types import host_and_port, without_login
from claude_pool_gh.service.settings import PREFIX, Settings
from claude_pool_gh.terms import network_errors

_PROXIES: Final = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
)
_EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on


@contextmanager
def as_the_server_goes(proxy: str) -> Iterator[None]:
    """Let everything that heeds the environment's proxies heed the setting instead, as long as the block lasts."""
    names = (*_PROXIES, *_EXCEPTIONS)
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(_PROXIES[:4], proxy) if proxy else {})
    _SEEN.update(before)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
        _SEEN.clear()


_SEEN: Final[dict[str, str]] = {}
"""The environment's proxies, which are put aside while the server's way is tried."""


def proxy(settings: Settings) -> Diagnosis:
    """Which way the server goes. A proxy of the environment's that is not set for it is worth a word."""
    named = sorted({name.upper() for name in _SEEN if name in _PROXIES})
    unheeded = f"{', '.join(named)} of the environment is ignored" if named else ""
    if settings.proxy:
        return Diagnosis(
            "proxy", without_login(settings.proxy) + (f"; {unheeded}" if unheeded else "")
        )
    if unheeded:
        return Diagnosis("proxy", f"none; {unheeded}: if it is needed, set {PREFIX}PROXY")
    return Diagnosis("proxy", "none")


def clock(settings: Settings) -> Diagnosis:
    """The difference between this machine's clock and GitHub's."""
    url = settings.github_api_url
    try:
        headers = interruptible.run(_headers(url, settings.proxy))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        why = network_errors.told(error)
        return Diagnosis("clock", f"not checked: {url} cannot be reached ({why})")
    skew = skew_of(headers)
    if skew is None:
        return Diagnosis("clock", f"not checked: {url} does not say what time it is")
    if skew > SKEW_SECONDS:
        fix = "set this machine's clock, and let it be kept by NTP: GitHub refuses the App's logins"
        return Diagnosis("clock", f"{skew:.0f} seconds away from GitHub's", fix)
    return Diagnosis("clock", f"within {SKEW_SECONDS} seconds of GitHub's")


async def _headers(url: str, proxy: str) -> Mapping[str, str]:
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        aiohttp.ClientSession(timeout=timeout, proxy=proxy or None) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        return dict(answer.headers)


async def is_ours(where: str) -> bool:
    """True where a server of this kind answers at `host:port`."""
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://{where}/healthz") as answer,
        ):
            return answer.status == 200 and await answer.text() == "ok\n"
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False


def address(settings: Settings) -> Diagnosis:
    """Look whether the server could listen now where GitHub's events come in."""
    return _listening("address", settings.host, settings.port, "HOST", "PORT")


def metrics_address(settings: Settings) -> Diagnosis:
    """The same for monitors."""
    host, port = settings.metrics_host, settings.metrics_port
    if port is None:
        found = f"not served; {PREFIX}METRICS_PORT serves metrics and health checks"
        return Diagnosis("metrics address", found)
    same_host = host == settings.host or not {host, settings.host}.isdisjoint(_EVERYWHERE)
    if port and port == settings.port and same_host:
        fix = f"set {PREFIX}METRICS_PORT to another port than {PREFIX}PORT"
        return Diagnosis("metrics address", f"{port} is the port of the webhook", fix)
    return _listening("metrics address", host, port, "METRICS_HOST", "METRICS_PORT")


def _listening(what: str, host: str, port: int, host_name: str, port_name: str) -> Diagnosis:
    where = host_and_port(host, port)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, place in found[:1]:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and interruptible.run(is_ours(where)):
            return Diagnosis(what, f"{where}: a server of this kind answers there")
        fix = {
            errno.EADDRINUSE: f"stop what listens there, or set {PREFIX}{port_name} to another port",
            errno.EACCES: f"set {PREFIX}{port_name} to 1024 or more, and let a proxy listen on {port}",
        }.get(
            error.errno or 0,
            f"set {PREFIX}{host_name} to an address of this machine: 127.0.0.1, or 0.0.0.0 for all",
        )
        return Diagnosis(what, f"{where}: {error.strerror or error}", fix)
    return Diagnosis(what, f"{where} is free")


def public_url(settings: Settings) -> Diagnosis:
    """Ask who answers where people are sent for downloads; no fault, since they may reach what this machine cannot."""
    what, url = "public URL", settings.public_url.rstrip("/")
    if not url:
        return Diagnosis(
            what, f"not set; {PREFIX}PUBLIC_URL lets people download patches and reports"
        )
    try:
        status = interruptible.run(_status(f"{url}/chains/0000000000.md"))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        why = network_errors.told(error)
        return Diagnosis(what, f"{url}; from here it cannot be reached ({why})")
    if status in (
        404,
        502,
        503,
        504,
    ):  # there is no such report; or the proxy's, while no server runs
        return Diagnosis(what, url)
    return Diagnosis(what, f"{url}; what answers there with {status} seems to be no server of ours")


async def _status(url: str) -> int:
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        return answer.status
