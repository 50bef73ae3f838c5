"""(b) Acknowledging webhooks under load, and (c) from delivery to tracking comment with everything busy."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from benchmarks.figures import Figure, median, percentile
from benchmarks.model import model_process
from benchmarks.stage import Stage, staged
from claude_pool_gh.rehearsal import bot

RATE, SECONDS = 50, 10
EDITING, NEW = 50, 20
BURST, GIVEN_UP = 2_000, 10.0
"""Deliveries at once, and the seconds after which GitHub counts one as failed."""
HALF_SENT = 1_100


async def acknowledge() -> list[Figure]:
    """Fifty signed commands a second for ten seconds, while every slot waits on a slow model."""
    with tempfile.TemporaryDirectory() as name:
        async with model_process(pace=60) as url, staged(Path(name), url) as here:
            pulls = [here.pull(number) for number in range(2)]
            for pull in pulls:
                await here.github.comment(
                    here.maintainer, here.repository, pull.number, "/pool review"
                )
            await asyncio.sleep(3)
            times, refused = await _generate(here, pulls[0].number)
            with sqlite3.connect(here.server.state / "pool.sqlite") as rows:
                (kept,) = rows.execute(
                    "SELECT count(*) FROM commands WHERE line = '/pool help'"
                ).fetchone()
    lost = RATE * SECONDS - kept
    return [
        Figure(f"acknowledged at {RATE}/s, median", 1000 * median(times), "ms"),
        Figure(f"acknowledged at {RATE}/s, p99", 1000 * percentile(times, 0.99), "ms", 50),
        Figure("lost or refused", lost + refused, "deliveries", 0),
    ]


async def burst() -> list[Figure]:
    """Two thousand signed commands at once, while as many strangers as can be have begun requests and say no more."""
    with tempfile.TemporaryDirectory() as name:
        async with model_process(pace=60) as url, staged(Path(name), url) as here:
            pull = here.pull(0)
            await here.github.comment(here.maintainer, here.repository, pull.number, "/pool review")
            await asyncio.sleep(3)
            strangers = await _half_sent(here.server.url)
            before = _cpu(here)
            times, refused = await _generate(here, pull.number, BURST, at_once=True)
            cpu = _cpu(here) - before
            for each in strangers:
                each.close()
            with sqlite3.connect(here.server.state / "pool.sqlite") as rows:
                (kept,) = rows.execute(
                    "SELECT count(*) FROM commands WHERE line = '/pool help'"
                ).fetchone()
                (failed,) = rows.execute(
                    "SELECT count(*) FROM tasks WHERE state = 'failed'"
                ).fetchone()
    return [
        Figure(f"{BURST} at once, median", median(times), "s"),
        Figure(f"{BURST} at once, the last", max(times), "s", GIVEN_UP),
        Figure("lost or refused", BURST - kept + refused, "deliveries", 0),
        Figure("runs that failed of it", failed, "runs", 0),
        Figure("the server's CPU until then, for each delivery", 1000 * cpu / BURST, "ms"),
    ]


def _cpu(here: Stage) -> float:
    """CPU seconds of the server so far: what a busy machine does not change."""
    if here.server.process is None:
        raise RuntimeError("the server is not started")
    used = psutil.Process(here.server.process.pid).cpu_times()
    return float(used.user + used.system)


async def _half_sent(url: str) -> list[asyncio.StreamWriter]:
    """Connections that have sent half of a request's head."""
    host, port = url.removeprefix("http://").split(":")
    writers = []
    for _ in range(HALF_SENT):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /webhook HTTP/1.1\r\nHost: x\r\n")
        writers.append(writer)
    return writers


async def first_comment() -> list[Figure]:
    """New commands while both slots are busy and fifty other chains are on their way."""
    with tempfile.TemporaryDirectory() as name:
        async with model_process(pace=1.0) as url, staged(Path(name), url) as here:
            pulls = [here.pull(number) for number in range(EDITING + NEW)]
            for pull in pulls[:EDITING]:
                await here.github.comment(
                    here.maintainer, here.repository, pull.number, "/pool review"
                )
            for pull in pulls[:EDITING]:
                await here.github.until(partial(_answered, here, pull.number), timeout=30)
            times = []
            for pull in pulls[EDITING:]:
                started = time.perf_counter()
                await here.github.comment(
                    here.maintainer, here.repository, pull.number, "/pool review"
                )
                await here.github.until(partial(_answered, here, pull.number), timeout=30)
                times.append(time.perf_counter() - started)
                await asyncio.sleep(0.2)
    return [
        Figure("delivery to tracking comment, median", median(times), "s"),
        Figure("delivery to tracking comment, p95", percentile(times, 0.95), "s", 3),
    ]


def _answered(here: Stage, number: int) -> bool:
    return len(here.repository.comments(number)) > 1


async def _generate(
    here: Stage, number: int, count: int = RATE * SECONDS, *, at_once: bool = False
) -> tuple[list[float], int]:
    """Run the load from a process of its own."""
    thread = {
        "repository": here.repository.id,
        "number": number,
        "user": here.maintainer.id,
        "login": "mona",
        "count": count,
        "rate": 0 if at_once else RATE,
    }
    installation = {"installation": here.installation}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.load",
        here.server.url,
        json.dumps(thread | installation),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    said: dict[str, Any] = json.loads(out)
    return said["times"], said["refused"]


async def _send(url: str, thread: dict[str, Any]) -> None:
    times: list[float] = []
    refused = 0

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal refused
        body = json.dumps(_payload(thread, number)).encode()
        digest = hmac.new(bot.WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-GitHub-Event": "issue_comment",
            "X-GitHub-Delivery": f"bench-guid-{number:08}",
            "X-Hub-Signature-256": f"sha256={digest}",
            "Content-Type": "application/json",
        }
        started = time.perf_counter()
        async with session.post(f"{url}/webhook", data=body, headers=headers) as answer:
            await answer.read()
            times.append(time.perf_counter() - started)
            refused += answer.status != 202

    connector = aiohttp.TCPConnector(limit=200)  # GitHub's, and a proxy's, keep no thousands open
    patience = aiohttp.ClientTimeout(total=120)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=patience) as session,
        asyncio.TaskGroup() as group,
    ):
        start = time.perf_counter()
        for number in range(thread["count"]):
            due = start + number / thread["rate"] if thread["rate"] else start
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(session, number))
    print(json.dumps({"times": times, "refused": refused}))


def _payload(thread: dict[str, Any], number: int) -> dict[str, Any]:
    user = {"id": thread["user"], "login": thread["login"], "type": "User"}
    owner = {"id": 1, "login": "octo", "type": "User"}
    return {
        "action": "created",
        "comment": {"id": 10**7 + number, "body": "/pool help", "user": user},
        "issue": {"number": thread["number"]},
        "repository": {"id": thread["repository"], "name": "shop", "owner": owner},
        "sender": user,
        "installation": {"id": thread["installation"]},
    }


if __name__ == "__main__":
    asyncio.run(_send(sys.argv[1], json.loads(sys.argv[2])))
