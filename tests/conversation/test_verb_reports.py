"""What a reading verb reported is read back from its step's row, whatever that step is called."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from claude_pool_gh.conversation.agent_verb import VerbResult, finished
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.pool.model.plan import AgentRun, HostCall
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import AnswerReport, Link, Report, TriageReport

NO_TRANSACTION = cast(Any, None)
VERBS = handlers()
LINK = Link(path="a.py", start=1, end=2, url="https://github.com/octo/shop/blob/x/a.py#L1-L2")
TRIAGED = TriageReport(summary="About prices.", labels=("bug",), missing=("The version",), note="")


def chain(call: str, results: dict[str, Any]) -> ChainRow:
    steps = (AgentRun(name="answer", prompt="x"), HostCall(name="last", call=call))
    return cast(ChainRow, SimpleNamespace(plan=SimpleNamespace(steps=steps), results=results))


@pytest.mark.parametrize(
    ("name", "call", "reported"),
    [
        ("ask", "ask.reply", AnswerReport(text="From ten on.", links=(LINK,))),
        ("triage", "triage.apply", TRIAGED),
    ],
)
def test_what_was_reported_is_read_back(name: str, call: str, reported: Report) -> None:
    stored = finished(VerbResult(reported)).result
    shown = VERBS[name].report(NO_TRANSACTION, chain(call, {"last": stored}))
    assert isinstance(shown, type(reported))
    assert finished(VerbResult(shown)).result == stored
    assert VERBS[name].report(NO_TRANSACTION, chain(call, {})) is None
    assert VERBS[name].report(NO_TRANSACTION, chain("other.reply", {"last": stored})) is None


def test_rows_that_hold_less_are_read_too() -> None:
    assert VERBS["ask"].report(
        NO_TRANSACTION, chain("ask.reply", {"last": {"text": "x"}})
    ) == AnswerReport(text="x")
