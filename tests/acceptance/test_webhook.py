from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET, Bot
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World, world


def signed(
    body: bytes, secret: str = WEBHOOK_SECRET, event: str = "issue_comment"
) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={digest}",
        "Content-Type": "application/json",
    }


async def post(here: World, body: Any, headers: dict[str, str]) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{here.bot.url}/webhook", data=body, headers=headers) as answer,
    ):
        return answer.status


def comment(here: World, body: str = "/pool review") -> dict[str, Any]:
    user = {"id": here.maintainer.id, "login": here.maintainer.login, "type": "User"}
    owner = {"id": 1, "login": "octo", "type": "User"}
    return {
        "action": "created",
        "comment": {"id": 77, "body": body, "user": user},
        "issue": {"number": here.pull.number},
        "repository": {"id": here.repository.id, "name": "shop", "owner": owner},
        "sender": user,
    }


@pytest.mark.rotating(1)
async def test_bad_deliveries_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        good = json.dumps(comment(here)).encode()
        sha1 = signed(good)
        sha1["X-Hub-Signature"] = (
            "sha1=" + hmac.new(WEBHOOK_SECRET.encode(), good, hashlib.sha1).hexdigest()
        )
        del sha1["X-Hub-Signature-256"]
        unsigned = {k: v for k, v in signed(good).items() if k != "X-Hub-Signature-256"}
        text = b"not json"
        assert await post(here, good, unsigned) == 401
        assert await post(here, good, sha1) == 401
        assert (
            await post(here, good, signed(good, "another-secret-of-32-characters-or-more")) == 401
        )
        assert await post(here, good.replace(b"review", b"revieW"), signed(good)) == 401
        assert await post(here, text, signed(text)) == 400
        assert await post(here, good, signed(good, event="pull_request_review_comment")) == 400
        assert await post(here, good, signed(good, event="star")) == 202
        big = b"{" + b" " * (30 * 2**20) + b"}"
        assert await post(here, big, signed(big)) == 413
        assert here.rows("SELECT count(*) FROM deliveries WHERE event <> 'installation'") == [(0,)]
        assert here.rows("SELECT count(*) FROM commands") == [(0,)]


async def test_the_same_comment_under_another_guid_is_the_same_command(here: World) -> None:
    await here.say("/pool help")
    await here.answered()
    for delivery in list(here.github.deliveries):
        if delivery.event == "issue_comment":
            await here.github.redeliver(delivery)
    original = next(c for c in here.repository.comments(here.pull.number) if c.body == "/pool help")
    payload = comment(here, "/pool help") | {
        "comment": comment(here)["comment"] | {"id": original.id, "body": "/pool help"}
    }
    body = json.dumps(payload).encode()
    assert await post(here, body, signed(body)) == 202
    await here.say("/pool help review")
    await here.answered(2)
    assert len(here.own_comments()) == 2


async def test_health_and_readiness_are_there(here: World) -> None:
    async with aiohttp.ClientSession() as session:
        for path, text in (("/healthz", "ok"), ("/readyz", "ready")):
            async with session.get(here.bot.url + path) as answer:
                assert answer.status == 200
                assert text in await answer.text()


async def test_a_server_without_a_good_secret_does_not_start(tmp_path: Path) -> None:
    for secret in ("", "short"):
        async with world(tmp_path / (secret or "none"), start=False, bot_type=Bot) as here:
            here.bot.environment["CLAUDE_POOL_WEBHOOK_SECRET"] = secret
            with pytest.raises(RuntimeError, match="WEBHOOK_SECRET"):
                await here.bot.start()


async def test_a_download_is_had_only_by_the_address_that_was_shown(tmp_path: Path) -> None:
    async with world(
        tmp_path, more={"CLAUDE_POOL_PUBLIC_URL": "https://pool.example.org/"}
    ) as here:
        here.model.script = Colleague()
        await here.say("/pool fix the boundary")
        shown = await here.shows("fix", "AWAITING APPROVAL")
        path, key = re.findall(
            r"\[full report\]\(https://pool\.example\.org(/chains/\w+\.md)\?key=(\w+)\)", shown
        )[0]
        async with aiohttp.ClientSession(here.bot.url) as session:
            async with session.get(path, params={"key": key}) as answer:
                assert answer.status == 200
                assert answer.content_type == "text/plain"
                assert (await answer.text()).startswith("### ⏸ AWAITING APPROVAL: 1 file")
            for wrong in ("", key[:-1], "0" * 40):
                async with session.get(path, params={"key": wrong}) as answer:
                    assert answer.status == 404
            async with session.get(path.replace(".md", ".patch"), params={"key": key}) as answer:
                assert answer.status == 404, "a key is for one thing"
