"""The spans of one trace: each is found by its parent's key, and none holds a text that somebody has written."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.conversation.facts import chain_id_of
from claude_pool_gh.conversation.intake.command_worker import Handled
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.deliveries import VerifiedDelivery
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.reaction import Reaction
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import StepState, TaskState
from claude_pool_gh.service.monitoring import spans
from claude_pool_gh.terms.ids import CommentRef, Thread
from tests.conversation.rows import MONA, SHOP, chain, ended, step, task
from tests.pool.make import NOW

THREAD = Thread(repository=SHOP, number=7)
REQUEST = CommandRequest(
    thread=THREAD, actor=MONA, source=CommentRef(id=3), line="/pool ask why", delivery="guid-1"
)


def test_a_delivery_begins_the_trace_of_each_of_its_commands() -> None:
    delivery = VerifiedDelivery("guid-1", "issue_comment", {})
    other = REQUEST.model_copy(update={"ordinal": 1})
    first, second = (spans.of_delivery(delivery, each, 10, 25) for each in (REQUEST, other))
    assert first.subject == chain_id_of(REQUEST) != second.subject
    assert (first.key, first.parent) == ("delivery:guid-1", "")
    assert (first.begin_ms, first.end_ms) == (10, 25)
    assert first.attributes == {"github.event": "issue_comment", "github.delivery": "guid-1"}


def test_a_command_belongs_to_its_delivery_and_names_its_chain() -> None:
    own = chain_id_of(REQUEST)
    span = spans.of_command(REQUEST, Handled("started: a long text\nof ours", own), 1, 2)
    assert (span.subject, span.key, span.parent) == (own, f"command:{own}", "delivery:guid-1")
    assert span.attributes == {
        "pool.where": "octo/shop#7",
        "pool.outcome": "started",
        "pool.chain": own,
    }
    assert not span.failed


@pytest.mark.parametrize(
    ("answer", "outcome", "failed"),
    [
        ("given up: it was tried 9 times", "given up", True),
        ("refused: needs write", "refused", False),
        ("silence", "silence", False),
        ("", "", False),
    ],
)
def test_of_an_answer_only_its_kind_is_kept(answer: str, outcome: str, failed: bool) -> None:
    looked_up = REQUEST.model_copy(update={"delivery": ""})
    span = spans.of_command(looked_up, Handled(answer), 1, 2)
    assert (span.attributes["pool.outcome"], span.failed) == (outcome, failed)
    assert span.parent == ""
    assert "pool.chain" not in span.attributes


def test_a_chain_and_its_steps_hang_together() -> None:
    over = ended(
        Outcome(verdict=Verdict.findings, reason="a text"),
        rows=[
            step("brief", started_ms=NOW, ended_ms=NOW + 1),
            step("find", StepState.failed, started_ms=NOW + 1, ended_ms=NOW + 5),
            step("late", StepState.skipped),
            step("cut", StepState.cancelled, started_ms=NOW + 5),
            step("never", StepState.cancelled, ended_ms=NOW + 6),
        ],
        created_ms=NOW - 100,
    )
    top, *steps = spans.of_chain(over, 1_500_000)
    assert (top.subject, top.key, top.parent) == ("c", "chain:c", "command:c")
    assert (top.begin_ms, top.end_ms, top.failed) == (NOW - 100, NOW, False)
    assert top.attributes == {
        "pool.chain": "c",
        "pool.verb": "review",
        "pool.where": "octo/shop#7",
        "pool.outcome": "findings",
        "pool.usd": 1.5,
    }
    assert [(each.key, each.failed, each.end_ms - each.begin_ms) for each in steps] == [
        ("step:brief", False, 1),
        ("step:find", True, 4),
    ]
    assert {each.parent for each in steps} == {top.key}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_chain_is_an_error_where_it_failed_or_the_quota_ended_it(verdict: Verdict) -> None:
    top = next(spans.of_chain(ended(Outcome(verdict=verdict)), 0))
    assert top.failed is (verdict in (Verdict.failed, Verdict.quota))


def test_a_chain_without_an_end_takes_no_time() -> None:
    top = next(spans.of_chain(chain(), 0))
    assert (top.begin_ms, top.end_ms) == (NOW, NOW)
    assert top.attributes["pool.outcome"] == ""


@pytest.mark.parametrize("ending", Ending)
def test_a_run_is_an_error_unless_it_was_completed_or_cancelled(ending: Ending) -> None:
    one = task(outcome={"ending": str(ending), "reason": "a stranger's words"}, ended_ms=NOW + 7)
    span = spans.of_run(one, 250_000)
    assert span.failed is (ending not in (Ending.completed, Ending.cancelled))
    assert (span.key, span.parent) == (f"run:{one.run_id}", "step:find")
    assert (span.begin_ms, span.end_ms) == (NOW, NOW + 7)
    assert span.attributes == {
        "pool.run": one.run_id,
        "pool.step": "find",
        "pool.model": "m",
        "pool.outcome": str(ending),
        "pool.usd": 0.25,
    }


def test_a_run_without_an_outcome_is_told_by_its_state_and_one_that_never_began_takes_no_time() -> (
    None
):
    one = task(state=TaskState.cancelled, started_ms=None, ended_ms=NOW + 9)
    span = spans.of_run(one, 0)
    assert span.attributes["pool.outcome"] == "cancelled"
    assert (span.begin_ms, span.end_ms) == (NOW + 9, NOW + 9)


def effect(**more: Any) -> EffectRow:
    given: dict[str, Any] = {
        "key": "k",
        "effect": Comment(number=7, body="a text"),
        "repository": SHOP,
        "version": 2,
        "first": True,
        "attempted": False,
        "remote_id": None,
        "tries": 3,
        "cause": "chain:abc",
    }
    return EffectRow(**given | more)


def test_each_try_of_an_effect_is_a_span_of_what_caused_it() -> None:
    row = effect()
    span = spans.of_effect(row, "put off", 5, 6)
    assert span is not None
    assert (span.subject, span.parent) == ("abc", "chain:abc")
    assert span.key == "effect:k:2:3"
    assert (span.begin_ms, span.end_ms, span.failed) == (5, 6, False)
    assert span.attributes == {
        "pool.effect": row.effect.kind,
        "pool.where": "octo/shop#7",
        "pool.outcome": "put off",
        "pool.tries": 3,
    }
    again = spans.of_effect(effect(tries=4), "refused", 6, 7)
    assert again is not None
    assert (again.key != span.key, again.failed) == (True, True)


def test_an_effect_without_a_thread_is_one_of_the_repository() -> None:
    eyes = Reaction(comment=CommentRef(id=3), content="eyes")
    span = spans.of_effect(effect(effect=eyes), "written", 5, 6)
    assert span is not None
    assert span.attributes["pool.where"] == "octo/shop"


def test_what_belongs_to_no_chain_or_command_is_no_span() -> None:
    assert spans.of_effect(effect(cause=None), "written", 5, 6) is None
