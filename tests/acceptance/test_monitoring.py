"""When a server is ready, and what monitors read of it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.readiness import LEAST_BYTES, STUCK_SECONDS, Signs, faults
from tests.acceptance.world import World, world
from tests.patience import PATIENCE, until

ROOT = Path(__file__).parents[2]
DEPLOY, OPERATE = ROOT / "deploy", ROOT / "docs" / "operate"
WELL = Signs(
    storing="", free_bytes=LEAST_BYTES, github_away=False, key_refused=False, silent={"a": 1.0}
)


@pytest.mark.parametrize(
    ("sign", "said"),
    [
        ({"storing": "OperationalError"}, "nothing can be stored: OperationalError"),
        ({"free_bytes": LEAST_BYTES - 1}, "63 MB left on the state folder's disk; free"),
        ({"github_away": True}, "GitHub does not answer; check the way"),
        ({"key_refused": True, "github_away": True}, "GitHub refuses the App's id and private key"),
        ({"silent": {"the writer": STUCK_SECONDS + 1}}, "the writer has stopped for 121 seconds"),
    ],
)
@pytest.mark.rotating(1)
def test_each_sign_alone_is_a_reason_with_what_to_do(sign: dict[str, object], said: str) -> None:
    assert faults(WELL) == ()
    values = {name: getattr(WELL, name) for name in Signs.__dataclass_fields__} | sign
    (fault,) = faults(Signs(**values))
    assert said in fault
    assert ";" in fault


def test_github_is_away_when_nothing_was_answered_for_a_while_and_that_was_seen_lately() -> None:
    now = [0.0]
    watch = GitHubWatch(clock=lambda: now[0])
    watch.note(200, "/repos/octo/shop", 4_999)
    watch.note(None, "", None)
    assert not watch.is_away(60)
    now[0] = 61
    watch.note(502, "/repos/octo/shop", None)
    assert watch.is_away(60)
    now[0] = 2_000
    assert not watch.is_away(60), "nobody has asked since"
    watch.note(404, "/repos/octo/shop", 12)
    assert (watch.failing_since, watch.rate_limit) == (None, 12)
    watch.note(401, "/app/installations/1/access_tokens", None)
    watch.note(401, "/repos/octo/shop", None)
    assert watch.is_key_refused()
    watch.note(201, "/app/installations/1/access_tokens", None)
    watch.note(401, "/repos/octo/application", None)
    assert not watch.is_key_refused()
    assert watch.answers == {"200": 1, "unreachable": 1, "502": 1, "404": 1, "401": 3, "201": 1}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def health_check(port: int) -> int:
    """The exit status of the image's own check."""
    (command,) = re.findall(r"CMD (\[\"python\".+\])", (DEPLOY / "Dockerfile").read_text())
    _, *arguments = json.loads(command)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={"CLAUDE_POOL_METRICS_PORT": str(port)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


async def ready(url: str) -> tuple[int, str]:
    """What `/readyz` says, once it says that all is well, or at last."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while (found := await get(f"{url}/readyz"))[0] != 200 and loop.time() < end:
        await asyncio.sleep(0.2)
    return found


def value(text: str, sample: str) -> float:
    (found,) = [line for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(found.rpartition(" ")[2])


def documented() -> set[str]:
    """Every metric that the dashboard and the alerts ask for."""
    panels = json.loads((OPERATE / "grafana-dashboard.json").read_text())["panels"]
    rules = yaml.safe_load((OPERATE / "alerts.yml").read_text())["groups"][0]["rules"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += [rule["expr"] for rule in rules]
    return {name for each in asked for name in re.findall(r"claude_pool_\w+", each)}


async def test_a_review_is_counted_and_every_documented_metric_exists(tmp_path: Path) -> None:
    port = free_port()
    async with world(tmp_path, more={"CLAUDE_POOL_METRICS_PORT": str(port)}) as w:
        assert (await get(f"{w.bot.url}/metrics"))[0] == 404, "not where webhooks come in"
        w.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
        await w.say("/pool review")
        await w.reviewed()
        await w.written()
        status, text = await get(f"http://127.0.0.1:{port}/metrics")
        spent = w.ledger
        assert await ready(f"http://127.0.0.1:{port}") == (200, "ready\n")
        assert await health_check(port) == 0
    assert await health_check(port) != 0
    assert status == 200
    assert value(text, 'claude_pool_chains_total{outcome="findings",verb="review"}') == 1
    assert value(text, 'claude_pool_chain_seconds_count{verb="review"}') == 1
    total = value(
        text, 'claude_pool_spent_usd_total{model="claude-sonnet-5-5",repository="octo/shop"}'
    )
    assert total == pytest.approx(spent / 1_000_000)
    assert value(text, 'claude_pool_effects_total{kind="review",outcome="written"}') == 1
    assert value(text, 'claude_pool_commands_total{outcome="started"}') == 1
    assert value(text, 'claude_pool_model_answers_total{status="200"}') > 1
    assert value(text, 'claude_pool_github_answers_total{status="200"}') > 1
    assert value(text, 'claude_pool_deliveries_total{status="202"}') >= 1
    assert value(text, "claude_pool_slots") == 2
    assert value(text, "claude_pool_ready") == 1
    assert value(text, "claude_pool_effects_waiting") == 0
    assert value(text, 'claude_pool_cap_used_ratio{cap="pool and month"}') == pytest.approx(
        spent / 100_000_000
    )
    assert value(
        text, 'claude_pool_repository_cap_used_ratio{repository="octo/shop"}'
    ) == pytest.approx(spent / 100_000_000)
    kinds = dict(re.findall(r"^# TYPE (claude_pool_\w+) (\w+)$", text, re.MULTILINE))
    there = set(kinds) | {f"{name}_bucket" for name, kind in kinds.items() if kind == "histogram"}
    assert documented() - there == set()
    shown = {name for name in kinds if not name.endswith("_created")}
    asked = {name.removesuffix("_bucket") for name in documented()}
    assert shown - asked == set(), "on no dashboard and in no alert"


async def test_a_server_whose_database_takes_no_write_is_not_ready_until_it_does(
    here: World,
) -> None:
    assert await ready(here.bot.url) == (200, "ready\n")
    holder = sqlite3.connect(here.bot.state / "pool.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        await asyncio.sleep(2.1)  # what was found is kept for two seconds
        status, text = await get(f"{here.bot.url}/readyz")
        assert status == 503
        assert "nothing can be stored" in text
        assert (await get(f"{here.bot.url}/healthz")) == (200, "ok\n")
    finally:
        holder.close()
    assert await ready(here.bot.url) == (200, "ready\n")
    await until(lambda: any("action=ready_again" in line for line in here.bot.log))
    lines = [line for line in here.bot.log if "action=not_ready" in line]
    again = [line for line in here.bot.log if "action=ready_again" in line]
    assert len(lines) == len(again), "one line when it begins, one when it ends"
    assert " ERROR " in lines[-1]
    assert 'do="nothing can be stored' in lines[-1]


async def test_a_server_whose_key_github_refuses_is_not_ready(here: World) -> None:
    here.github.faults.add(
        Fault(
            Respond(401, "A JSON web token could not be decoded"),
            route="/app/installations/{installation_id}/access_tokens",
            times=10**6,
        )
    )
    await here.say("/pool help")
    await until(lambda: any("operator" in line for line in here.bot.log))
    await asyncio.sleep(2.1)
    status, text = await get(f"{here.bot.url}/readyz")
    assert status == 503
    assert "GitHub refuses the App's id and private key" in text


async def test_an_address_for_monitors_that_is_taken_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        more = {"CLAUDE_POOL_METRICS_PORT": str(port)}
        with pytest.raises(RuntimeError, match=f"port {port} cannot be listened on") as raised:
            async with world(tmp_path, more=more):
                pass
    assert "Traceback" not in str(raised.value)
