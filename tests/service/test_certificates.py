"""A certificate authority of one's own: the variables that the documentation names are enough for every client."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET, environment
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from tests import ours

VARIABLES = ("SSL_CERT_FILE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE")


def own_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that no system knows, and its key."""
    cert, key = folder / "own.pem", folder / "own.key"
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name, "-keyout", key)
    subprocess.run((*made, "-out", cert), check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def with_tls(port: int, folder: Path) -> AsyncIterator[str]:
    """What listens on a port, behind TLS; its address."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while part := await reader.read(65536):
                writer.write(part)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, outside = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, outside), carry(inside, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*own_certificate(folder))
    async with await asyncio.start_server(serve, "localhost", 0, ssl=context) as server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def doctor(variables: Mapping[str, str]) -> dict[str, str]:
    """What each check found."""
    process = await asyncio.create_subprocess_exec(
        *ours.cli("doctor", "--json"), env=variables, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return {each["check"]: each["found"] for each in json.loads(out)["checks"]}


async def git_says(url: str) -> str:
    """What git says of a repository there; "" where it was read."""
    try:
        await git("ls-remote", f"{url}/octo/shop.git")
    except WorktreeError as error:
        return str(error)
    return ""


@pytest.mark.rotating(4)
async def test_every_client_takes_the_authority_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    async with SimulatedGitHub.start(tmp_path / "github") as github:
        app = github.create_app("claude-pool", webhook_secret=WEBHOOK_SECRET)
        github.create_repository("octo/shop", files={"a": "b"})
        async with with_tls(int(github.url.rpartition(":")[2]), tmp_path) as url:
            api = github.api_url.replace(github.url, url)
            told = environment(github, app, url, tmp_path / "state", {"GITHUB_API_URL": api})
            unknown = await doctor(told)
            known = await doctor(told | dict.fromkeys(VARIABLES, str(tmp_path / "own.pem")))
            without = await git_says(url)
            monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "own.pem"))
            with_it = await git_says(url)
    for row in ("clock", "model", "GitHub App"):
        assert "certificate" in unknown[row].lower(), row
        assert "certificate" not in known[row].lower(), row
    assert known["clock"] == "within 60 seconds of GitHub's"
    assert known["GitHub App"].startswith("claude-pool ")
    assert "certificate" in without
    assert "certificate" not in with_it
