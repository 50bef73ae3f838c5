"""The reverse proxies as the documentation configures them: what they let through, and what they keep inside."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from aiohttp import web

from tests import ours

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "reverse-proxy.md"
MOST: Final = 10 * 2**20
"""Bytes of a body that the server takes."""
PATIENCE: Final = 30.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def documented(language: str, ports: tuple[int, int]) -> str:
    """The configuration on the page, with the ports of this test."""
    (block,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert block.count("127.0.0.1:8080") == 1
    return str(block).replace("8080", str(ports[0])).replace("443", str(ports[1]))


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the page's host, signed by itself, and its key."""
    cert, key = folder / "pool.pem", folder / "pool.key"
    name = ("-subj", "/CN=pool.example.com", "-days", "2")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name, "-keyout", key)
    subprocess.run((*made, "-out", cert), check=True, capture_output=True)
    return cert, key


def nginx(folder: Path, ports: tuple[int, int]) -> tuple[str, ...]:
    cert, key = certificate(folder)
    server = documented("nginx", ports)
    server = server.replace("/etc/ssl/pool.pem", str(cert)).replace("/etc/ssl/pool.key", str(key))
    kept = "".join(
        f"{each}_temp_path {folder};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "" if os.getuid() else "user root;\n"  # who may write into the test's folder
    file = folder / "nginx.conf"
    file.write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{kept}{server}}}\n"
    )
    return ("-p", str(folder), "-e", "stderr", "-c", str(file))


def caddy(folder: Path, ports: tuple[int, int]) -> tuple[str, ...]:
    cert, key = certificate(folder)
    site = documented("caddyfile", ports)
    site = site.replace(
        "pool.example.com {", f"https://pool.example.com:{ports[1]} {{\n    tls {cert} {key}"
    )
    file = folder / "Caddyfile"
    file.write_text(f"{{\n    admin off\n    auto_https off\n}}\n{site}")
    return ("run", "--adapter", "caddyfile", "--config", str(file))


@asynccontextmanager
async def server(port: int) -> AsyncIterator[None]:
    """What stands behind the proxy: it answers on every path, with the number of bytes that came."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.path} {len(await request.read())}")

    application = web.Application(client_max_size=2 * MOST)
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def opened(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until the proxy listens. Raises AssertionError where it has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            assert process.returncode is None, log.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@pytest.mark.parametrize("arguments", [nginx, caddy])
@pytest.mark.rotating(4)
async def test_only_what_github_and_readers_need_is_let_through(
    arguments: Callable[[Path, tuple[int, int]], tuple[str, ...]], tmp_path: Path
) -> None:
    program = shutil.which(arguments.__name__)
    if program is None:
        pytest.skip(f"no {arguments.__name__} on PATH")
    ports = free_port(), free_port()
    environment = ours.environment(HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            program, *arguments(tmp_path, ports), env=environment, stderr=said, process_group=0
        )
    try:
        await opened(ports[1], process, log)
        async with (
            server(ports[0]),
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as session,
        ):

            async def asked(path: str, size: int = 0) -> tuple[int, str]:
                url = f"https://pool.example.com:{ports[1]}{path}"
                async with session.post(
                    url.replace("pool.example.com", "127.0.0.1"),
                    data=b"x" * size,
                    headers={"Host": f"pool.example.com:{ports[1]}"},
                    server_hostname="pool.example.com",
                    ssl=False,
                ) as answer:
                    return answer.status, await answer.text()

            assert await asked("/webhook", 3) == (200, "/webhook 3")
            assert await asked("/chains/a/patch") == (200, "/chains/a/patch 0")
            assert await asked("/webhook", MOST) == (200, f"/webhook {MOST}")
            # Caddy has begun to pass it on by then, and older versions say so
            assert (await asked("/webhook", MOST + 1))[0] in (413, 502)
            for inside in ("/healthz", "/readyz", "/metrics", "/", "/webhooks", "/webhook/x"):
                assert (await asked(inside))[0] == 404, inside
    finally:
        with suppress(ProcessLookupError):  # with those that it has started
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
