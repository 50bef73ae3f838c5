"""One trace from a delivery over its command, its chain and the runs of its agents to what stands on GitHub."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.monitoring.otlp import trace_id
from tests.acceptance.world import world
from tests.patience import until
from tests.service.otlp_receiver import attributes, receiving


@pytest.mark.rotating(4)
async def test_a_review_is_one_trace_without_anybodys_text(tmp_path: Path) -> None:
    async with receiving() as receiver:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        async with world(tmp_path, more=more) as w:
            w.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
            await w.say("/pool review --focus pineapples")
            await w.reviewed()
            await w.written()
            ((chain,),) = w.rows("SELECT id FROM chains")
            await until(lambda: receiver.named("chain"))
            await w.bot.stop()  # sends what is left
    own = [each for each in receiver.spans if each.trace_id == trace_id(chain).to_bytes(16)]
    names = {each.name for each in own}
    assert names == {"delivery", "command", "chain", "step", "run", "effect"}
    ids = {each.span_id for each in own}
    (root,) = [each for each in own if not each.parent_span_id]
    assert root.name == "delivery"
    assert all(each.parent_span_id in ids for each in own if each is not root)
    kinds = {attributes(each)["pool.effect"] for each in own if each.name == "effect"}
    assert {"reaction", "comment", "check", "review"} <= kinds
    told = b"".join(receiver.bodies)
    assert b"octo/shop#1" in told
    finding = str(stage.PLANTED[1].finding["title"])
    for secret in ("pineapples", finding, WEBHOOK_SECRET, "/pool", "mona"):
        assert secret.encode() not in told
