"""A rejection sends what was shown back to its agent, with a person's words, as often as the plan allows."""

from __future__ import annotations

import pytest

from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.pool.model.states import ChainState
from tests.conversation.simulated.kit import Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")
FAILED = {"name": "unit", "end": "failed", "status": 1, "elapsed_ms": 5, "output": "boom"}


async def test_the_words_reach_the_agent_whose_work_it_is(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool reject {gate.upper()}  keep   the  name", at=pull)
    assert heard.text.startswith("Rejected (1 of 3); the agent tries again")
    assert heard.chain is not None
    assert heard.chain.id == chain_id
    mend, propose, _ = desk.row(chain_id).steps
    assert (mend.rejections, propose.rejections) == (("mona: keep the name",), ())
    assert desk.state(chain_id) is ChainState.queued
    assert desk.gate(chain_id) == ""


async def test_what_the_checks_printed_stands_below_the_words(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull), checked=[FAILED])
    await desk.say(f"/pool reject {gate} no", at=pull)
    (said,) = desk.row(chain_id).steps[0].rejections
    assert said.startswith("mona: no\n\nThe check unit failed. It printed, ")
    assert "\nboom\n" in said


async def test_the_words_are_bounded(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull))
    await desk.say(f"/pool reject {gate} {'x' * 1_900}", at=pull)
    (said,) = desk.row(chain_id).steps[0].rejections
    assert said == f"mona: {'x' * 1_900}"


async def test_the_last_rejection_ends_it(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull), max_rejections=1)
    heard = await desk.say(f"/pool reject {gate} never", at=pull)
    assert heard.text.startswith("Rejected 1 of 1 times, so the run has ended. Nothing was pushed.")
    ended = desk.row(chain_id)
    assert ended.outcome is not None
    assert ended.outcome.verdict is Verdict.failed
    assert ended.outcome.reason == "rejected 1 of 1 times; the last feedback: mona: never"


async def test_a_rejection_says_what_should_be_different(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, gate = desk.shown(desk.facts(pull))
    heard = await desk.say(f"/pool reject {gate}", at=pull)
    assert "`reject` needs a description of what should be different" in heard.text
    assert heard.answer == "refused"
    assert desk.state(chain_id) is ChainState.parked


async def test_without_an_id_it_is_said_which_there_are(desk: Desk) -> None:
    pull = desk.topic()
    _, gate = desk.shown(desk.facts(pull))
    heard = await desk.say("/pool reject", at=pull)
    assert f"- `/pool reject {gate}`: fix" in heard.text


async def test_an_id_that_was_never_shown_rejects_nothing(desk: Desk) -> None:
    pull = desk.topic()
    chain_id, _ = desk.shown(desk.facts(pull))
    heard = await desk.say("/pool reject 0123456789 no", at=pull)
    assert heard.text.startswith("Nothing in this thread has the ID `0123456789`.")
    assert desk.state(chain_id) is ChainState.parked
