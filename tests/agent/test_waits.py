"""How long the model's API asks to wait, whatever stands in its header: no refusal is lost for it."""

from __future__ import annotations

import pytest

from claude_pool_gh.agent.upstream import _joined
from claude_pool_gh.rehearsal.model import Fail
from claude_pool_gh.terms.waits import seconds
from tests.agent.bench import MODEL, Bench, one_by_one
from tests.agent.test_bill import ask

YEAR = 365 * 86_400


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7.5 ", 7.5),
        ("0", 0),
        ("-3", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", 0),
        ("nan", 0),
        ("inf", YEAR),
        ("-inf", 0),
        (str(YEAR), YEAR),
        ("9" * 20, YEAR),
        ("9" * 400, YEAR),
    ],
)
def test_a_header_is_a_number_of_seconds_that_a_clock_can_reach(
    header: str | None, waits: float
) -> None:
    assert seconds(header) == waits


@pytest.mark.parametrize(
    ("status", "wait", "answered"),
    [(429, "9" * 20, 402), (400, "9" * 20, 400), (400, "nan", 400), (413, "inf", 413)],
)
async def test_a_refusal_with_an_absurd_wait_is_answered_as_any_other_and_costs_nothing(
    bench: Bench, status: int, wait: str, answered: int
) -> None:
    task = await bench.grant(1_000_000)
    bench.model.script = one_by_one(Fail(status, "x_error", "x", {"retry-after": wait}))
    async with bench.gateway.admit(f"{task}.1", frozenset({MODEL})) as (run, url):
        assert (await ask(url))[0] == answered
        assert (run.verdict == "quota") is (answered == 402)
    assert [row.settled for row in await bench.requests_in_ledger(task)] == [0]


def test_the_servers_credential_takes_the_place_of_the_agents_and_beta_features_are_joined() -> (
    None
):
    agents = {"X-Api-Key": "placeholder", "Anthropic-Beta": "a,b", "Accept": "x"}
    own = {"x-api-key": "real", "anthropic-beta": "c"}
    assert _joined(agents, own) == {"x-api-key": "real", "anthropic-beta": "a,b,c", "accept": "x"}
    assert _joined({"Anthropic-Beta": "a"}, {"x-api-key": "real"})["anthropic-beta"] == "a"
    assert _joined({}, own) == own
    assert "anthropic-beta" not in _joined({}, {"x-api-key": "real"})
